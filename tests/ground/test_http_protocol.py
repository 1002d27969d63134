"""What a client that is no browser may do to a connection: nothing that lasts."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config, Server

from app.server.protocols import http_protocol, in_one_piece, turns, websocket_protocol
from app.server.protocols.http_protocol import HEAD_MAX, PORTION, BoundedHttp
from app.server.protocols.websocket_protocol import LiveSocket
from app.services.connections import Bound, Connections
from tests.patience import until_true


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body; open no socket, ever."""
    if scope["type"] == "websocket":
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": f"{size:08}".encode()})


@asynccontextmanager
async def serving(app: ASGIApp, connections: Connections | None = None) -> AsyncIterator[Server]:
    """A server of this application, which counts its connections here."""

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        scope["state"]["connections"] = connections
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    config = Config(
        with_state,
        port=0,
        loop="none",
        http=BoundedHttp,
        ws=LiveSocket,
        lifespan="on",
        log_config=None,
        access_log=False,
        backlog=512,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0)
    yield server
    server.should_exit = True
    await task


def port_of(server: Server) -> int:
    """Where it listens."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where the echo listens."""
    async with serving(echo) as server:
        yield port_of(server)


async def say(port: int, *words: bytes) -> bytes:
    """Send this and give what comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for word in words:
            writer.write(word)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return await reader.read()
    finally:
        writer.close()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def code_of(answer: bytes) -> str:
    """The code of a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    return str(json.loads(body)["code"])


