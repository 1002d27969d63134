"""Checks all the time whether PostgreSQL is reachable. When it stops answering, all connections to it are closed.

A server that hangs does not close its connections, and a statement may wait for a lock for seconds. Only a connection
that asks for nothing can tell the two apart. So callers get an answer within about 1.5 seconds when PostgreSQL is gone;
POSTGRESQL_SILENCE_SECONDS changes that, for machines that are busy with other work.

Only time in which this process listens counts as silence. While its loop is held up, the answer may have come long ago.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar
from weakref import WeakSet

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.connections import LOST, OfficeConnection, call, office_connection
from app.db.fitness import still_writes
from app.outages import POSTGRESQL, READ_ONLY, Outage, Watch
from app.settings import Settings

EVERY_SECONDS: Final = 0.2
BEAT: Final = 0.35
"""The part of that time for an answer; the rest is for a new connection, as the old one may be broken alone."""

START_SECONDS: Final = 30.0
"""So long a process that starts waits for PostgreSQL."""

STEPS: Final = 10
"""The time for an answer is waited for in so many steps."""
HELD_UP: Final = 3.0
"""A step that took this many times as long as it should does not count: nobody listened."""
STEPS_AT_MOST: Final = 3 * STEPS
"""After so many steps the answer would have been read, however busy the loop is."""

T = TypeVar("T")

CALL_SECONDS: Final = 60.0
"""A call that is waited for in steps has no other end than theirs; this is for a loop that stands still."""

REFUSING: Final = Outage("PostgreSQL refuses connections", "PostgreSQL takes connections again")


class Heartbeat:
    """One per process. While PostgreSQL is not reachable, new calls are refused at once."""

    def __init__(
        self,
        settings: Settings,
        engine: AsyncEngine,
        watch: Callable[[OfficeConnection], None] | None = None,
    ) -> None:
        """`watch` is called with each office connection that is opened."""
        self._settings = settings
        self._watch = watch
        self._calls: WeakSet[OfficeConnection] = WeakSet()
        self._beat_seconds = BEAT * settings.postgresql_silence_seconds
        self._call_seconds = settings.postgresql_silence_seconds - self._beat_seconds
        self.is_there = True
        event.listen(engine.sync_engine, "do_connect", lambda *_: self._must_be_there())
        event.listen(engine.sync_engine, "connect", lambda made, _: self._calls.add(made.driver_connection))

    @asynccontextmanager
    async def office_connection(self) -> AsyncIterator[OfficeConnection]:
        """As `connections.office_connection`. Raises ConnectionRefusedError at once if PostgreSQL is not reachable."""
        self._must_be_there()
        async with office_connection(self._settings) as connection:
            self._calls.add(connection)
            if self._watch is not None:
                self._watch(connection)
            yield connection

    async def run(self) -> None:
        """Ask, until cancelled. Not `loops.every`: all is well as long as a connection lasts."""
        with Watch() as watch, Watch() as writable:
            while True:
                try:
                    async with AsyncExitStack() as stack:
                        called = stack.enter_async_context(call(self._settings, CALL_SECONDS))
                        connection = await _within(self._call_seconds, called)
                        self.is_there = True
                        watch.all_is_well()
                        await _ask(connection, self._beat_seconds, writable)
                except LOST:
                    watch.meet(POSTGRESQL, "requests that wait for it are refused")
                    self._hang_up()
                    await asyncio.sleep(EVERY_SECONDS)
                except asyncpg.PostgresError as refused:  # it is there, if only to say: no more connections
                    watch.meet(REFUSING, type(refused).__name__)
                    await asyncio.sleep(EVERY_SECONDS)

    def _hang_up(self) -> None:
        self.is_there = False
        for connection in list(self._calls):
            connection.terminate()

    def _must_be_there(self) -> None:
        if not self.is_there:
            raise ConnectionRefusedError("PostgreSQL is not reachable")


async def wait_for_postgresql(settings: Settings) -> None:
    """Wait until it takes connections, but for no longer than a start may take: it may be starting again itself.

    Who starts meanwhile in the place of a process that ended with it need not end too.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + START_SECONDS
    with Watch() as watch:
        while loop.time() < end:
            try:
                async with call(settings):
                    watch.all_is_well()
                    return
            except LOST:
                watch.meet(POSTGRESQL, f"waiting for it, for {START_SECONDS:.0f} s at most")
            except asyncpg.PostgresError:  # it is there; what it has to say, the first who needs it hears
                return
            await asyncio.sleep(EVERY_SECONDS)


async def _ask(connection: OfficeConnection, beat_seconds: float, writable: Watch) -> None:
    """Returns when there is no answer any more: the server is gone, or only this one connection."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            may_write = await _within(beat_seconds, still_writes(connection))
        except (*LOST, asyncpg.PostgresError):  # a new connection tells whether the server is there
            return
        if may_write:
            writable.all_is_well()
        else:
            writable.meet(READ_ONLY, "a standby, or default_transaction_read_only is on")


async def _within(seconds: float, asked: Coroutine[Any, Any, T]) -> T:
    """What is answered in this time. Raises TimeoutError, and what was raised.

    The time is that of a loop that listens: steps that took far too long are not counted.
    """
    answer = asyncio.ensure_future(asked)
    step = seconds / STEPS
    left = STEPS
    loop = asyncio.get_running_loop()
    try:
        for _ in range(STEPS_AT_MOST):
            begun = loop.time()
            await asyncio.wait((answer,), timeout=step)
            if answer.done():
                return answer.result()
            if loop.time() - begun < HELD_UP * step:
                left -= 1
                if not left:
                    break
        raise TimeoutError
    finally:
        answer.cancel()
        answer.add_done_callback(_hear)


def _hear(answer: "asyncio.Future[Any]") -> None:
    """Retrieve the exception of an abandoned question, so that asyncio does not log it as never retrieved."""
    if not answer.cancelled():
        answer.exception()
