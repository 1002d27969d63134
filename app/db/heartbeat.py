"""Is PostgreSQL there? One connection asks it all the time; when it does not answer, every call to it is hung up.

A server that hangs does not say so, and a statement may rightly wait for seconds, for a lock: only somebody who asks
for nothing can tell the two apart. So whoever waits for a server that is gone is told within one and a half seconds,
or whatever POSTGRESQL_SILENCE_SECONDS makes of it: on a machine that is busy with other things, silence means less.
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
"""For this part of that time an answer is waited for, for the rest a new connection: the old one may be dead alone."""

REFUSING: Final = Outage("PostgreSQL refuses connections", "PostgreSQL takes connections again")


class Heartbeat:
    """One per process. While PostgreSQL is gone, calls are refused instead of waited for."""

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
        """As connections.office_connection. Raises ConnectionRefusedError at once while PostgreSQL is gone."""
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
                    watch.meet(POSTGRESQL, "whoever waits for it is told to come again")
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
            raise ConnectionRefusedError("PostgreSQL does not answer")


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
    """An answer that nobody waits for any more is no error that nobody heard of."""
    if not beat.cancelled():
        beat.exception()