@pytest.mark.parametrize(
    "headers",
    [
        b"A: " + b"a" * HEAD_MAX + b"\r\n",
        b"".join(b"A%d: %s\r\n" % (number, b"a" * 100) for number in range(700)),
    ],
    ids=["one long header", "many headers"],
)
async def test_a_head_that_is_too_large_is_refused(port: int, headers: bytes) -> None:
    answer = await say(port, HEAD, headers, b"\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert code_of(answer) == "headers-too-large"


async def test_a_header_without_end_is_refused_while_it_grows(port: int) -> None:
    answer = await say(port, HEAD, b"A: ", *[b"a" * 8_192] * 9)

    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_large_body_in_one_piece_with_its_head_is_no_large_head(port: int) -> None:
    answer = await say(port, HEAD + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000)

    assert answer.endswith(b"00200000")


async def test_a_large_head_that_begins_right_behind_another_request_is_refused(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na" + HEAD + b"A: " + b"a" * 40_000)
    await reader.readuntil(b"00000001")
    writer.write(b"a" * 40_000 + b"\r\n\r\n")

    assert code_of(await reader.read()) == "headers-too-large"
    writer.close()


async def test_what_is_not_http_gets_a_problem(port: int) -> None:
    answer = await say(port, b"\x16\x03\x01 hello\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert code_of(answer) == "bad-request"


async def test_requests_in_a_row_are_all_answered(port: int) -> None:
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"

    answer = await say(port, first, first + HEAD + b"Content-Length: 1\r\n\r\na")

    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("words", [b"", b"POST / HT"], ids=["silence", "half a line"])
async def test_whoever_is_too_slow_with_a_head_is_hung_up_on(words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    async with serving(echo) as server:
        server.config.timeout_keep_alive = 1  # whoever says nothing may be silent as long as between two requests

        assert await say(port_of(server), words) == b""


async def test_whoever_is_too_slow_with_a_later_head_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
    await reader.readuntil(b"00000001")
    writer.write(b"POST / HTTP/1.1\r\nHo")

    assert await reader.read() == b""
    writer.close()


async def test_whoever_is_too_slow_with_a_body_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "BODY_SECONDS", 0.05)

    assert await say(port, HEAD + b"Content-Length: 100\r\n\r\nabc") == b""


# --- who does not wait, and who cannot read chunks --------------------------------------------------------------------


async def test_an_answer_before_the_body_was_asked_for_is_the_last_one() -> None:
    """RFC 9110, section 10.1.1: whoever waits for `100 Continue` and gets a final answer may send the body or not."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with serving(refuse) as server:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        answer = await say(port_of(server), head)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


async def test_a_stream_to_http_1_0_has_no_chunks_and_ends_with_its_connection() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        for part in (b"one ", b"two ", b"three"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with serving(stream) as server:
        old = await say(port_of(server), b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        new = await say(port_of(server), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert old.endswith(b"\r\n\r\none two three")
    assert b"transfer-encoding" not in old
    assert b"transfer-encoding: chunked" in new
    assert new.endswith(b"5\r\nthree\r\n0\r\n\r\n")


# --- upgrades --------------------------------------------------------------------------------------------------------

UPGRADE = (
    b"GET /ws/screenings/1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (b"Content-Length: 1\r\n\r\nx", 400),
        (b"Content-Length: 100\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 400),
        (b"".join(b"A%d: b\r\n" % number for number in range(128)) + b"\r\n", 431),
        (b"A: " + b"a" * 9_000 + b"\r\n\r\n", 431),
    ],
    ids=["body", "body that never comes", "chunked", "128 headers", "long line"],
)
async def test_an_upgrade_that_no_socket_begins_with_is_answered_and_closed(
    port: int, rest: bytes, status: int
) -> None:
    answer = await say(port, UPGRADE + rest)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert code_of(answer) == ("bad-request" if status == 400 else "headers-too-large")


@pytest.mark.parametrize(
    "request_line",
    [b"GET /%s HTTP/1.1" % (b"x" * 9_000), b"POST /ws HTTP/1.1", b"GET /ws HTTP/1.0"],
    ids=["long path", "POST", "HTTP/1.0"],
)
async def test_an_upgrade_with_another_first_line_is_closed(port: int, request_line: bytes) -> None:
    answer = await say(port, request_line + UPGRADE[UPGRADE.index(b"\r\n") :] + b"\r\n")

    assert answer.split(b" ")[1].startswith(b"4")


@pytest.mark.parametrize(
    ("left_out", "status", "code"),
    [
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400, "bad-request"),
        (b"Sec-WebSocket-Version: 13\r\n", 400, "bad-request"),
    ],
)
async def test_a_handshake_that_opens_nothing_is_told_so_in_a_problem(
    port: int, left_out: bytes, status: int, code: str
) -> None:
    answer = await say(port, UPGRADE.replace(left_out, b"X-Request-ID: mine\r\n") + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert code_of(answer.replace(b"Content-Type", b"content-type")) == code
    assert b"X-Request-ID: mine" in answer


async def test_a_path_without_a_socket_is_told_so_in_a_problem() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close"})

    async with serving(refuse) as server:
        answer = await say(port_of(server), UPGRADE + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert code_of(answer.replace(b"Content-Type", b"content-type")) == "not-found"


async def test_an_upgrade_that_is_never_answered_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "OPEN_SECONDS", 0.05)

    with suppress(ConnectionError):
        assert await say(port, UPGRADE + b"\r\n") == b""


# --- answers that nobody reads ---------------------------------------------------------------------------------------


async def never_reading(port: int) -> socket.socket:
    """A connection with a small buffer that nobody reads from."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connected.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connected, ("127.0.0.1", port))
    return connected


ASK = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


async def test_whoever_pipelines_fills_no_memory_and_gets_every_answer_when_they_read() -> None:
    may_answer = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await may_answer.wait()
        await echo(scope, receive, send)

    async with serving(slow) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        count = 20_000
        writer.write(ASK * count)
        await until_true(lambda: any(each.flow.read_paused for each in server.server_state.connections))  # type: ignore[union-attr]
        [kept] = server.server_state.connections

        assert isinstance(kept, BoundedHttp)
        assert len(kept.pipeline) <= PORTION // len(ASK) + 1
        assert len(kept._kept) <= 512 * 1024
        may_answer.set()
        for _ in range(count):
            await reader.readuntil(b"00000000")
        writer.close()


@pytest.mark.parametrize("ask", [ASK, ASK.replace(b"POST", b"GET"), HEAD + b"Content-Length: 0\r\n\r\n"])
async def test_whoever_does_not_read_an_answer_is_hung_up_on(ask: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 10_000_000})

    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 0.2)
    async with serving(large) as server:
        deaf = await never_reading(port_of(server))
        await asyncio.get_running_loop().sock_sendall(deaf, ask * 3)
        await until_true(lambda: server.server_state.connections)

        await until_true(lambda: not server.server_state.connections)
        deaf.close()


async def test_whoever_reads_slowly_but_reads_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * 2_000_000})

    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.01)
    monkeypatch.setattr(http_protocol, "PROGRESS", 1)
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", 5.0)
    async with serving(large) as server:
        slow = await never_reading(port_of(server))
        loop, read = asyncio.get_running_loop(), 0
        await loop.sock_sendall(slow, HEAD + b"Content-Length: 0\r\n\r\n")

        while piece := await loop.sock_recv(slow, 16_384):
            read += len(piece)
        slow.close()

    assert read > 2_000_000


async def test_an_application_that_never_answers_keeps_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    for name in ("HEAD_SECONDS", "ANSWER_SECONDS"):  # the first look is when a head must have come
        monkeypatch.setattr(http_protocol, name, 0.05)
    async with serving(silent) as server:
        with suppress(ConnectionError):
            assert await say(port_of(server), ASK) == b""


