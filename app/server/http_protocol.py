"""uvicorn's HTTP protocol with the limits that it lacks: the size of the headers, and timeouts for header and body.

Without them one client could fill the memory with a header that never ends, and an idle connection would stay open
forever. The application has smaller limits and explains them; these limit what is read at all.
"""

import json
from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, Transport
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX: Final = 64 * 1024
HEAD_SECONDS: Final = 4.0  # from the connection, or the first byte of a later request, to the end of its headers
BODY_SECONDS: Final = 30.0  # from the headers to the end of the body; a layout has 8 MiB
_SMALLER: Final = "The request line and the headers are too large. Send smaller headers."


class InOnePiece:
    """A transport that sends the headers of a response together with its body, which uvicorn writes one by one.

    That saves a system call and a packet. Headers that are not followed by a body at once are sent alone.
    """

    __slots__ = ("_call_soon", "_head", "_transport", "_write")

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport = transport
        self._write = transport.write
        self._call_soon = loop.call_soon
        self._head = b""

    def write(self, data: bytes) -> None:
        """As asyncio.Transport.write."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._call_soon(self.flush)
            return
        self._write(data)

    def flush(self) -> None:
        """Send what is held back."""
        if self._head and not self._transport.is_closing():
            head, self._head = self._head, b""
            self._write(head)

    def close(self) -> None:
        """As asyncio.Transport.close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedHttp(HttpToolsProtocol):
    """One connection. Too large headers get a 431, invalid HTTP a 400, both as a problem; a slow client is closed."""

    _deadline: TimerHandle | None = None  # only a message that came in part has one
    _in_part = False
    _in_head = True
    _only_head = False  # what came last was part of a head and nothing else
    _head_size = 0
    _size = 0  # of all that came since nothing was left over: no head is larger

    def connection_made(self, transport: BaseTransport) -> None:
        self._plain_transport = cast(Transport, transport)
        super().connection_made(cast(Transport, InOnePiece(self._plain_transport, self.loop)))
        self._extensions = {"usher.abort": self.transport.abort}
        self._within(HEAD_SECONDS)

    def shutdown(self) -> None:
        """Tell the application that the server stops: it must end its streams, which never end by themselves."""
        if (stopping := self.app_state.get("stopping")) is not None:
            stopping()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._size = self._size + len(data) if self._in_part else len(data)
        self._in_part = True
        self._only_head = self._in_head
        super().data_received(data)
        if self._in_part and self._deadline is None and not self.transport.is_closing():
            self._within(HEAD_SECONDS if self._in_head else BODY_SECONDS)
        if self._only_head and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > HEAD_MAX:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", _SMALLER)

    def on_message_begin(self) -> None:
        self._in_part = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._size > HEAD_MAX and self._is_head_too_large():
            self._head_size = HEAD_MAX + 1
            raise ValueError("the head is too large")  # the parser stops, and send_400_response is called
        self._in_head = False
        self._only_head = False
        self._head_size = 0
        self._in_time()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]  # one of our own
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_part = False
        self._in_head = True
        self._in_time()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._in_part = False  # from here on the socket's own protocol keeps the time, and writes for itself
        self._in_time()
        self.transport = self._plain_transport
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        if self._head_size > HEAD_MAX:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", _SMALLER)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, "bad-request", "This is not valid HTTP/1.1 (RFC 9112). Correct it.")

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answer with a problem, and close: what follows on this connection cannot be parsed."""
        request_id = str(uuid4())
        problem = {
            "type": f"/problems/{code}",
            "title": status.phrase,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": request_id,
        }
        body = json.dumps(problem).encode()
        self.transport.write(
            f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        self.transport.close()

    def _is_head_too_large(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_MAX

    def _within(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        cast(BaseTransport, self.transport).close()
