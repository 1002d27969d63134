"""Server-Sent Events: a listener with a bounded queue of messages, and the stream that sends them."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from random import randint
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.domain.refusals import Refusal
from app.http.credentials import Credential
from app.http.replies import NEVER_STORED
from app.schemas.live import resync_json
from app.services.live.listeners import Ending, Message

RETRY_MS: Final = 2_000
CUT_SECONDS: Final = 5.0
"""A reader who is too slow has so long to read why the stream ends."""

_EVENTS: Final = b"text/event-stream"


def event(message: Message) -> bytes:
    """The message as an event. Updates of seats have no event name, other messages have their type as name."""
    lines = b"data: %b\n\n" % message.json
    if message.type not in ("connection_confirmed", "bulk_seat_update"):
        lines = b"event: %b\n%b" % (message.type.encode(), lines)
    return lines if message.version is None else b"id: %d\n%b" % (message.version, lines)


class Reader:
    """Implements Listener: messages wait in a bounded queue until the stream has sent them."""

    door = "sse"
    version = 0

    def __init__(
        self, screening_id: int, credential: Credential | None, most_waiting: int, cut: Callable[[], None] | None
    ) -> None:
        """`cut` closes the connection at once, even if messages were not read yet."""
        self.user_id = credential.person.id if credential else None
        self.has_ended = False
        self.woken = asyncio.Event()
        self.will_be_cut: asyncio.TimerHandle | None = None
        self._cut = cut
        self._screening_id = screening_id
        self._credential = credential
        self._most_waiting = most_waiting
        self._waiting: deque[bytes] = deque()
        self._bytes = 0

    def tell(self, message: Message) -> None:
        if self.has_ended:
            return
        if self._bytes > self._most_waiting:
            self.end(Ending.TOO_SLOW)
            return
        told = message.in_form(event)
        self._waiting.append(told)
        self._bytes += len(told)
        self.woken.set()

    def end(self, why: Ending) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        if why is Ending.TOO_SLOW:
            told = resync_json(self._screening_id, self.version, "too_slow")
            self._waiting.clear()
            self._waiting.append(event(Message("resync", self.version, told)))
            if self._cut is not None:
                self.will_be_cut = asyncio.get_running_loop().call_later(CUT_SECONDS, self._cut)
        if why is Ending.STOPPING:  # not all of them at once
            self._waiting.append(b"retry: %d\n\n" % randint(RETRY_MS // 2, 2 * RETRY_MS))  # noqa: S311 - no secret
        self.woken.set()

    async def check(self) -> None:
        if self._credential is None:
            return
        try:
            warning = await self._credential.warning()
        except Refusal:
            self.end(Ending.TOKEN_ENDED)
        else:
            if warning is not None:
                self.tell(warning)

    def taken(self) -> bytes:
        """The waiting messages, to be sent."""
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return taken


class EventStream(Response):
    """A response that goes on until the client disconnects. At its end it closes what was opened for it."""

    media_type = "text/event-stream"

    def __init__(self, reader: Reader, opened: AsyncExitStack) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = [
            (b"content-type", _EVENTS),
            (b"cache-control", NEVER_STORED),
            (b"x-accel-buffering", b"no"),
            (b"x-content-type-options", b"nosniff"),
        ]
        self._reader = reader
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the reader gets, until the client disconnects or is disconnected."""
        async with self._opened:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await send({"type": "http.response.body", "body": b"retry: %d\n" % RETRY_MS, "more_body": True})
                async with asyncio.TaskGroup() as group:
                    waiting = group.create_task(self._wait_for_the_end(scope, receive))
                    await self._pour(send)
                    waiting.cancel()
            await send({"type": "http.response.body", "body": b""})
            if self._reader.will_be_cut is not None:
                self._reader.will_be_cut.cancel()

    async def _pour(self, send: Send) -> None:
        reader = self._reader
        while True:
            await reader.woken.wait()
            reader.woken.clear()
            if told := reader.taken():
                await send({"type": "http.response.body", "body": told, "more_body": True})
            if reader.has_ended and not reader.woken.is_set():
                return

    async def _wait_for_the_end(self, scope: Scope, receive: Receive) -> None:
        """Wait until the client disconnects."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._reader.has_ended = True
        self._reader.woken.set()
