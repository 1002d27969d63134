"""uvicorn's HTTP protocol with what it lacks: every phase of a connection has a deadline and a budget.

A connection waits for a head, for a body, for its answer, for the next request, or for the end; each may last only so
long. What it may fill the memory with is bounded too: the head, the requests that wait behind an answer, the bytes that
nobody reads. The application has smaller limits and explains them; these limit what is read at all.
"""

import socket
from asyncio import BaseTransport, TimerHandle, Transport
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Final, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.protocols import rejections
from app.server.protocols.in_one_piece import InOnePiece
from app.server.protocols.rejections import Rejection
from app.server.protocols.turns import turn_of
from app.server.protocols.whole_replies import Header, write_whole
from app.services.connections import Connections

HEAD_MAX: Final = 64 * 1024
HEAD_SECONDS: Final = 4.0  # from the connection, or the first byte of a later request, to the end of its headers
BODY_SECONDS: Final = 30.0  # from the headers to the end of the body; a layout has 8 MiB
ANSWER_SECONDS: Final = 60.0  # until the application begins its answer; its own deadlines are shorter
CLOSE_SECONDS: Final = 2.0  # from the last answer to the end of the connection
STALL_SECONDS: Final = 10.0  # in this time a client must read `PROGRESS` of an answer that waits for them, or the rest
PROGRESS: Final = 32 * 1024
KERNEL_BUFFER: Final = 128 * 1024
PORTION: Final = 2 * 1024
"""So much is parsed at once: no more requests than fit in it can wait behind another."""
UPGRADE_LINE_MAX: Final = 8_000
UPGRADE_HEADERS_MAX: Final = 100
_VERSIONS: Final = ("1.1", "1.0")


class _UntilItCloses(int):
    """The length of an answer that ends with its connection, as HTTP/1.0 has it: there are always more bytes to come,
    and none is missing at the end.
    """

    def __lt__(self, other: int) -> bool:
        return False

    def __sub__(self, other: int) -> "_UntilItCloses":
        return self

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


class _Flow(FlowControl):
    """Reading goes on only when nothing that was read waits."""

    def __init__(self, transport: Transport, connection: "BoundedHttp") -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if self.read_paused and not self._connection.has_more_than_it_can_take:
            super().resume_reading()