async def test_a_stream_that_goes_on_is_not_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    look = BoundedHttp._look

    def counted(self: BoundedHttp) -> None:
        look(self)
        looks.append(None)

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begin", "more_body": True})
        await until_true(lambda: len(looks) > 3)
        await send({"type": "http.response.body", "body": b"end"})

    for name in ("HEAD_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(http_protocol, name, 0.02)
    monkeypatch.setattr(BoundedHttp, "_look", counted)
    async with serving(stream) as server:
        answer = await say(port_of(server), HEAD + b"Content-Length: 0\r\n\r\n")

    assert b"begin" in answer
    assert b"end" in answer


# --- bounds ----------------------------------------------------------------------------------------------------------


async def test_input_that_is_more_than_a_turn_is_read_in_several(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.0)
    begun: list[None] = []
    begin_anew = turns.Turn._begin_anew
    monkeypatch.setattr(turns.Turn, "_begin_anew", lambda turn: (begun.append(None), begin_anew(turn)))
    chunks = b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n"

    answer = await say(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)

    assert answer.endswith(b"00010000")
    assert len(begun) >= len(chunks) // PORTION


async def test_an_answer_before_the_end_of_the_body_is_the_last_one() -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    async with serving(hasty) as server:
        answer = await say(port_of(server), ASK.replace(b"Length: 0", b"Length: 9000000"), *[b"x" * 65_536] * 4)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"connection: close" in answer
    assert answer.endswith(b"no")


@pytest.mark.parametrize(
    ("per_address", "per_process", "status", "bound"),
    [(2, 9, 429, Bound.ADDRESS), (None, 2, 503, Bound.PROCESS), (9, 2, 503, Bound.PROCESS)],
)
async def test_connections_are_counted_and_one_too_many_is_told_so(
    per_address: int | None, per_process: int, status: int, bound: Bound, caplog: pytest.LogCaptureFixture
) -> None:
    connections = Connections(per_address, per_process, lambda peer: str(peer[0]))
    async with serving(echo, connections) as server:
        port = port_of(server)
        idle, socket_too = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        socket_too[1].write(UPGRADE + b"\r\n")
        await until_true(lambda: connections.open == 2)

        with caplog.at_level(logging.WARNING, "app"):
            refused = [await say(port) for _ in range(3)]
        assert [answer.split(b" ")[1] for answer in refused] == [b"%d" % status] * 3
        assert (connections.open, connections.most_open, connections.refused) == (2, 2, {bound: 3})
        assert [bound.value in line.getMessage() for line in caplog.records if line.name.startswith("app")] == [True]

        for _, writer in (idle, socket_too):
            writer.close()
        await until_true(lambda: connections.open == 0)
        assert connections.of("127.0.0.1") == 0
        assert (await say(port, HEAD + b"Content-Length: 0\r\n\r\n")).endswith(b"00000000")


class Packets(asyncio.Transport):
    """Keeps what would be sent, packet by packet."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


async def test_head_and_body_are_sent_in_one_piece_and_what_follows_as_it_comes() -> None:
    packets = Packets()
    transport = in_one_piece.InOnePiece(packets, asyncio.get_running_loop())

    for data in (b"HTTP/1.1 200 OK\r\n\r\n", b"body", b"more"):
        transport.write(data)

    assert packets.sent == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]


async def test_a_head_that_nothing_follows_goes_alone() -> None:
    packets = Packets()
    transport = in_one_piece.InOnePiece(packets, asyncio.get_running_loop())

    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    held_back = list(packets.sent)
    await asyncio.sleep(0)
    transport.write(b"body")

    assert held_back == []
    assert packets.sent == [b"HTTP/1.1 200 OK\r\n\r\n", b"body"]


async def test_a_head_is_sent_before_the_end() -> None:
    packets = Packets()
    transport = in_one_piece.InOnePiece(packets, asyncio.get_running_loop())

    transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    transport.close()

    assert packets.sent == [b"HTTP/1.1 400 Bad Request\r\n\r\n"]
    assert packets.is_closed


def whole(status: int, headers: list[tuple[bytes, bytes]], body: bytes, told: list[bool]) -> ASGIApp:
    """Answers with a whole response, else message by message, as the edge does; notes which way it went."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        told.append(scope["extensions"]["usher.whole"](status, headers, body))
        if not told[-1]:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return answer


async def answers_of(app: ASGIApp, *requests: bytes) -> bytes:
    """What the server says to these requests on one connection, without the dates."""
    async with serving(app) as server:
        said = await say(port_of(server), *requests)
    return b"\r\n".join(line for line in said.split(b"\r\n") if not line.startswith((b"date: ", b"server: ")))


STAYING = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (201, [(b"content-length", b"4"), (b"location", b"/seats/1")], b"body"),
        (404, [(b"content-length", b"0")], b""),
        (304, [(b"etag", b'"1"')], b""),
        (204, [], b""),
    ],
)
async def test_a_whole_response_is_what_uvicorn_sends_message_by_message(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    told: list[bool] = []
    said = await answers_of(whole(status, headers, body, told), STAYING + STAYING + LAST)

    assert told == [True, True, False]  # the last one ends the connection: that is left to uvicorn
    first, second, last = (b"HTTP/1.1 " + each for each in said.split(b"HTTP/1.1 ")[1:])
    assert first == second == last.replace(b"connection: close\r\n", b"")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\rb", b"a\0b"])
async def test_no_header_of_a_whole_response_can_be_broken_off(value: bytes) -> None:
    told: list[bool] = []
    said = await answers_of(whole(200, [(b"content-length", b"0"), (b"etag", value)], b"", told), STAYING)

    assert told == [False]
    assert not said  # uvicorn refuses it, too, and hangs up


async def test_a_whole_response_that_ends_the_connection_ends_it() -> None:
    told: list[bool] = []
    said = await answers_of(whole(413, [(b"content-length", b"0"), (b"connection", b"close")], b"", told), STAYING)

    assert told == [False]
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in said
