"""A clerk serves batches, one after the other, over an office connection of its own."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from app.db.connections import LOST, SATURATED, OfficeConnection
from app.db.errors import is_away, refusal_for
from app.domain.refusals import Busy
from app.schemas.problems import reasons
from app.services.box_office.batch import serve, serve_unlocked
from app.services.box_office.books import NeedsLock, Overtaken
from app.services.box_office.commits import CommitBroke, Served, happened
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Latecomers, Pending

ATTEMPTS: Final = 3
LOCKS_FIRST: Final = 32


@dataclass(slots=True)
class Rivals:
    """What the clerks of an office know of other processes that want the same seats."""

    locks_first: int = 0
    """So many batches are served with a lock."""


class Clerk:
    """One per office connection. It connects when it is needed."""

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[OfficeConnection]],
        opening: Opening,
        rivals: Rivals,
    ) -> None:
        self._connect = connect
        self._opening = opening
        self._rivals = rivals
        self._line = contextlib.AsyncExitStack()
        self._connecting = asyncio.Lock()
        self.connection: OfficeConnection | None = None

    async def transact(self, batch: list[Pending], latecomers: Latecomers) -> Served:
        """Serve in one transaction. Retries after a serialization failure or a deadlock, after a lost connection, and
        when a rival was quicker.

        Raises Busy if PostgreSQL is not reachable or overloaded, or if it is unknown whether the transaction happened.
        Raises Overtaken if something is in the way each time: that is a mistake of ours, because the next attempt sees
        what rivals have written.
        """
        broke: CommitBroke | None = None
        times_overtaken = 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                connection = await self.connected()
                if broke and (served := await happened(connection, broke)):
                    return served
                broke = None
                return await self._attempt(connection, batch, latecomers)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                continue
            except Overtaken:
                times_overtaken += 1
                if times_overtaken == ATTEMPTS:
                    raise
            except CommitBroke as unknown:
                broke = unknown
                await self.hang_up()
            except LOST as lost:
                no_use = self.connection is None or self._still_answers(lost)
                if not self._still_answers(lost):
                    await self.hang_up()
                if no_use:
                    raise Busy(reasons.DATABASE_NOT_REACHABLE, outcome_unknown=broke is not None) from lost
            except SATURATED as saturated:
                await self.hang_up()
                raise Busy(reasons.DATABASE_OVERLOADED, outcome_unknown=broke is not None) from saturated
            except Exception as unforeseen:
                if broke:  # what may have happened is not done again before it is known
                    raise Busy(outcome_unknown=True) from unforeseen
                if not isinstance(unforeseen, SQLAlchemyError) or (busy := refusal_for(unforeseen)) is None:
                    raise
                if attempt == ATTEMPTS or not is_away(unforeseen):  # the pool over which a screening is opened
                    raise busy from unforeseen
        raise Busy(outcome_unknown=broke is not None)

    async def _attempt(self, connection: OfficeConnection, batch: list[Pending], latecomers: Latecomers) -> Served:
        """Serve without a lock, unless other processes have changed the same seats lately."""
        if self._rivals.locks_first > 0:
            self._rivals.locks_first -= 1
        else:
            try:
                return await serve_unlocked(connection, batch, self._opening)
            except Overtaken:
                self._rivals.locks_first = LOCKS_FIRST
            except NeedsLock:
                pass
        return await serve(connection, batch, self._opening, latecomers)

    async def connected(self) -> OfficeConnection:
        """The connection, made now if there is none. Raises what connecting raises."""
        if self.connection is not None and not self.connection.is_closed():
            return self.connection
        async with self._connecting:
            if self.connection is None or self.connection.is_closed():
                await self.hang_up()
                self.connection = await self._line.enter_async_context(self._connect())
            return self.connection

    def _still_answers(self, lost: BaseException) -> bool:
        """Did PostgreSQL itself say that it could not reach one of its nodes? Then another connection is no help."""
        is_said = isinstance(lost, asyncpg.PostgresConnectionError)
        return is_said and self.connection is not None and not self.connection.is_closed()

    async def hang_up(self) -> None:
        """Close the connection."""
        self.connection = None
        await self._line.aclose()
