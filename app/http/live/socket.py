"""The live feed as a WebSocket (docs/api.md, section 9): the same messages as the stream, and clients may answer.

Every refusal is a close code after the handshake, so that scripts in browsers can read it.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from enum import IntEnum
from time import perf_counter, time
from typing import Any, Final, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from starlette.types import Receive, Scope, Send

from app.domain.people.rates import Bucket
from app.domain.refusals import Busy, Forbidden, NotFound, RateLimited, Refusal, Unauthenticated
from app.http.credentials import Credential, bearer_token, credential
from app.logs import request_id_of_this_task
from app.request_log import Answered
from app.resources import Resources
from app.schemas.format import strict
from app.schemas.format.faults import Malformed, UnsupportedMediaType
from app.schemas.format.ids import LARGEST_BIGINT
from app.schemas.live import PONG, misunderstood_json
from app.services.live.broadcast import Broadcast
from app.services.live.listeners import Ending, Message

log = logging.getLogger(__name__)

FIRST_MESSAGE_SECONDS: Final = 0.1
"""Whoever sends no token with the handshake may send it as the first message; after this they are anonymous."""
_ROUTE: Final = "/ws/screenings/{screening_id}"
_OPENED: Final = 101
CREDIT: Final = 100.0
"""Each message costs 1, one that is not understood 10; five a second come back."""
CREDIT_PER_SECOND: Final = 5.0
COST: Final = 1.0
COST_OF_NONSENSE: Final = 10.0


class Close(IntEnum):
    """Why a socket is closed."""

    BROKEN = 1011
    STOPPING = 1012
    NOT_TEXT = 1003
    NONSENSE = 1008
    FULL = 1013
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    TOO_SLOW = 4408
    TOO_MANY = 4429


_WHY: Final = {
    Ending.TOO_SLOW: (Close.TOO_SLOW, "You did not keep up. Read the map again."),
    Ending.TOKEN_ENDED: (Close.UNAUTHENTICATED, "The token has ended. Get a new one."),
    Ending.STOPPING: (Close.STOPPING, "The service is restarting. Connect again in a moment."),
}


class Wire(Protocol):
    """The connection, as websocket_protocol.LiveSocket has it."""

    query: bytes

    @property
    def unsent(self) -> int: ...
    def write(self, frame: bytes) -> None: ...
    def end(self, code: int, reason: str = "") -> None: ...


def frame(message: Message) -> bytes:
    """As a socket carries it: one unmasked text frame (RFC 6455, section 5.2)."""
    return _frame(message.json)


def _frame(text: bytes) -> bytes:
    size = len(text)
    if size < 126:
        return bytes((0x81, size)) + text
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


class Watcher:
    """Implements Listener: messages are written at once.

    What the client has not read waits in the connection's buffer.
    """

    door = "websocket"
    version = 0

    def __init__(self, wire: Wire, credential: Credential | None, most_waiting: int) -> None:
        self.user_id = credential.person.id if credential else None
        self.credential = credential
        self._wire = wire
        self._most_waiting = most_waiting

    def tell(self, message: Message) -> None:
        if self._wire.unsent > self._most_waiting:
            self.end(Ending.TOO_SLOW)
        else:
            self._wire.write(message.in_form(frame))

    def end(self, why: Ending) -> None:
        self._wire.end(*_WHY[why])

    async def check(self) -> None:
        if self.credential is None:
            return
        try:
            warning = await self.credential.warning()
        except Refusal:
            self.end(Ending.TOKEN_ENDED)
        else:
            if warning is not None:
                self.tell(warning)


class _Closed(Exception):
    """The client has disconnected, or was disconnected."""


class Door:
    """The ASGI application for sockets: one call for each connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":  # a route for sockets gets nothing else
            return
        began, name = perf_counter(), os.urandom(16).hex()
        request_id_of_this_task.set(name)
        await receive()
        offered = scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": "bearer" if "bearer" in offered else None})
        wire = cast("Wire", scope["extensions"]["usher.wire"])
        if (requests := scope["app"].state.resources.request_log) is not None:
            requests.add(Answered(time(), "GET", _ROUTE, _OPENED, perf_counter() - began, None, name))
        try:
            await _Visit(scope, receive, wire).watch()
        except _Closed:
            return
        except (Unauthenticated, Forbidden) as refused:
            wire.end(Close.UNAUTHENTICATED, refused.why)
        except NotFound:
            wire.end(Close.NOT_FOUND, "There is no such screening.")
        except RateLimited:
            wire.end(Close.TOO_MANY, "Too many connections from your address.")
        except Busy as busy:
            wire.end(Close.FULL, busy.why)
        except Exception as error:  # the outermost line, as the edge is for requests
            translated = scope["usher.translate"](error)
            if not isinstance(translated, Busy):
                log.exception("unhandled exception in a WebSocket")
            wire.end(Close.FULL if isinstance(translated, Busy) else Close.BROKEN, "The service failed. Connect again.")


