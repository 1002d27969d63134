"""What holds for every request: names, aliases, bounds, and an answer whatever happens."""

import asyncio
import json
import logging
import re
import socket
import struct
from contextlib import suppress

import pytest
from httpx import AsyncClient
from starlette.types import Message, Receive, Scope, Send

from app.http.bodies import LARGEST_BODY, LARGEST_HEADERS, LARGEST_LAYOUT, whole_body
from app.http.edge import canonical
from app.main import Usher
from tests.routers.wire import Wire

HOLD = "/api/v1/screenings/1/reservations"
LAYOUT_HEAD = (
    b"PUT /organizers/1/layout HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n"
)
A_SEAT = b'{"seat": "A1"}'


@pytest.mark.parametrize(
    ("asked_for", "meant"),
    [
        ("/api/v1/theaters", "/api/v1/theaters"),
        ("/v1/theaters/1/seats", "/api/v1/theaters/1/seats"),
        ("/theaters", "/api/v1/theaters"),
        ("/me", "/api/v1/me"),
        ("/", "/"),
        ("/docs", "/docs"),
        ("/docs/docs.js", "/docs/docs.js"),
        ("/openapi.json", "/openapi.json"),
        ("/health", "/health"),
        ("/health/live", "/health/live"),
        ("/metrics", "/metrics"),
        ("/problems/busy", "/problems/busy"),
        ("/organizer", "/organizer"),
        ("/ws/screenings/1", "/ws/screenings/1"),
        ("/assets/app.js", "/assets/app.js"),
        ("/api/v2/theaters", "/api/v2/theaters"),
        ("/docsish", "/api/v1/docsish"),
    ],
)
def test_every_base_path_means_the_canonical_one(asked_for: str, meant: str) -> None:
    assert canonical(asked_for) == meant


@pytest.mark.parametrize("base", ["/api/v1", "/v1", ""])
async def test_every_base_path_leads_to_the_same_operation(edge: AsyncClient, base: str) -> None:
    answer = await edge.get(f"{base}/screenings/1/seats")

    assert answer.json()["path"] == "/api/v1/screenings/1/seats"


@pytest.mark.parametrize("base", ["/api/v1", "/v1", ""])
async def test_a_problem_names_the_path_that_was_asked_for(edge: AsyncClient, base: str) -> None:
    answer = await edge.get(f"{base}/screenings/x%20y/seats")

    assert answer.json()["instance"] == f"{base}/screenings/x%20y/seats"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v1",
        "/api/v2/theaters",
        "//screenings/1/seats",
        "/screenings//seats",
        "/screenings/1/seats/",
        "/screenings%2F1/seats",
        "/api/v1/docs",
        "/problems/nothing",
        "/docs/../main.py",
        "/docs/..%2fmain.py",
        "/",
    ],
)
async def test_a_path_that_nobody_knows_is_not_found(edge: AsyncClient, path: str) -> None:
    answer = await edge.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
async def test_a_method_that_is_not_there_is_told_those_that_are(edge: AsyncClient, method: str) -> None:
    answer = await edge.request(method, "/screenings/1/seats")

    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_a_head_gets_what_a_get_would_without_its_body(edge: AsyncClient) -> None:
    get, head = await edge.get("/screenings/1/seats"), await edge.head("/screenings/1/seats")

    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_a_parameter_may_be_part_of_a_segment(edge: AsyncClient) -> None:
    ticket_id = "0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11"

    assert (await edge.get(f"/tickets/{ticket_id}.svg")).json() == {"ticket_id": ticket_id}
    assert (await edge.get(f"/tickets/{ticket_id}")).json() == {"plain": ticket_id}


