"""The edge: every request enters here and every answer leaves here. One layer instead of FastAPI's seven.

It names the request, refuses what HTTP itself forbids, finds the operation whatever base path was used, bounds the
body, and turns whatever was raised into a problem.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter, time
from typing import Any, Final
from urllib.parse import quote

from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.people.people import KeyScope
from app.domain.people.rates import Bucket
from app.domain.refusals import LayoutInUse, RateLimited, Refusal
from app.http.bodies import (
    LARGEST_BODY,
    USUAL_BODY,
    Gone,
    announces_body,
    bounded,
    has_usual_head,
    in_its_turn,
    is_printable,
    must_be_sound,
    whole_body,
)
from app.http.credentials import bearer_token, known_person
from app.http.problems import problem
from app.http.replies import Header, Reply, rate_headers
from app.http.request import ApiRequest, request_id
from app.http.runner.operations import Operation
from app.http.runner.routes import BASE
from app.http.runner.table import Table
from app.http.scopes import Guard, guard_of, scope_of
from app.logs import request_id_of_this_task, span_of_this_task
from app.outages import Seldom
from app.request_log import Answered
from app.schemas.format import strict
from app.schemas.format.faults import Fault, MethodNotAllowed, NoSuchPath
from app.services.callers.rates import Rates
from app.services.running.beside import beside, take_apart

log = logging.getLogger(__name__)


# Paths at the root that are not another spelling of one under /api/v1.
AT_THE_ROOT: Final = frozenset(
    (
        *("", "api", "assets", "asyncapi.json", "book", "docs", "favicon.ico", "health", "metrics", "openapi.json"),
        *("organizer", "pages", "problems", "ws"),
    )
)
# Calls at the root that browsers get a page for: they ask for HTML, programs do not.
PAGES: Final = {"/bookings": "/pages/bookings"}

OTHER_ROUTES: Final = "other"
"""Of the figures: what is no operation, as the files of the pages, and paths that there are not."""
OTHER_METHODS: Final = "other"
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_LAST: Final = (413, 501)
"""After these answers the connection is closed: nobody reads the body that follows."""

_NO_EXTENSIONS: Final[Mapping[str, Any]] = {}

_SHOWING_SECRETS: Final = frozenset(f"{BASE}/auth/{what}" for what in ("login", "refresh", "logout"))

Translate = Callable[[BaseException], Exception | None]
Handlers = Mapping[Any, Callable[[Any, Any], Any]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A route and its operation, or None where FastAPI runs all of them; what an API key needs; its largest body.

    `guard` says who may send a body that is larger than usual, before it is read.
    """

    route: str
    operation: Operation | None
    needs: KeyScope | None
    largest_body: int
    guard: Guard | None


