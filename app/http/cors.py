"""Calls from pages of other origins (CORS): Starlette's middleware, whose refusals are problems like all others."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.http.problems import problem
from app.http.request import request_id
from app.schemas.format.faults import BadRequest


class Cors(CORSMiddleware):
    """Around the edge: it answers what a browser asks before a call (preflight) by itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" and scope["method"] == "OPTIONS" else None
        if headers is None or "origin" not in headers or "access-control-request-method" not in headers:
            await super().__call__(scope, receive, send)
        else:
            await self._preflight(headers, scope["path"])(scope, receive, send)

    def _preflight(self, headers: Headers, path: str) -> Response:
        """As Starlette has it, with a request id."""
        answer = self.preflight_response(request_headers=headers)
        name = request_id(headers.get("x-request-id", "").encode("latin-1"))
        if answer.status_code == 400:
            why = f"{bytes(answer.body).decode()}. CORS_ORIGINS has the origins whose pages may call."
            kept = [each for each in answer.raw_headers if each[0].startswith((b"access-control-", b"vary"))]
            answer = problem(BadRequest(why), path, name)
            answer.raw_headers += kept
        answer.raw_headers.append((b"x-request-id", name.encode()))
        return answer