@pytest.mark.parametrize("request_id", ["abc", "x" * 128, "~!@#$%^&*()", "6f1c0d7e-5a3b"])
async def test_the_callers_request_id_is_taken(edge: AsyncClient, request_id: str) -> None:
    answer = await edge.get("/nothing", headers={"x-request-id": request_id})

    assert answer.headers["x-request-id"] == answer.json()["request_id"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", "caf\u00e9", "a\tb"])
async def test_a_request_id_that_is_none_is_replaced(edge: AsyncClient, request_id: str) -> None:
    answer = await edge.get("/nothing", headers={"x-request-id": request_id.encode()})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/screenings/1/seats", "/nothing", "/broken", "/docs", "/form"])
async def test_every_answer_has_a_request_id(edge: AsyncClient, path: str) -> None:
    assert (await edge.get(path)).headers["x-request-id"]


async def test_answers_are_not_kept_by_caches_and_never_sniffed(edge: AsyncClient) -> None:
    for path in ("/screenings/1/seats", "/nothing"):
        headers = (await edge.get(path)).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_an_unforeseen_error_says_nothing_of_the_inside(
    edge: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await edge.get("/broken", headers={"x-request-id": "find-me"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "password" not in answer.text
    assert answer.json()["request_id"] == "find-me"
    [line] = caplog.records
    assert line.levelno == logging.ERROR
    assert line.exc_info is not None


async def test_postgresql_being_away_is_busy_and_one_line_without_a_secret(
    edge: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await edge.get("/away")

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "1")
    assert [line.getMessage() for line in caplog.records] == ["PostgreSQL failed a request: ConnectionRefusedError"]


@pytest.mark.parametrize("path", ["/screenings/x/seats", "/nothing", "/screenings/1/seats/me", "/screenings/%00/seats"])
async def test_bad_input_leaves_no_line_in_the_log(
    edge: AsyncClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert (await edge.get(path)).status_code >= 400

    assert [line for line in caplog.records if line.name.startswith("app")] == []


async def test_a_form_is_bounded_and_named_too(edge: AsyncClient) -> None:
    read = await edge.post("/form", data={"username": "ada"}, headers={"x-request-id": "mine"})
    too_long = await edge.post("/form", data={"username": "a" * LARGEST_BODY})
    missing = await edge.post("/form", data={})

    assert read.json() == {"username": "ada", "request_id": "mine"}
    assert (too_long.status_code, too_long.json()["code"]) == (413, "payload-too-large")
    assert (missing.status_code, missing.json()["code"]) == (422, "validation")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
async def test_a_body_that_is_too_long_is_told_so_before_anything_else(edge: AsyncClient, content_type: str) -> None:
    answer = await edge.post(HOLD, content=b" " * (LARGEST_BODY + 1), headers={"content-type": content_type})

    assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")
    assert "64 KiB" in answer.json()["detail"]


async def test_a_body_of_just_that_size_is_read(edge: AsyncClient) -> None:
    body = A_SEAT + b" " * (LARGEST_BODY - len(A_SEAT))

    assert (await edge.post(HOLD, content=body, headers={"content-type": "application/json"})).status_code == 201


@pytest.mark.parametrize(("method", "path"), [("PUT", "/theaters/1/layout"), ("POST", "/v1/theaters")])
async def test_a_layout_may_be_longer(edge: AsyncClient, method: str, path: str) -> None:
    json_type = {"content-type": "application/json"}
    body = b'{"sections": ["x"]}'
    body += b" " * (LARGEST_LAYOUT - len(body))

    longest = await edge.request(method, path, content=body, headers=json_type)
    too_long = await edge.request(method, path, content=body + b" ", headers=json_type)

    assert longest.json() == {"bytes": LARGEST_LAYOUT}
    assert (too_long.status_code, too_long.json()["code"]) == (413, "payload-too-large")


async def send_in_pieces(writer: asyncio.StreamWriter, count: int) -> None:
    """So many pieces of 64 KiB, and the end."""
    with suppress(ConnectionError):
        for _ in range(count):
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")


# --- on the wire -----------------------------------------------------------------------------------------------------


async def test_http_1_1_without_a_host_is_refused(served: Wire) -> None:
    answer = await served.ask(b"GET /screenings/1/seats HTTP/1.1\r\n\r\n")

    assert (answer.status, answer.problem["code"]) == (400, "bad-request")


async def test_a_header_that_may_be_there_once_is_refused_twice(served: Wire) -> None:
    answer = await served.ask(b"GET /screenings/1/seats HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")

    assert (answer.status, answer.problem["code"]) == (400, "bad-request")


async def test_headers_of_100_kilobytes_are_refused(served: Wire) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(100))

    answer = await served.ask(b"GET /screenings/1/seats HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")

    assert (answer.status, answer.problem["code"]) == (431, "headers-too-large")


async def test_a_path_that_is_too_long_is_refused(served: Wire) -> None:
    answer = await served.ask(b"GET /" + b"x" * LARGEST_HEADERS + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    assert (answer.status, len(answer.problem["instance"])) == (431, 1024)


async def test_a_declared_body_of_50_megabytes_is_refused_unread(served: Wire) -> None:
    head = b"POST " + HOLD.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 52428800\r\n\r\n"

    answer = await served.ask(head)

    assert (answer.status, answer.problem["code"]) == (413, "payload-too-large")


async def test_a_client_that_waits_to_be_told_to_continue_is_not(served: Wire) -> None:
    head = (
        b"POST " + HOLD.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 52428800\r\nExpect: 100-continue\r\n\r\n"
    )

    assert (await served.ask(head)).status == 413


async def test_a_chunked_body_of_50_megabytes_is_refused_as_soon_as_it_is_too_long(served: Wire) -> None:
    async with served.connection() as (reader, writer):
        writer.write(b"POST " + HOLD.encode() + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")

        async with asyncio.TaskGroup() as both:
            both.create_task(send_in_pieces(writer, 800))
            answer = await both.create_task(served.answer(reader))
        with suppress(ConnectionError):
            assert await reader.read() == b""

    assert (answer.status, answer.problem["code"]) == (413, "payload-too-large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "bad",
    [
        b"GET /screenings/x/seats HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n",
        b"DELETE /broken HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /screenings/1/seats/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n",
        b"POST /reserve HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{]}",
        b"POST /reserve HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n{]}",
        b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /screenings/%ff/seats HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /screenings/1/seats HTTP/1.1\r\n\r\n",
    ],
)
async def test_the_connection_still_works_after_bad_input(served: Wire, bad: bytes) -> None:
    async with served.connection() as (reader, writer):
        writer.write(bad)
        refused = await served.answer(reader)
        writer.write(b"GET /screenings/1/seats HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = await served.answer(reader)

    assert refused.status >= 400
    assert refused.problem["status"] == refused.status
    assert answered.status == 200
    assert json.loads(answered.body)["screening_id"] == 1


async def test_a_caller_who_goes_away_in_the_middle_of_a_body_leaves_nothing_behind(
    served: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /reserve HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n"

    async with served.connection() as (_, writer):
        writer.write(head + b"{")

    assert (await served.ask(b"GET /screenings/1/seats HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
    assert caplog.records == []


# --- control characters, and a second matcher ------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["%0a", "%0A", "%0d", "%00", "%09", "%7f", "%c2%85", "%e2%80%a8", "%e2%80%8b"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/screenings/1/reservations"),
        ("POST", "/api/v1/screenings/1/reservations"),
        ("GET", "/screenings/1/seats"),
        ("GET", "/docs"),
        ("GET", "/nothing"),
    ],
)
async def test_a_path_with_something_that_nobody_sees_leads_nowhere(
    edge: AsyncClient, method: str, path: str, ending: str
) -> None:
    answer = await edge.request(
        method, f"{path}{ending}?limit=1", content=A_SEAT, headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_a_path_that_is_not_in_the_table_is_asked_nowhere_else(
    edge_app: Usher, edge: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def router(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])

    monkeypatch.setattr(edge_app.router, "app", router)

    for path in ("/nothing", "/screenings/1/seats/", "/theaters/1/layout/x"):
        assert (await edge.get(path)).status_code == 404
    assert asked == []


# --- who may send a large body ---------------------------------------------------------------------------------------


async def test_a_large_body_is_not_read_before_its_sender_is_known(served: Wire) -> None:
    for token in (b"", b"Authorization: Bearer nonsense\r\n"):
        async with served.connection() as (reader, writer):
            writer.write(LAYOUT_HEAD + token + b"\r\n")
            answer = await served.answer(reader)

            assert (answer.status, answer.headers["connection"]) == (401, "close")
            assert await reader.read() == b""


async def test_a_guest_may_not_send_a_large_body(served: Wire, token: str) -> None:
    answer = await served.ask(LAYOUT_HEAD + b"Authorization: Bearer " + token.encode() + b"\r\n\r\n")

    assert answer.status == 403


async def test_the_pieces_of_a_body_are_not_copied_again_and_again() -> None:
    class Piece(bytes):
        """Says when it is copied to make another."""

        __slots__ = ()

        def __add__(self, other: object) -> bytes:
            raise AssertionError("quadratic")

    pieces = [{"type": "http.request", "body": Piece(b"ab"), "more_body": left > 0} for left in reversed(range(1_000))]

    async def receive() -> Message:
        return pieces.pop(0)

    assert await whole_body(receive, 2_000) == b"ab" * 1_000


# --- the end of a connection -----------------------------------------------------------------------------------------


async def test_after_a_413_the_connection_is_closed(served: Wire) -> None:
    large = b"POST /reserve HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000

    async with served.connection() as (reader, writer):
        writer.write(large + b"GET /screenings/1/seats HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await served.answer(reader)
        rest = await reader.read()

    assert (answer.status, answer.headers["connection"], rest) == (413, "close", b"")


async def test_a_transfer_coding_that_is_not_known_is_refused(served: Wire) -> None:
    head = b"POST /reserve HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"

    async with served.connection() as (reader, writer):
        writer.write(head + b"2\r\n{}\r\n0\r\n\r\n")
        answer = await served.answer(reader)
        rest = await reader.read()

    assert (answer.status, answer.problem["code"], answer.headers["connection"]) == (501, "not-implemented", "close")
    assert rest == b""


@pytest.mark.parametrize(
    "line",
    [b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET /screenings/1/seats#top HTTP/1.1", b"GET /docs?a=1#b HTTP/1.1"],
)
async def test_what_http_1_1_does_not_have_in_its_first_line_is_refused(served: Wire, line: bytes) -> None:
    answer = await served.ask(line + b"\r\nHost: a\r\n\r\n")

    assert (answer.status, answer.problem["code"], answer.headers["connection"]) == (400, "bad-request", "close")


async def test_a_reset_in_the_middle_of_pipelined_requests_leaves_no_line_in_the_log(
    served: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    ask = b"POST /reserve HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"

    for cut in (0, 7, 15):
        async with served.connection() as (reader, writer):
            writer.write((ask + b'{"label": "A1"}') * 20 + ask + b'{"label": "A1"}'[:cut])
            await served.answer(reader)
            reset(writer)

    assert (await served.ask(b"GET /screenings/1/seats HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200
    assert caplog.records == []


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with an RST."""
    connected = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