class _Visit:
    """One connection, from the handshake to its end."""

    def __init__(self, scope: Scope, receive: Receive, wire: Wire) -> None:
        self._scope = scope
        self._receive = receive
        self._wire = wire
        self._resources = cast("Resources", scope["app"].state.resources)
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._credit = CREDIT
        self._credited_at = asyncio.get_running_loop().time()

    async def watch(self) -> None:
        """Serve the connection. Raises the refusals, and _Closed at the end."""
        settings = self._resources.settings
        if not _is_welcome(self._headers.get(b"origin"), self._headers.get(b"host"), settings.cors_origins):
            self._wire.end(Close.FORBIDDEN, "Pages of this origin may not connect.")
            raise _Closed
        address = self._resources.proxies.client_of(self._scope.get("client"), self._scope["headers"])
        if self._resources.rates is not None:
            await self._resources.rates.admit(Bucket.READING, address, None)
        query = _query(self._wire.query)
        screening_id = _number(self._scope["path_params"]["screening_id"], LARGEST_BIGINT)
        if not screening_id:
            raise NotFound("screening")
        since = _number(query["since"], LARGEST_BIGINT) if "since" in query else None
        if since is None and "since" in query:
            self._wire.end(Close.NONSENSE, "since must be a version, a whole number.")
            raise _Closed
        shown = await self._shown(query)
        watcher = Watcher(self._wire, shown, settings.live_buffer_kib * 1024)
        async with self._resources.live.watching(screening_id, watcher, since, address) as broadcast:
            while True:
                await self._answer(await self._next(), watcher, broadcast)

    async def _shown(self, query: dict[str, str]) -> Credential | None:
        """The token of the handshake, or of the first message; None if the client is anonymous."""
        token = _token_of(self._scope["subprotocols"], query, self._headers)
        if token is None:
            try:
                async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                    first = await self._next()
            except TimeoutError:
                return None
            token = _token_in(_parsed(first))
            if token is None:
                self._say_back(first)
                return None
        return await credential(self._resources, token)

    async def _next(self) -> str:
        """The next message of the client. Raises _Closed if it disconnects, or sends something unreadable."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            raise _Closed
        text: str | None = message.get("text")
        if text is None:
            self._wire.end(Close.NOT_TEXT, "Send text messages only.")
            raise _Closed
        return text

    async def _answer(self, text: str, watcher: Watcher, broadcast: Broadcast) -> None:
        token = _token_in(_parsed(text))
        if token is None:
            self._say_back(text)
            return
        self._spend(COST_OF_NONSENSE)
        watcher.credential = await credential(self._resources, token)
        broadcast.authenticate(watcher, watcher.credential.person.id)

    def _say_back(self, text: str) -> None:
        """Answer a message that has no token."""
        match _parsed(text):
            case {"type": "ping"}:
                self._spend(COST)
                self._wire.write(_frame(PONG))
            case {"type": "pong"}:
                self._spend(COST)
            case {"type": "authenticate"}:
                raise Unauthenticated("authenticate needs a token.")
            case {"type": _}:
                self._spend(COST_OF_NONSENSE)
                detail = "Send messages of the type authenticate, ping or pong."
                self._wire.write(_frame(misunderstood_json("unknown-type", detail)))
            case _:
                self._spend(COST_OF_NONSENSE)
                detail = "Send JSON objects with a type: authenticate, ping or pong."
                self._wire.write(_frame(misunderstood_json("not-json", detail)))

    def _spend(self, cost: float) -> None:
        """Raises _Closed if the client has sent too many messages, or too many that are not understood."""
        now = asyncio.get_running_loop().time()
        self._credit = min(CREDIT, self._credit + (now - self._credited_at) * CREDIT_PER_SECOND) - cost
        self._credited_at = now
        if self._credit < 0:
            self._wire.end(Close.NONSENSE, "Too many messages, or too many that are not understood.")
            raise _Closed


def _is_welcome(origin: bytes | None, host: bytes | None, allowed: Sequence[str]) -> bool:
    """Whether a page of this origin may connect. Programs send no origin; pages of our own host always may."""
    if origin is None:
        return True
    named = origin.decode("latin-1").lower()
    if "*" in allowed or named in (each.lower() for each in allowed):
        return True
    try:
        parts = urlsplit(named)
        port = parts.port
    except ValueError:
        return False
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    if usual is None or parts.hostname is None or host is None:
        return False
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    ours = host.decode("latin-1").lower()
    return ours == f"{name}:{port or usual}" or (ours == name and port in (None, usual))


def _query(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return {}


def _number(written: str, largest: int) -> int | None:
    """A whole number in plain decimal digits; None for anything else."""
    if not (written.isascii() and written.isdigit()) or len(written) > len(str(largest)):
        return None
    number = int(written)
    return number if number <= largest and str(number) == written else None


def _token_of(offered: Sequence[str], query: dict[str, str], headers: dict[bytes, bytes]) -> bytes | None:
    """The token of the handshake: as subprotocols `bearer, <token>`, as `?token=`, or as every other call sends it."""
    if "bearer" in offered:
        others = [each for each in offered if each != "bearer"]
        if len(others) == 1:
            return others[0].encode("latin-1", "replace")
        raise Unauthenticated("Offer the subprotocols bearer and the token.")
    if token := query.get("token"):
        return token.encode()
    return bearer_token(headers.get(b"authorization"))


def _token_in(said: Any) -> bytes | None:
    """The token of an `authenticate`."""
    match said:
        case {"type": "authenticate", "token": str(token)}:
            return token.encode("utf-8", "replace")
        case _:
            return None


def _parsed(text: str) -> Any:
    try:
        return strict.parse(text.encode())
    except (Malformed, UnsupportedMediaType, UnicodeEncodeError):
        return None