class Edge:
    """The outermost ASGI application."""

    def __init__(
        self,
        inner: ASGIApp,
        routes: Sequence[BaseRoute],
        translate: Translate,
        *,
        plain: bool = False,
        overrides: Mapping[Any, Any] | None = None,
        handlers: Handlers | None = None,
    ) -> None:
        """`inner` is FastAPI's own routing: it serves sockets, mounted applications, and every operation if `plain`, or
        while there are `overrides` of dependencies.

        `translate` may tell an unhandled error for a refusal, as when PostgreSQL is away. `handlers` are those that
        were added for kinds of exceptions and for statuses.
        """
        self._inner = inner
        self._translate = translate
        self._plain = plain
        self._overrides = {} if overrides is None else overrides
        self._handlers = handlers or {}
        self._table = _table_of(routes, plain=plain)
        self._others = _others(routes)
        self._failures = Seldom()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if has_usual_head(scope):
                await self._serve(scope, receive, send)
            else:
                await in_its_turn(scope, partial(self._serve, scope, receive, send))
            return
        if scope["type"] == "websocket":
            if not is_printable(scope["path"]):
                await send({"type": "websocket.close"})
                return
            scope["path"] = canonical(scope["path"])
            scope["usher.translate"] = self._translate
            await in_its_turn(scope, partial(self._visit, scope, receive, send))
            return
        await self._inner(scope, receive, send)

    async def _visit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A socket, from its handshake to its end."""
        await self._inner(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        request = ApiRequest(scope, receive)
        name = request.request_id = request_id(request.headers_once.get(b"x-request-id"))
        request_id_of_this_task.set(name)
        tracing = request.resources.tracing
        span = mark = None
        if tracing is not None:
            span = tracing.request(_measured(scope), request.headers_once, name)
            mark = span.mark
            span_of_this_task.set(mark)
        signed = _Signed(scope, send, [(b"x-request-id", name.encode())])
        sent_path = scope["path"]
        reply: Response | None
        try:
            must_be_sound(request)
            scope["path"] = _page_of(request) or canonical(scope["path"])
            if request.resources.rates is not None:
                signed.headers += await _admitted(request, request.resources.rates)
            reply = await self._reply(request, signed)
        except Gone:
            if span is not None:
                span.end(signed.route, 0, request.user_id)
            return
        except Exception as error:  # the outermost line; `problem` logs what nobody has handled
            if signed.status:
                log.error("unhandled exception after the answer had begun", exc_info=error)
                if span is not None:
                    span.end(signed.route, 500, request.user_id)
                return
            if isinstance(error, RateLimited):
                del signed.headers[1:]  # the limit that was met says it better
            reply = await self._reply_to(error, request, _instance(scope, sent_path))
            if reply.status_code in _LAST:
                signed.headers.append((b"connection", b"close"))
        if type(reply) is Reply:
            await signed.reply(reply)
        elif reply is not None:
            await reply(scope, receive, signed)
        method = scope["usher.method"] if "usher.method" in scope else scope["method"]
        measured, seconds = method if method in _METHODS else OTHER_METHODS, signed.began - began
        request.resources.measures.request(measured, signed.route, signed.status, seconds)
        if (requests := request.resources.request_log) is not None:
            requests.add(Answered(time(), measured, signed.route, signed.status, seconds, request.user_id, name, mark))
        if span is not None:
            span.end(signed.route, signed.status, request.user_id)
        if request.set_aside or request.is_large:
            await asyncio.to_thread(take_apart, request.take_large())

    async def _reply(self, request: ApiRequest, signed: "_Signed") -> Response | None:
        """The operation's reply; None when the inner application has sent its own."""
        found = self._table.find(request.path)
        entry = None if found is None else found.methods[_meant(request.method, found.methods)]
        largest = LARGEST_BODY if entry is None else entry.largest_body
        has_body = announces_body(request, largest)
        if found is None or entry is None:
            if all(route.matches(request.scope)[0] is Match.NONE for route in self._others):
                raise NoSuchPath
            receive = bounded(request.receive, largest) if has_body else request.receive
            await self._inner(request.scope, receive, signed)
            return None
        request.needs = entry.needs
        signed.route = entry.route
        if has_body:
            if entry.guard is not None:
                await entry.guard(request)
            request.raw_body = await whole_body(request.receive, largest)
        if len(request.raw_body) <= USUAL_BODY:
            return await self._run(request, entry, found.parameters, signed)
        if largest == LARGEST_BODY:
            strict.must_be_simple(request.raw_body)
        return await in_its_turn(request.scope, partial(self._run, request, entry, found.parameters, signed))

    async def _run(
        self, request: ApiRequest, entry: _Entry, parameters: Sequence[str], signed: "_Signed"
    ) -> Response | None:
        if entry.operation is None or self._overrides:
            await self._run_by_fastapi(request, signed)
            return None
        return await entry.operation.reply(request, parameters)

    async def _run_by_fastapi(self, request: ApiRequest, signed: "_Signed") -> None:
        """The same operation by FastAPI's own routing and handler (`routes.ApiRoute`)."""
        scope = request.scope
        scope["usher.request"] = request
        scope["usher.method"] = scope["method"]
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
        await self._inner(scope, request.receive, signed)

    async def _reply_to(self, error: Exception, request: ApiRequest, instance: str) -> Response:
        """What the handler that was added for this error answers; a problem where there is none."""
        handler = self._handler_for(error)
        if handler is None:
            error = self._translated(error)
            named = len(error.seats) if isinstance(error, LayoutInUse) else 0
            return await beside(named, problem, error, instance, request.request_id)
        made: Response
        if inspect.iscoroutinefunction(handler):
            made = await handler(request, error)
        else:
            made = await run_in_threadpool(handler, request, error)
        return made

    def _handler_for(self, error: Exception) -> Callable[[Any, Any], Any] | None:
        if not self._handlers:
            return None
        if isinstance(error, HTTPException) and error.status_code in self._handlers:
            return self._handlers[error.status_code]
        return next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, (Refusal, Fault, HTTPException, RequestValidationError)):
            return error
        translated = self._translate(error)
        if translated is None:
            return error
        if self._failures.is_due(type(error)):
            log.warning("PostgreSQL failed a request: %s", type(error).__name__)
        return translated


