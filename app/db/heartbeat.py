"""Checks all the time whether PostgreSQL is reachable. When it stops answering, all connections to it are closed.

A server that hangs does not close its connections, and a statement may wait for a lock for seconds. Only a connection
that asks for nothing can tell the two apart. So callers get an answer within about 1.5 seconds when PostgreSQL is gone;
POSTGRESQL_SILENCE_SECONDS changes that, for machines that are busy with other work.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakSet

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.connections import LOST, OfficeConnection, call, office_connection
from app.logs import POSTGRESQL, Outage, Watch
from app.settings import Settings

EVERY_SECONDS: Final = 0.2
BEAT: Final = 0.35
"""The part of that time for an answer; the rest is for a new connection, as the old one may be broken alone."""

REFUSING: Final = Outage("PostgreSQL refuses connections", "PostgreSQL takes connections again")


class Heartbeat:
    """One per process. While PostgreSQL is not reachable, new calls are refused at once."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
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
            yield connection

    async def run(self) -> None:
        """Ask, until cancelled. Not `loops.every`: all is well as long as a connection lasts."""
        with Watch() as watch:
            while True:
                try:
                    async with call(self._settings, self._call_seconds) as connection:
                        self.is_there = True
                        watch.all_is_well()
                        await _ask(connection, self._beat_seconds)
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


async def _ask(connection: OfficeConnection, beat_seconds: float) -> None:
    """Returns when there is no answer any more: the server is gone, or only this one connection."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        beat = asyncio.ensure_future(connection.execute("SELECT"))
        beat.add_done_callback(_hear)
        try:
            # Twice half the time: if it was this process that was held up, the answer is there by the second.
            for _ in range(2):
                await asyncio.wait((beat,), timeout=beat_seconds / 2)
        finally:
            beat.cancel()
        if beat.cancelled() or not beat.done() or beat.exception() is not None:
            return


def _hear(beat: "asyncio.Future[str]") -> None:
    """Retrieve the exception of an abandoned question, so that asyncio does not log it as never retrieved."""
    if not beat.cancelled():
        beat.exception()