class BoundedHttp(HttpToolsProtocol):
    """One connection. Invalid HTTP and too large headers are told so in a problem; a slow client is hung up on."""

    _in_part = False  # a message has begun and is not complete
    _in_head = True
    _only_head = False  # what came last was part of a head and nothing else
    _head_size = 0
    _size = 0  # of all that came since nothing was left over: no head is larger
    _kept = b""  # was read and is not parsed yet
    _rejection = rejections.INVALID
    _waits_for = "head"
    _ends = 0.0  # when the present phase must be over, in the loop's time
    _looks_at = 0.0
    _looking: TimerHandle | None = None
    _sent = 0
    _sent_at = 0.0  # when so much was sent; 0: nothing waits to be sent
    _dropped = 0
    _address: str | None = None
    _entered: Connections | None = None
    _running: Any = None  # the cycle whose answer is being made
    _keeps_alive = False
    _is_ending = False  # nothing more is read or answered
    _is_socket = False  # it was upgraded: another protocol has the connection

    def connection_made(self, transport: BaseTransport) -> None:
        self._plain = cast(Transport, transport)
        self._turn = turn_of(self.app_state, self.loop)
        super().connection_made(cast(Transport, InOnePiece(self._plain, self.loop, self._hang_up)))
        self.flow = _Flow(self._plain, self)
        if (connected := self._plain.get_extra_info("socket")) is not None and self.client is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        self._extensions: dict[str, Any] = {"usher.abort": self._plain.abort, "usher.whole": self._write_whole}
        self._wait_for("head", HEAD_SECONDS)
        self._enter()

    def shutdown(self) -> None:
        """Tell the application that the server stops: it must end its streams, which never end by themselves."""
        if (stopping := self.app_state.get("stopping")) is not None:
            stopping()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        self._extensions.pop("usher.whole", None)  # it leads here, and from here to itself: a circle to collect
        self._is_ending = True
        self._kept = b""
        for cycle in (self._running, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()
        self._leave()
        super().connection_lost(exc)

    @property
    def has_more_than_it_can_take(self) -> bool:
        """Requests wait behind an answer, or for the next turn of the loop."""
        return bool(self.pipeline or self._kept)

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            self._drop(len(data))
        elif len(data) > PORTION or self._kept or self.pipeline:
            self._kept += data
            self._read_on()
        else:
            self._read(data)
            if self.pipeline:
                self.flow.pause_reading()

    def _read_on(self) -> None:
        """Parse what was kept, in portions, as long as nothing waits behind another and the turn lasts."""
        kept, at = self._kept, 0
        self._kept = b""
        while at < len(kept) and not (self.pipeline or self._is_socket or self._is_ending):
            if self._turn.is_over:
                self.loop.call_soon(self._read_on)
                break
            begun = perf_counter()
            self._read(kept[at : at + PORTION])
            at += PORTION
            self._turn.spend(perf_counter() - begun)
        if self._is_socket or self._is_ending:
            return
        self._kept = kept[at:] + self._kept
        if self.has_more_than_it_can_take:
            self.flow.pause_reading()
        elif self._running is None or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()

    def _read(self, data: bytes) -> None:
        self._size = self._size + len(data) if self._in_part else len(data)
        self._in_part = True
        self._only_head = self._in_head
        super().data_received(data)
        if self._is_socket or self._is_ending:
            return
        if self._only_head:
            self._head_size += len(data)
            if self._head_size > HEAD_MAX:
                self._reject(rejections.TOO_LARGE)
                return
        if self._in_part:  # what is complete will be answered soon: `_look` sees whether it was
            self._look_what_it_waits_for()

    def on_message_begin(self) -> None:
        self._in_part = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        is_socket = self.parser.should_upgrade() and self._should_upgrade()
        version = self.parser.get_http_version()
        if is_socket or self._size > HEAD_MAX or b"#" in self.url or version not in _VERSIONS:
            self._must_be_taken(version, is_socket=is_socket)
        self._in_head = False
        self._only_head = False
        self._head_size = 0
        self.scope["extensions"] = self._extensions
        super().on_headers_complete()
        if not is_socket:
            if version == "1.0":  # it has no chunks
                self.cycle.chunked_encoding, self.cycle.expected_content_length = False, _UntilItCloses()
            if not self.pipeline:
                self._running = self.cycle
            # An answer that comes before the end of the body is the last one.
            self._keeps_alive, self.cycle.keep_alive = self.cycle.keep_alive, False

    def on_message_complete(self) -> None:
        self._in_part = False
        self._in_head = True
        if self._running is not None and not self.cycle.response_started:
            self.cycle.keep_alive = self._keeps_alive
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The next request, if it is there already."""
        self.server_state.total_requests += 1
        if self._is_ending or self.transport.is_closing():
            return
        if not (self.pipeline or self._kept or self._in_part):
            self._waits_for, self._ends = "next", self.loop.time() + self.timeout_keep_alive
            if self.flow.read_paused:
                self.flow.resume_reading()
            return
        self._waits_for = ""  # a new phase, even if it has the same name
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
        if self._kept and not self.pipeline:
            self.loop.call_soon(self._read_on)
        self.flow.resume_reading()
        self._look_what_it_waits_for()

    def handle_websocket_upgrade(self) -> None:
        self._is_socket = True  # from here on the socket's own protocol keeps the time, and writes for itself
        self._look_no_more()
        self._kept = b""
        self.transport = self._plain
        super().handle_websocket_upgrade()
        opened: Any = self._plain.get_protocol()
        opened.lost = self._leave

    def _write_whole(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Answer the request whose turn it is. False: nothing was done."""
        if self._running is None or self._is_ending or self._is_socket:
            return False
        return write_whole(self._running, cast(InOnePiece, self.transport), status, headers, body)

    def send_400_response(self, msg: str) -> None:
        self._reject(self._rejection)

    def _enter(self) -> None:
        connections = self.app_state.get("connections")
        if connections is None:
            return
        self._address = connections.address_of(self.client)
        bound = connections.enter(self._address)
        if bound is None:
            self._entered = connections
        else:
            self._reject(rejections.NO_ROOM[bound])

    def _leave(self) -> None:
        if self._entered is not None:
            self._entered.leave(self._address)
            self._entered = None

    def _must_be_taken(self, version: str, *, is_socket: bool) -> None:
        """Raises ValueError for a request that is not passed on: the parser stops, and calls send_400_response."""
        if (rejection := self._rejection_of_head(version, is_socket=is_socket)) is not None:
            self._rejection = rejection
            raise ValueError(rejection.detail)

    def _rejection_of_head(self, version: str, *, is_socket: bool) -> Rejection | None:
        """Why this request is not passed on; None if it is."""
        if self._size > HEAD_MAX and self._is_head_too_large():
            return rejections.TOO_LARGE
        if version not in _VERSIONS:
            return rejections.VERSION
        if b"#" in self.url:
            return rejections.FRAGMENT
        return self._rejection_of_upgrade(version) if is_socket else None

    def _rejection_of_upgrade(self, version: str) -> Rejection | None:
        """The library that opens sockets leaves what it does not like without an answer."""
        length = [value for name, value in self.headers if name == b"content-length"]
        has_body = any(value.strip() != b"0" for value in length)
        if has_body or any(name == b"transfer-encoding" for name, _ in self.headers):
            return rejections.UPGRADE
        if version != "1.1" or self.parser.get_method() != b"GET":
            return rejections.UPGRADE
        longest = max(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > UPGRADE_HEADERS_MAX or max(longest, len(self.url)) > UPGRADE_LINE_MAX:
            return rejections.UPGRADE_TOO_LARGE
        return None

    def _reject(self, rejection: Rejection) -> None:
        """Answer with a problem, and close: what follows on this connection cannot be parsed."""
        self._in_part = True  # whatever comes behind it is dropped
        self.transport.write(rejection.answer(self.app_state.get("request_log")))
        self.transport.close()

    def _is_head_too_large(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_MAX

    # --- the phases --------------------------------------------------------------------------------------------------

    def _look_what_it_waits_for(self) -> None:
        """Whoever goes on waiting for the same has no more time than before."""
        if self.pipeline or (self._running is not None and not self._running.response_complete):
            phase, seconds = ("body", BODY_SECONDS) if self._awaits_body else ("answer", ANSWER_SECONDS)
        elif self._in_part or self._kept:
            phase, seconds = "head", HEAD_SECONDS
        else:
            phase, seconds = "next", self.timeout_keep_alive
        if phase != self._waits_for:
            self._wait_for(phase, seconds)

    @property
    def _awaits_body(self) -> bool:
        return not self.pipeline and self.cycle is self._running and bool(self.cycle.more_body)

    def _wait_for(self, phase: str, seconds: float) -> None:
        self._waits_for = phase
        self._ends = self.loop.time() + seconds
        if self._looking is None or self._ends < self._looks_at:
            self._look_at(self._ends)

    def _look_at(self, when: float) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looks_at = when
        self._looking = self.loop.call_at(when, self._look)

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look(self) -> None:
        """Is it in time? One timer, set anew only when it has rung: a request costs none."""
        self._looking = None
        if not self._is_ending:
            self._look_what_it_waits_for()
        now = self.loop.time()
        unsent = self._plain.get_write_buffer_size()
        if unsent and not self._is_being_read(now, unsent):
            self._plain.abort()
            return
        if not unsent:
            self._sent_at = 0.0
        if now >= self._ends and not unsent and not self._is_answering:
            self._end()
        if not self._plain.is_closing() or unsent:
            self._look_at(min(now + HEAD_SECONDS, max(self._ends, now + HEAD_SECONDS / 4)))

    @property
    def _is_answering(self) -> bool:
        """An answer that has begun, as a live stream, may go on for as long as it is read."""
        return self._waits_for == "answer" and self._running is not None and bool(self._running.response_started)

    def _is_being_read(self, now: float, unsent: int) -> bool:
        sent = cast(InOnePiece, self.transport).written - unsent
        if not self._sent_at or sent - self._sent >= PROGRESS:
            self._sent, self._sent_at = sent, now
        return now - self._sent_at < STALL_SECONDS

    def _end(self) -> None:
        """The time of a phase is over."""
        if self._waits_for in ("answer", "end"):
            self._plain.abort()
        else:
            self._in_part = False
            self.transport.close()

    def _hang_up(self) -> None:
        """Close, but not at once if more of a request may come: a client that still sends would lose the answer."""
        self._is_ending = True
        self._kept = b""
        if self._in_part and not self._plain.is_closing():
            self.flow.read_paused = False
            self._plain.resume_reading()
            self._plain.write_eof()
        else:
            self._plain.close()
        self._wait_for("end", CLOSE_SECONDS)

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > 16 * HEAD_MAX:
            self._plain.pause_reading()
