"""The edge: every request enters here and every answer leaves here. One layer instead of FastAPI's seven.

It names the request, refuses what HTTP itself forbids, finds the operation whatever base path was used, bounds the body,
and turns whatever was raised into a problem.
"""

import logging
import os
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.dependencies import Asked
from app.logs import request_id_of_this_task
from app.routers.operations import NotPlain, Operation
from app.routers.problems import problem
from app.routers.replies import Header, Reply
from app.routers.table import Table
from app.schemas.faults import (
    BadRequest,
    Fault,
    HeadersTooLarge,
    MethodNotAllowed,
    NoSuchPath,
    PayloadTooLarge,
    mistake,
)

log = logging.getLogger(__name__)

BASE: Final = "/api/v1"
LARGEST_HEADERS: Final = 32 * 1024
LARGEST_BODY: Final = 64 * 1024
LARGEST_LAYOUT: Final = 8 * 1024 * 1024

# Paths at the root that are not another spelling of one under /api/v1.
AT_THE_ROOT: Final = frozenset(
    ("", "api", "assets", "docs", "favicon.ico", "health", "metrics", "openapi.json", "organizer", "problems", "ws")
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

    def __init__(self, inner: ASGIApp, routes: list[BaseRoute], translate: Translate) -> None:
        self._inner = inner
        self._translate = translate
        self._table: Table[Operation | None] = Table()
        self._fill(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            if scope["type"] == "websocket":
                scope["path"] = canonical(scope["path"])
            await self._inner(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope, receive, "")
        headers = asked.headers_once
        asked.request_id = name = _request_id(headers.get(b"x-request-id"))
        request_id_of_this_task.set(name)
        signature = (b"x-request-id", name.encode())
        sending = _Sending(send, signature)
        try:
            _must_be_sound(asked)
            asked_for = scope["path"]
            scope["path"] = path = canonical(asked_for)
            reply = await self._reply(asked, path, sending)
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 - the outermost line; `problem` logs what nobody has foreseen
            if sending.started:
                log.error("broke off", exc_info=error)
                return
            known = error if isinstance(error, Fault) else self._translate(error)
            reply = problem(known or error, _instance(scope), name)
        if reply is None:
            return
        if type(reply) is Reply:
            body = b"" if scope["method"] == "HEAD" else reply.body
            await send(
                {"type": "http.response.start", "status": reply.status_code, "headers": [*reply.raw_headers, signature]}
            )
            await send({"type": "http.response.body", "body": body})
        else:
            await reply(scope, receive, sending)

    async def _reply(self, asked: Asked, path: str, sending: "_Sending") -> Response | None:
        """The operation's reply; None when the inner application has sent its own."""
        found = self._table.find(path)
        if found is None:
            await self._inner(asked.scope, _bounded(asked), sending)
            return None
        method = asked.scope["method"]
        operation = found.methods.get("GET" if method == "HEAD" else method, _MISSING)
        if operation is _MISSING:
            raise MethodNotAllowed(_allowed(found.methods))
        if operation is None:
            await self._inner(asked.scope, _bounded(asked), sending)
            return None
        allowed = _largest_body(asked)
        if operation.takes_body:
            asked.raw_body = await _whole_body(asked, allowed)
        return await operation.reply(asked, found.parameters)

    def _fill(self, routes: list[BaseRoute]) -> None:
        for route in iter_route_contexts(routes):
            operation: Operation | None
            try:
                operation = Operation(route)
            except NotPlain:
                operation = None
            for method in route.methods or ():
                self._table.add(route.path, method, operation)
