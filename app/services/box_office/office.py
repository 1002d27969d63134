"""The box office: every change of seats goes through it.

Requests that arrive during a transaction wait in its queue, and the next transaction serves all of them: a group
commit, as databases do with their log. No request waits longer than its deadline, and each gets an answer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

import asyncpg

from app.db.connections import LOST, SATURATED, OfficeConnection
from app.domain.box_office.commands import Command
from app.domain.idempotency import SAME_KEY_WAITS_SECONDS, Key
from app.domain.refusals import Busy, KeyInUse, Unauthenticated
from app.schemas.problems import reasons
from app.services.box_office.answers import Answer
from app.services.box_office.batch import serve, serve_unlocked
from app.services.box_office.books import NeedsLock, Overtaken
from app.services.box_office.commits import CommitBroke, Served, happened
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Latecomers, Pending
from app.services.box_office.queue import Queue
from app.services.news import News

log = logging.getLogger(__name__)

ATTEMPTS: Final = 3
LOCKS_FIRST: Final = 32
_SOMEBODYS: Final = ("reservations_user_id_fkey", "bookings_user_id_fkey")

Announce = Callable[[Mapping[int, int], Callable[[], None], Mapping[int, News]], None]
"""Announces new map versions and news, then calls back. Never blocks, never fails."""


class BoxOffice:
    """One per process. `run` serves until it is cancelled; `ask` waits for an answer."""

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[OfficeConnection]],
        opening: Opening,
        announce: Announce,
        *,
        batch_max: int,
        queue_max: int,
        deadline_seconds: float,
        one_screening_a_batch: bool = False,
        linger_seconds: float = 0.0,
    ) -> None:
        self._connect = connect
        self._opening = opening
        self._announce = announce
        self._queue = Queue(
            batch_max=batch_max,
            queue_max=queue_max,
            deadline_seconds=deadline_seconds,
            one_screening_a_batch=one_screening_a_batch,
            linger_seconds=linger_seconds,
        )
        self.locks_first = 0
        """So many batches are served with a lock: somebody else wants the same seats."""
        self._counter = contextlib.AsyncExitStack()
        self._connection: OfficeConnection | None = None

    async def ask(
        self, screening_id: int, command: Command, *, key: Key | None = None, request_id: str | None = None
    ) -> Answer:
        """The answer to a command, after its changes were committed and announced.

        If the caller goes away, the command is done all the same. Raises the Refusal of a rule; Busy if the queue is
        full, the deadline has passed or PostgreSQL is not reachable; KeyInUse if the first request with this key is
        still running.
        """
        if key and (first := self._queue.first_with(key)):
            await asyncio.wait((first,), timeout=SAME_KEY_WAITS_SECONDS)
            if not first.done():
                raise KeyInUse
        answer = self._queue.join(screening_id, command, key, request_id)
        try:
            return await answer
        finally:
            del answer  # a refusal leads here by its traceback, and would from here to itself: a circle to collect

    @property
    def has_waiting(self) -> bool:
        """Whether commands are waiting for the next batch."""
        return len(self._queue) > 0

    async def run(self) -> None:
        """Serve the queue, batch by batch, until cancelled. Commands that still wait then get a Busy."""
        try:
            while True:
                batch = await self._queue.next_batch()
                try:
                    await self._serve(batch)
                except Exception:  # a mistake of ours must not leave anybody without an answer
                    log.exception("unhandled exception while a batch was served")
                    self._queue.settle_all(batch, [Busy(outcome_unknown=True)] * len(batch))
                self._queue.has_served(len(batch))
        finally:
            self._queue.send_away(Busy(reasons.STOPPING))
            await self._hang_up()

    async def _serve(self, batch: list[Pending], *, may_grow: bool = True) -> None:
        """Serve a batch, and give each of its commands an answer, whatever happens."""
        if not batch:
            return
        latecomers = partial(self._queue.latecomers, len(batch)) if may_grow else _nobody
        try:
            served = await self._transact(batch, latecomers)
        except Busy as busy:
            self._queue.settle_all(batch, [busy] * len(batch))
        except asyncpg.LockNotAvailableError:
            await self._serve_apart(batch, by=lambda pending: pending.screening_id)
        except asyncio.CancelledError:
            self._queue.settle_all(batch, [Busy(reasons.STOPPING, outcome_unknown=True)] * len(batch))
            raise
        except Exception as failed:  # the write failed: served one by one, only the guilty command fails
            if len(batch) > 1:
                await self._serve_apart(batch, by=id)
            elif _is_of_nobody(failed):
                self._queue.settle(batch[0], Unauthenticated(reasons.USER_GONE))
            else:
                log.exception("unhandled exception in a command", extra={"request_id": batch[0].request_id})
                self._queue.settle(batch[0], failed)
        else:
            self._opening.floors.follow(served.news)
            self._announce(served.map_versions, lambda: self._queue.settle_all(batch, served.answers), served.news)

    async def _serve_apart(self, batch: list[Pending], by: Callable[[Pending], int]) -> None:
        """Serve the parts of a batch that has failed as a whole, each in a transaction of its own."""
        parts: dict[int, list[Pending]] = {}
        for pending in batch:
            parts.setdefault(by(pending), []).append(pending)
        if len(parts) == 1:
            self._queue.settle_all(batch, [Busy(reasons.SCREENING_LOCKED)] * len(batch))
            return
        for part in parts.values():
            await self._serve(self._queue.still_in_time(part), may_grow=False)

    async def _transact(self, batch: list[Pending], latecomers: Latecomers) -> Served:
        """Serve in one transaction. Retries after a serialization failure or a deadlock, after a lost connection, and
        when a rival was quicker.

        Raises Busy if PostgreSQL is not reachable or overloaded, or if it is unknown whether the transaction happened.
        Raises Overtaken if something is in the way each time: that is a mistake of ours, because the next attempt sees
        what rivals have written.
        """
        broke: CommitBroke | None = None
        times_overtaken = 0
        for _ in range(ATTEMPTS):
            try:
                connection = await self._connected()
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
                await self._hang_up()
            except LOST as lost:
                had_connection = self._connection is not None
                await self._hang_up()
                if not had_connection:
                    raise Busy(reasons.DATABASE_NOT_REACHABLE, outcome_unknown=broke is not None) from lost
            except SATURATED as saturated:
                await self._hang_up()
                raise Busy(reasons.DATABASE_OVERLOADED, outcome_unknown=broke is not None) from saturated
            except Exception as unforeseen:
                if broke:  # what may have happened is not done again before it is known
                    raise Busy(outcome_unknown=True) from unforeseen
                raise
        raise Busy(outcome_unknown=broke is not None)

    async def _attempt(self, connection: OfficeConnection, batch: list[Pending], latecomers: Latecomers) -> Served:
        """Serve without a lock, unless other processes have changed the same seats lately."""
        if self.locks_first > 0:
            self.locks_first -= 1
        else:
            try:
                return await serve_unlocked(connection, batch, self._opening)
            except Overtaken:
                self.locks_first = LOCKS_FIRST
            except NeedsLock:
                pass
        return await serve(connection, batch, self._opening, latecomers)

    async def _connected(self) -> OfficeConnection:
        if self._connection is None or self._connection.is_closed():
            await self._hang_up()
            self._connection = await self._counter.enter_async_context(self._connect())
        return self._connection

    async def _hang_up(self) -> None:
        self._connection = None
        await self._counter.aclose()


def _is_of_nobody(failed: Exception) -> bool:
    """Does the database say that somebody who takes seats does not exist? A restored backup may not know them."""
    return isinstance(failed, asyncpg.ForeignKeyViolationError) and failed.constraint_name in _SOMEBODYS


def _nobody(_: Collection[int]) -> list[Pending]:
    return []
