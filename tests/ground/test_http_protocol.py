"""What a client that is no browser may do to a connection: nothing that lasts."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config, Server

from app.server import http_protocol
from app.server.http_protocol import HEAD_MAX, BoundedHttp


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": f"{size:08}".encode()})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where the echo listens."""
    server = Server(Config(echo, port=0, http=BoundedHttp, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


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
async def test_whoever_is_too_slow_with_a_head_is_hung_up_on(
    port: int, words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)

    assert await say(port, words) == b""


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
    transport = http_protocol.InOnePiece(packets, asyncio.get_running_loop())

    for data in (b"HTTP/1.1 200 OK\r\n\r\n", b"body", b"more"):
        transport.write(data)

    assert packets.sent == [b"HTTP/1.1 200 OK\r\n\r\nbody", b"more"]


async def test_a_head_that_nothing_follows_goes_alone() -> None:
    packets = Packets()
    transport = http_protocol.InOnePiece(packets, asyncio.get_running_loop())

    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    held_back = list(packets.sent)
    await asyncio.sleep(0)
    transport.write(b"body")

    assert held_back == []
    assert packets.sent == [b"HTTP/1.1 200 OK\r\n\r\n", b"body"]


async def test_a_head_is_sent_before_the_end() -> None:
    packets = Packets()
    transport = http_protocol.InOnePiece(packets, asyncio.get_running_loop())

    transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    transport.close()

    assert packets.sent == [b"HTTP/1.1 400 Bad Request\r\n\r\n"]
    assert packets.is_closed
