"""uvicorn's WebSocket protocol with what a live feed needs: frames that are made once for thousands, and limits.

The application gets the connection as the scope's extension `usher.wire`, and writes ready frames to it without
waiting. The query of a request is never logged: it may have a token. A connection that is closed gets a close frame
and a moment to answer it, then it is cut off.
"""

import logging
import random
import socket
from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.typing import StatusLike

from app.http.request import request_id
from app.schemas.problems.documented import MEDIA_TYPE as PROBLEM
from app.server.protocols import rejections
from app.server.protocols.turns import turn_of

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # uvicorn tells of every connection, and would tell its whole address

CLOSE_SECONDS: Final = 1.0
OPEN_SECONDS: Final = 10.0
"""From the request for an upgrade to the end of the handshake."""
KERNEL_BUFFER: Final = 128 * 1024
ARRIVING_MAX: Final = 8 * 1024
"""So many bytes, which Linux doubles, may have come and wait to be read: nobody has more to say at once, and what a
hundred sockets send at the same moment is copied in no time."""
UNSENT_MAX: Final = 64 * 1024
"""The most bytes of pongs that a client has not read. The application limits the messages."""
FRAGMENTS_MAX: Final = 256
PORTION: Final = 512
"""So much is parsed at once: at most 85 frames."""
CREDIT: Final = 300.0
"""A frame costs 1, whatever it is, and so does a KiB; ten a second come back."""
CREDIT_PER_SECOND: Final = 10.0
_KIB: Final = 1024


class LiveSocket(WebSocketsSansIOProtocol):
    """One connection."""

    query = b""
    """The query string of the request."""
    lost: Callable[[], None] | None = None
    """Called when the connection is gone."""
    _cut: TimerHandle | None = None
    _kept = b""  # came, and is not parsed yet

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._turn = turn_of(self.app_state, self.loop)
        self._credit = CREDIT
        self._credited_at = self.loop.time()
        self.logger = self.conn.logger = _log
        self.conn.debug = False  # it would write whole headers and frames into the log
        self._reject_plainly = self.conn.reject
        self.conn.reject = self._reject  # type: ignore[method-assign]  # its refusals become problems

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
        self._opening = self.loop.call_later(OPEN_SECONDS, self._must_be_open)
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ARRIVING_MAX)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opening.cancel()
        if self._cut is not None:
            self._cut.cancel()
        self._kept = b""
        if self.lost is not None:
            self.lost()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if (stopping := self.app_state.get("stopping")) is not None:
            stopping()
        if not self.close_sent:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:
            self._open(data)
        elif not self._is_deaf:
            self._kept += data
            self._read_on()

    @property
    def _is_deaf(self) -> bool:
        """Nothing is read after the mistake that we closed for, and after the end."""
        return self.disconnected or (self.close_sent and (self.conn.parser_exc is not None or self._credit < 0))

    def _open(self, data: bytes) -> None:
        begun = perf_counter()
        super().data_received(data)
        self._turn.spend(perf_counter() - begun)
        if not self.handshake_initiated:  # the library did not like it, and would leave it without an answer
            self.conn.data_to_send()
            self.transport.write(rejections.INVALID.answer(self.app_state.get("request_log")))
            self.transport.close()
            self._cut_soon()

    def _must_be_open(self) -> None:
        if not self.handshake_complete:
            self.transport.abort()

    def _read_on(self) -> None:
        """Parse what came in portions, each paid for before the next one, as long as the turn of the loop lasts."""
        kept, at = self._kept, 0
        self._kept = b""
        while at < len(kept) and not self._is_deaf:
            if self._turn.is_over:
                self._kept = kept[at:]
                self._read_later()
                return
            begun = perf_counter()
            portion = kept[at : at + PORTION]
            self._pay(len(portion) / _KIB)
            super().data_received(portion)
            at += PORTION
            self._turn.spend(perf_counter() - begun)

    def _read_later(self) -> None:
        """In the next turn. Nothing more is read meanwhile."""
        self.transport.pause_reading()
        self.loop.call_soon(self._read_as_before)

    def _read_as_before(self) -> None:
        if self._is_deaf or self.transport.is_closing():
            return
        if not self.read_paused:  # nor does the application have a message to take first
            self.transport.resume_reading()
        self._read_on()

    def handle_events(self) -> None:
        if self.handshake_initiated and self.conn.events:
            self._pay(len(self.conn.events))
        if self._credit >= 0:
            super().handle_events()

    def _pay(self, cost: float) -> None:
        """Close if the client has sent too much, or too many frames."""
        now = self.loop.time()
        self._credit = min(CREDIT, self._credit + (now - self._credited_at) * CREDIT_PER_SECOND) - cost
        self._credited_at = now
        if self._credit < 0:
            self.end(1008, "Too much was sent at once.")
            self.transport.pause_reading()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.query, self.scope["query_string"] = self.scope["query_string"], b""
            self.scope["extensions"]["usher.wire"] = self  # type: ignore[assignment]  # our own

    def _reject(self, status: StatusLike, text: str) -> Response:
        """The answer to a handshake that opens no socket."""
        sent = self.request.headers.get("X-Request-ID") if hasattr(self, "request") else None
        name = request_id(None if sent is None else sent.encode("latin-1", "replace"))
        rejection = rejections.of_handshake(int(status), text)
        rejection.note(self.app_state.get("request_log"), name)
        response = self._reject_plainly(rejection.status, "")
        body = rejection.problem(name)
        del response.headers["Content-Length"], response.headers["Content-Type"]
        response.headers.update({"Content-Length": str(len(body)), "Content-Type": PROBLEM, "X-Request-ID": name})
        return replace(response, body=body)

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

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_soon()

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._cut_soon()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._cut_soon()

    def _cut_soon(self) -> None:
        """Whoever does not read would keep the connection open for what was not sent yet."""
        if self._cut is None and not self.disconnected:
            self._cut = self.loop.call_later(2 * CLOSE_SECONDS, self.transport.abort)

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
        self._cut_soon()
