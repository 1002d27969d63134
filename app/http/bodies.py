"""Checks a request before it is used: whether it is valid HTTP, and the size of its body.

What is larger than usual costs more to read. It waits for a turn of the event loop that has time for it.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Generator
from time import perf_counter
from types import coroutine
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from app.http.request import ApiRequest
from app.schemas.format.faults import BadRequest, HeadersTooLarge, NoSuchPath, PayloadTooLarge, UnknownCoding, mistake
from app.schemas.problems import reasons

LARGEST_HEADERS: Final = 32 * 1024
LARGEST_BODY: Final = 64 * 1024
"""The largest body of an operation that declares no `max_body_size`, in bytes."""
LARGEST_LAYOUT: Final = 8 * 1024 * 1024
"""That of an operation for organizers that takes a whole house, or names its seats: labels came in no larger body."""
LARGEST_SCREENING: Final = 256 * 1024
"""That of one that takes prices: as many as there may be, however their categories are written (`\\u00e9`)."""
USUAL_BODY: Final = 2 * 1024
_USUAL_TARGET: Final = 1024
_USUAL_HEADERS: Final = 50
_TURN: Final = "usher.turn"

T = TypeVar("T")

_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SENT_ONCE: Final = frozenset((b"host", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"))


class _Turn(Protocol):
    """A turn of the event loop (server/protocols/turns.py)."""

    @property
    def is_over(self) -> bool: ...

    def spend(self, seconds: float) -> None: ...


def has_usual_head(scope: Scope) -> bool:
    """Whether reading its path, query and headers costs next to nothing."""
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return target <= _USUAL_TARGET and len(scope["headers"]) <= _USUAL_HEADERS


async def in_its_turn(scope: Scope, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What this work gives. It begins in a turn of the loop that has time for it, and is charged to those it takes."""
    turn: _Turn | None = scope.get("state", {}).get(_TURN)
    if turn is None:
        return await work()
    while turn.is_over:  # noqa: ASYNC110 - it is over for all who wait here, and begins anew by itself
        await asyncio.sleep(0)
    charged: T = await _charged(turn, work())
    return charged


@coroutine
def _charged(turn: _Turn, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Step by step, as the loop runs it."""
    step: Callable[[Any], Any] = work.send
    given: Any = None
    while True:
        begun = perf_counter()
        try:
            waits_for = step(given)
        except StopIteration as done:
            answer: T = done.value
            return answer
        finally:
            turn.spend(perf_counter() - begun)
        try:
            step, given = work.send, (yield waits_for)
        except BaseException as thrown:  # noqa: BLE001 - whatever it is, it is for the work
            step, given = work.throw, thrown


class Gone(Exception):
    """The caller has closed the connection before the body was complete."""


def must_be_sound(request: ApiRequest) -> None:
    """Raises a Fault if HTTP was used in a way that two programs could understand differently."""
    scope, headers = request.scope, request.headers_once
    raw_path: bytes = scope.get("raw_path") or b""
    query: bytes = scope["query_string"]
    size = len(raw_path) + len(query)
    for name, value in scope["headers"]:
        size += len(name) + len(value)
    if size > LARGEST_HEADERS:
        raise HeadersTooLarge(LARGEST_HEADERS)
    if b"host" not in headers and scope["http_version"] != "1.0":
        raise BadRequest(reasons.NO_HOST)
    if len(headers) != len(scope["headers"]):
        for name in _SENT_ONCE:
            if request.repeats(name):
                raise BadRequest(f"The header {name.decode()} was sent more than once. Send it once.")
    coding = headers.get(b"transfer-encoding")
    if coding is not None and coding.strip().lower() != b"chunked":
        raise UnknownCoding
    if b"%" in raw_path:
        if not is_printable(scope["path"]):
            raise NoSuchPath
        _must_decode(raw_path, "path")
        if b"%2f" in raw_path.lower():
            raise NoSuchPath
    if b"%" in query or not query.isascii():
        _must_decode(query, "query")


def is_printable(path: str) -> bool:
    """No path of ours has a control character, a line break or anything else that nobody sees."""
    return path.isprintable()


def _must_decode(raw: bytes, place: str) -> None:
    try:
        decoded = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise mistake([place], "string_unicode", "This is not UTF-8.") from None
    if _BROKEN_ESCAPE.search(raw):
        raise mistake([place], "percent_encoding", "A percent sign must be followed by two hexadecimal digits.")
    if "\x00" in decoded:
        raise mistake([place], "string_nul", "There is a NUL character. Remove it.")


def announces_body(request: ApiRequest, allowed: int) -> bool:
    """Whether a body will come. Raises PayloadTooLarge if its Content-Length is larger than allowed (bytes)."""
    length = request.headers_once.get(b"content-length")
    if length is None:
        return b"transfer-encoding" in request.headers_once
    if not length.isdigit():
        raise BadRequest(reasons.CONTENT_LENGTH)
    size = int(length[:20])
    if size > allowed:
        raise PayloadTooLarge(allowed)
    return size > 0


async def whole_body(receive: Receive, allowed: int) -> bytes:
    """The body. Raises PayloadTooLarge as soon as more bytes have come than are allowed."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        collected = bytearray(body)  # it grows in place: many small pieces cost no more than a large one
        while message.get("more_body") and len(collected) <= allowed:
            message = await receive()
            collected += message.get("body", b"")
        body = bytes(collected)
    if message["type"] == "http.disconnect":
        raise Gone
    if len(body) > allowed:
        raise PayloadTooLarge(allowed)
    return body


def bounded(receive: Receive, allowed: int) -> Receive:
    """The same limit, for a body that a mounted application reads."""
    size = 0

    async def receive_within_bounds() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > allowed:
            raise HTTPException(413)
        return message

    return receive_within_bounds
