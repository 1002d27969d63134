"""uvicorn's WebSocket protocol with what a live feed needs: frames that are made once for thousands, and limits.

The application gets the connection as the scope's extension `usher.wire`, and writes ready frames to it without
waiting. The query of a request is never logged: it may have a token. A connection that is closed gets a close frame
and a moment to answer it, then it is cut off.
"""

import logging
import random
import socket
from asyncio import BaseTransport, TimerHandle
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # uvicorn tells of every connection, and would tell its whole address

CLOSE_SECONDS: Final = 1.0
KERNEL_BUFFER: Final = 128 * 1024
UNSENT_MAX: Final = 64 * 1024
"""The most bytes of pongs that a client has not read. The application limits the messages."""
FRAGMENTS_MAX: Final = 256


class LiveSocket(WebSocketsSansIOProtocol):
    """One connection."""

    query = b""
    """The query string of the request."""
    _cut: TimerHandle | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = self.conn.logger = _log
        self.conn.debug = False  # it would write whole headers and frames into the log

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent, besides those in the kernel's buffer."""
        return self.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Send a ready frame, unless the connection is closing."""
        if not self.close_sent and not self.disconnected and not self.transport.is_closing():
            self.transport.write(frame)

    def end(self, code: int, reason: str = "") -> None:
        """Close with this code and reason (at most 123 bytes). The application gets a `websocket.disconnect`."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            self.transport.abort()
            return
        self._say_goodbye()

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if (stopping := self.app_state.get("stopping")) is not None:
            stopping()
        if not self.close_sent:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if self.close_sent and self.conn.parser_exc is not None:
            return  # what follows the mistake that we closed for
        super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.query, self.scope["query_string"] = self.scope["query_string"], b""
            self.scope["extensions"]["usher.wire"] = self  # type: ignore[assignment]  # our own

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= FRAGMENTS_MAX:
            self.end(1008, "Too many fragments.")
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.end(1007, "This is not UTF-8.")
                return
        super().send_receive_event_to_app()

    def schedule_ping(self) -> None:
        """Spread the pings: after a restart, all clients have connected at the same moment."""
        assert self.ping_interval is not None  # noqa: S101 - as uvicorn does
        delay = self.ping_interval * (0.5 + random.random() / 2)  # noqa: S311 - no secret
        self.ping_timer = self.loop.call_later(delay, self.send_keepalive_ping)

    def handle_ping(self) -> None:
        super().handle_ping()
        if self.unsent > UNSENT_MAX:
            self.transport.abort()

    def handle_parser_exception(self) -> None:
        """A frame is invalid or too large; the close frame is written already."""
        closing = self.conn.close_sent
        code, reason = (closing.code, closing.reason) if closing else (1002, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Send the close frame and wait a moment for the client's: a connection that is cut at once may lose it."""
        self.stop_keepalive()
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.frames = []
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # As long as uvicorn's own timer is there, it leaves the connection open when the application has returned.
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.close)
        self._cut = self.loop.call_later(2 * CLOSE_SECONDS, self.transport.abort)