class _Signed:
    """The way out: every answer carries `headers`, the request id first. `status` is 0 until an answer has begun."""

    __slots__ = ("_send", "_whole", "_with_body", "began", "headers", "route", "status")

    def __init__(self, scope: Scope, send: Send, headers: list[Header]) -> None:
        self._send = send
        self._with_body = scope["method"] != "HEAD"
        """A HEAD gets what a GET would, but for the body."""
        self._whole = (scope.get("extensions") or _NO_EXTENSIONS).get("usher.whole")
        """Our own server takes a reply as a whole, if it can."""
        self.headers = headers
        self.status = 0
        self.began = 0.0
        """When the answer began (perf_counter)."""
        self.route = OTHER_ROUTES

    async def __call__(self, message: Message) -> None:
        """What the inner application sends."""
        if message["type"] == "http.response.start":
            self.status, self.began = message["status"], perf_counter()
            message = {**message, "headers": [*message.get("headers", ()), *self.headers]}
        elif not self._with_body:
            message = {**message, "body": b""}
        await self._send(message)

    async def reply(self, reply: Reply) -> None:
        """All of a reply."""
        self.status, self.began = reply.status_code, perf_counter()
        headers = [*reply.raw_headers, *self.headers]
        if self._whole is not None and self._with_body and self._whole(reply.status_code, headers, reply.body):
            return
        await self._send({"type": "http.response.start", "status": reply.status_code, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body if self._with_body else b""})


async def _admitted(request: ApiRequest, rates: Rates) -> Sequence[Header]:
    """Where the caller stands, for the answer. Raises RateLimited when this was one request too many."""
    if (bucket := _bucket_of(request)) is None:
        return ()
    token = bearer_token(request.headers_once.get(b"authorization"))
    person = None if token is None else known_person(request.resources, token)
    user_id = None if person is None else person.id
    shows_secret = request.path in _SHOWING_SECRETS
    return rate_headers(await rates.admit(bucket, request.client_address, user_id, shows_secret=shows_secret))


def _bucket_of(request: ApiRequest) -> Bucket | None:
    """What a request counts as; pages, documents and health checks are not counted.

    Passwords are counted where they are looked at (services/people/login_limits.py).
    """
    path, method = request.path, request.method
    if not path.startswith(BASE) or path.startswith(f"{BASE}/health"):
        return None
    if path in (f"{BASE}/auth/register", f"{BASE}/auth/guest"):
        return Bucket.LOGIN
    return Bucket.READING if method in ("GET", "HEAD", "OPTIONS") else Bucket.TAKING


def canonical(path: str) -> str:
    """The path under /api/v1 that an alias means: /v1/theaters and /theaters are /api/v1/theaters."""
    if path.startswith("/api/v1/"):
        return path
    if path.startswith("/v1/"):
        return f"/api{path}"
    return path if path[1:].partition("/")[0] in AT_THE_ROOT else BASE + path


def _page_of(request: ApiRequest) -> str | None:
    """The page that a browser means where programs mean a call, by what it accepts."""
    page = PAGES.get(request.path)
    if page is None or request.method not in ("GET", "HEAD") or b"authorization" in request.headers_once:
        return None
    return page if b"text/html" in request.headers_once.get(b"accept", b"") else None


def _table_of(routes: Sequence[BaseRoute], *, plain: bool) -> Table[_Entry]:
    """All operations by path and method. Raises TypeError for one that cannot be run as it is declared."""
    table: Table[_Entry] = Table()
    for route in iter_route_contexts(routes):
        if not isinstance(route.original_route, APIRoute) or route.path is None:
            continue
        operation = None if plain else Operation(route)
        largest = route.max_body_size or LARGEST_BODY
        guard = guard_of(route) if largest > LARGEST_BODY else None
        entry = _Entry(route.path, operation, scope_of(route), largest, guard)
        for method in route.methods or ():
            try:
                table.add(route.path, method, entry)
            except ValueError as unknown:
                raise TypeError(f"{method} {route.path}: {unknown}. Use plain {{parameters}}.") from None
    return table


def _others(routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """What FastAPI's routing serves beside the operations: mounted applications, plain routes. Nothing else gets there.

    What was included with a router is looked for there as a whole.
    """
    return [
        route
        for route in routes
        if not isinstance(route, APIRoute)
        and any(not isinstance(each.original_route, APIRoute) for each in iter_route_contexts([route]))
    ]


def _meant(method: str, known: Collection[str]) -> str:
    """The method whose operation is run: HEAD is a GET without its body. Raises MethodNotAllowed."""
    meant = "GET" if method == "HEAD" else method
    if meant not in known:
        raise MethodNotAllowed(sorted({*known, "HEAD"} if "GET" in known else known))
    return meant


def _measured(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else OTHER_METHODS


def _instance(scope: Scope, path: str) -> str:
    """The path as it was sent, cut where no honest path is that long."""
    raw: bytes = scope.get("raw_path") or quote(path).encode()
    return raw[:1024].decode("latin-1")
