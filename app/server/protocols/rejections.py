"""What a client is told whose request does not reach the application."""

import json
from http import HTTPStatus
from time import time
from typing import Final, NamedTuple
from uuid import uuid4

from app.request_log import Answered, RequestLog
from app.services.connections import Bound


class Rejection(NamedTuple):
    """What a client is told before the connection is closed."""

    status: HTTPStatus
    code: str
    detail: str

    def problem(self, request_id: str) -> bytes:
        """The body: a problem (RFC 9457)."""
        problem = {
            "type": f"/problems/{self.code}",
            "title": self.status.phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        return json.dumps(problem).encode()

    def answer(self, requests: RequestLog | None) -> bytes:
        """A whole response, which gets its line in the log of requests, if there is one."""
        request_id = str(uuid4())
        self.note(requests, request_id)
        body = self.problem(request_id)
        head = (
            f"HTTP/1.1 {self.status} {self.status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body

    def note(self, requests: RequestLog | None, request_id: str) -> None:
        """Its line in the log of requests. Method and path are nothing that can be believed."""
        if requests is not None:
            requests.add(Answered(time(), UNKNOWN, UNKNOWN, self.status, 0.0, None, request_id))


UNKNOWN: Final = "other"
"""As the edge calls methods and routes that there are not."""

_LARGE: Final = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
TOO_LARGE: Final = Rejection(
    _LARGE, "headers-too-large", "The request line and the headers are too large. Send smaller headers."
)
INVALID: Final = Rejection(HTTPStatus.BAD_REQUEST, "bad-request", "This is not valid HTTP/1.1 (RFC 9112). Correct it.")
VERSION: Final = Rejection(HTTPStatus.BAD_REQUEST, "bad-request", "The version of HTTP must be 1.1 or 1.0.")
FRAGMENT: Final = Rejection(
    HTTPStatus.BAD_REQUEST, "bad-request", "The target of a request has no fragment: leave out # and what follows it."
)
UPGRADE: Final = Rejection(
    HTTPStatus.BAD_REQUEST, "bad-request", "A WebSocket is opened with a GET of HTTP/1.1 that has no body."
)
UPGRADE_TOO_LARGE: Final = Rejection(
    _LARGE, "headers-too-large", "A WebSocket is opened with at most 100 headers, each line of at most 8,000 bytes."
)
NO_SOCKET: Final = Rejection(HTTPStatus.NOT_FOUND, "not-found", "There is no WebSocket at this path.")
NO_UPGRADE: Final = Rejection(
    HTTPStatus.UPGRADE_REQUIRED,
    "upgrade-required",
    "Connect with a WebSocket client: it sends Upgrade and Connection.",
)
FAILED: Final = Rejection(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The service failed. Connect again.")


def of_handshake(status: int, why: str) -> Rejection:
    """What the library that opens sockets says about a handshake."""
    match status:
        case HTTPStatus.FORBIDDEN:
            return NO_SOCKET
        case HTTPStatus.UPGRADE_REQUIRED:
            return NO_UPGRADE
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            return FAILED
        case _:
            return Rejection(HTTPStatus.BAD_REQUEST, "bad-request", why.strip())


NO_ROOM: Final = {
    Bound.ADDRESS: Rejection(
        HTTPStatus.TOO_MANY_REQUESTS, "rate-limited", "Too many connections from your address. Close some of them."
    ),
    Bound.PROCESS: Rejection(
        HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Too many connections are open. Connect again in a moment."
    ),
}
