"""The edge: every request enters here and every answer leaves here. One layer instead of FastAPI's seven.

It names the request, refuses what HTTP itself forbids, finds the operation whatever base path was used, bounds the
body, and turns whatever was raised into a problem.
"""

import logging
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import getrandbits
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.dependencies import Asked
from app.domain.people import KeyScope
from app.domain.rates import Bucket
from app.domain.refusals import Refusal, Unauthenticated
from app.http.client_address import client_address
from app.http.operations import NotPlain, Operation
from app.http.problems import problem
from app.http.replies import Header, Reply, rate_headers
from app.http.routes import BASE
from app.http.scopes import scope_of
from app.http.table import Table
from app.logs import request_id_of_this_task
from app.schemas.format.faults import (
    BadRequest,
    Fault,
    HeadersTooLarge,
    MethodNotAllowed,
    NoSuchPath,
    PayloadTooLarge,
    mistake,
)
from app.services.people.api_keys import PREFIX as API_KEY_PREFIX
from app.services.rates import Rates

log = logging.getLogger(__name__)


LARGEST_HEADERS: Final = 32 * 1024
LARGEST_BODY: Final = 64 * 1024
LARGEST_LAYOUT: Final = 8 * 1024 * 1024

# Paths at the root that are not another spelling of one under /api/v1.
AT_THE_ROOT: Final = frozenset(
    (
        *("", "api", "assets", "asyncapi.json", "docs", "favicon.ico", "health", "metrics", "openapi.json"),
        *("organizer", "problems", "ws"),
    )
)
_TAKES_A_LAYOUT: Final = re.compile(rf"{BASE}/theaters(/[^/]+/layout)?")
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SENT_ONCE: Final = frozenset((b"host", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"))

Translate = Callable[[BaseException], Exception | None]


class Edge:
    """The outermost ASGI application. `inner` serves what is no plain operation: sockets, streams, forms.

    `translate` may tell an unforeseen error for a refusal, as when PostgreSQL is away.
    """

    def __init__(self, inner: ASGIApp, routes: Sequence[BaseRoute], translate: Translate) -> None:
        self._inner = inner
        self._translate = translate
        self._table = _table_of(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
            return
        if scope["type"] == "websocket":
            scope["path"] = canonical(scope["path"])
            scope["usher.translate"] = self._translate
        await self._inner(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope, receive)
        name = asked.request_id = _request_id(asked.headers_once.get(b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = name
        request_id_of_this_task.set(name)
        signed = _Signed(send, [(b"x-request-id", name.encode())])
        asked_path = scope["path"]
        try:
            _must_be_sound(asked)
            scope["path"] = canonical(scope["path"])
            if asked.resources.rates is not None:
                signed.headers += await _admitted(asked, asked.resources.rates)
            reply = await self._reply(asked, signed)
        except _Gone:
            return
        except Exception as error:  # the outermost line; `problem` logs the unforeseen
            if signed.status:
                log.error("broke off", exc_info=error)
                return
            reply = problem(self._translated(error), _instance(scope, asked_path), name)
        if type(reply) is Reply:
            await signed.reply(reply, with_body=scope["method"] != "HEAD")
        elif reply is not None:
            await reply(scope, receive, signed)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s %d", scope["method"], _instance(scope, asked_path), signed.status)

    async def _reply(self, asked: Asked, signed: "_Signed") -> Response | None:
        """The operation's reply; None when the inner application has sent its own."""
        method = asked.method
        found = self._table.find(asked.path)
        entry = None if found is None else found.methods[_meant(method, found.methods)]
        operation = None if entry is None else entry.operation
        if entry is not None:
            asked.scope["usher.needs"] = entry.needs
        has_body = _announces_body(asked)
        if found is None or operation is None:
            receive = _bounded(asked.receive) if has_body else asked.receive
            await self._inner(asked.scope, receive, signed)
            return None
        if has_body and operation.takes_body:
            asked.raw_body = await _whole_body(asked.receive, _largest_body(asked))
        return await operation.reply(asked, found.parameters)

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, (Refusal, Fault, HTTPException, RequestValidationError)):
            return error
        translated = self._translate(error)
        if translated is None:
            return error
        log.warning("not served: %s", type(error).__name__)
        return translated


class _Signed:
    """The way out: every answer carries `headers`, the request id first. `status` is 0 until an answer has begun."""

    __slots__ = ("_send", "headers", "status")

    def __init__(self, send: Send, headers: list[Header]) -> None:
        self._send = send
        self.headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """What the inner application sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self.headers]}
        await self._send(message)

    async def reply(self, reply: Reply, *, with_body: bool) -> None:
        """All of a reply; a HEAD gets what a GET would, but for the body."""
        self.status = reply.status_code
        headers = [*reply.raw_headers, *self.headers]
        await self._send({"type": "http.response.start", "status": reply.status_code, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body if with_body else b""})


async def _admitted(asked: Asked, rates: Rates) -> Sequence[Header]:
    """Where the caller stands, for the answer. Raises RateLimited when this was one request too many."""
    resources = asked.resources
    if (bucket := _bucket_of(asked)) is None:
        return ()
    forwarded = asked.headers_once.get(b"x-forwarded-for")
    address = client_address(asked.scope.get("client"), forwarded, resources.settings.trusted_proxies)
    standing = await rates.admit(bucket, address, _user_id(asked))
    return () if standing is None else rate_headers(standing)


def _bucket_of(asked: Asked) -> Bucket | None:
    """What a request counts as; pages, documents and health checks are not counted."""
    path = asked.path
    if not path.startswith(BASE):
        return None
    if path.startswith((f"{BASE}/auth/", f"{BASE}/me/password")) or (path == f"{BASE}/me" and asked.method == "DELETE"):
        return Bucket.LOGIN
    return Bucket.READING if asked.method in ("GET", "HEAD", "OPTIONS") else Bucket.TAKING


def _user_id(asked: Asked) -> int | None:
    """Whose token came along; a token that is not believed is the operation's business."""
    scheme, _, token = asked.headers_once.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    shown = token.strip()
    if shown.startswith(API_KEY_PREFIX):
        machine = asked.resources.api_keys.known(shown)
        return None if machine is None else machine.id
    try:
        return asked.resources.tokens.person(shown).id
    except Unauthenticated:
        return None


class _Gone(Exception):
    """The caller went away before the body was whole."""


def canonical(path: str) -> str:
    """The path under /api/v1 that an alias means: /v1/theaters and /theaters are /api/v1/theaters."""
    if path.startswith("/api/v1/"):
        return path
    if path.startswith("/v1/"):
        return f"/api{path}"
    return path if path[1:].partition("/")[0] in AT_THE_ROOT else BASE + path


@dataclass(frozen=True, slots=True)
class _Entry:
    """An operation, or None when only FastAPI can run it; and the scope that an API key needs for it."""

    operation: Operation | None
    needs: KeyScope


def _table_of(routes: Sequence[BaseRoute]) -> Table[_Entry]:
    """All operations by path and method."""
    table: Table[_Entry] = Table()
    for route in iter_route_contexts(routes):
        if not isinstance(route.original_route, APIRoute) or route.path is None:
            continue
        operation: Operation | None
        try:
            operation = Operation(route)
        except NotPlain:
            operation = None
        entry = _Entry(operation, scope_of(route))
        for method in route.methods or ():
            table.add(route.path, method, entry)
    return table


def _meant(method: str, known: Collection[str]) -> str:
    """The method whose operation is run: HEAD is a GET without its body. Raises MethodNotAllowed."""
    meant = "GET" if method == "HEAD" else method
    if meant not in known:
        raise MethodNotAllowed(sorted({*known, "HEAD"} if "GET" in known else known))
    return meant


def _request_id(sent: bytes | None) -> str:
    """The caller's own, if it is 1 to 128 visible ASCII characters; else a new one."""
    if sent is not None and _REQUEST_ID.fullmatch(sent):
        return sent.decode()
    return f"{getrandbits(128):032x}"  # nobody gains anything by guessing it


def _instance(scope: Scope, path: str) -> str:
    """The path as it was asked for, cut where no honest path is that long."""
    raw: bytes = scope.get("raw_path") or quote(path).encode()
    return raw[:1024].decode("latin-1")


def _must_be_sound(asked: Asked) -> None:
    """Raises a Fault when HTTP itself was used in a way that could be understood differently by somebody else."""
    scope, headers = asked.scope, asked.headers_once
    raw_path: bytes = scope.get("raw_path") or b""
    query: bytes = scope["query_string"]
    size = len(raw_path) + len(query)
    for name, value in scope["headers"]:
        size += len(name) + len(value)
    if size > LARGEST_HEADERS:
        raise HeadersTooLarge(LARGEST_HEADERS)
    if b"host" not in headers and scope["http_version"] != "1.0":
        raise BadRequest("There is no Host header, which HTTP/1.1 asks for.")
    if len(headers) != len(scope["headers"]):
        for name in _SENT_ONCE:
            if asked.repeats(name):
                raise BadRequest(f"The header {name.decode()} is there more than once.")
    if b"%" in raw_path:
        _must_decode(raw_path, "path")
        if b"%2f" in raw_path.lower():
            raise NoSuchPath
    if b"%" in query or not query.isascii():
        _must_decode(query, "query")


def _must_decode(raw: bytes, place: str) -> None:
    try:
        decoded = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise mistake([place], "string_unicode", "This is not UTF-8.") from None
    if _BROKEN_ESCAPE.search(raw):
        raise mistake([place], "percent_encoding", "A percent sign is followed by two hexadecimal digits.")
    if "\x00" in decoded:
        raise mistake([place], "string_nul", "The NUL character has no place here.")


def _announces_body(asked: Asked) -> bool:
    """Will a body come? Raises PayloadTooLarge when it says itself that it is too long."""
    length = asked.headers_once.get(b"content-length")
    if length is None:
        return b"transfer-encoding" in asked.headers_once
    if not length.isdigit():
        raise BadRequest("Content-Length is a number of bytes.")
    size = int(length[:20])
    if size > LARGEST_BODY and size > (allowed := _largest_body(asked)):
        raise PayloadTooLarge(allowed)
    return size > 0


def _largest_body(asked: Asked) -> int:
    takes_a_layout = asked.method in ("POST", "PUT") and _TAKES_A_LAYOUT.fullmatch(asked.path)
    return LARGEST_LAYOUT if takes_a_layout else LARGEST_BODY


async def _whole_body(receive: Receive, allowed: int) -> bytes:
    """The body. Raises PayloadTooLarge as soon as it is longer than allowed."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body") and len(body) <= allowed:
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise _Gone
    if len(body) > allowed:
        raise PayloadTooLarge(allowed)
    return body


def _bounded(receive: Receive) -> Receive:
    """The same bound for what FastAPI reads; as an HTTPException, the only one that it lets through from there."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise HTTPException(413)
        return message

    return bounded
