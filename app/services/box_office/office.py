"""The box office: every change of seats goes through it.

Requests that arrive during a transaction wait in its queue, and the next transaction serves all of them: a group
commit, as databases do with their log. No request waits longer than its deadline, and each gets an answer.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

import asyncpg

from app.db.connections import OfficeConnection
from app.domain.box_office.commands import Command
from app.domain.idempotency import SAME_KEY_WAITS_SECONDS, Key
from app.domain.refusals import Busy, KeyInUse, Unauthenticated
from app.schemas.problems import reasons
from app.services.box_office.answers import Answer
from app.services.box_office.clerk import Clerk, Rivals
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Pending
from app.services.box_office.queue import Queue
from app.services.news import News
from app.services.ports import Tracing
from app.services.running.measures import Measures

log = logging.getLogger(__name__)

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
        clerks: int = 1,
        measures: Measures | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`clerks`: so many batches are served side by side. More than one only if each batch is of one screening."""
        self._announce = announce
        self._tracing = tracing
        self._measures = measures or Measures()
        self._measures.watch("usher_queue_length", lambda: [((), float(len(self._queue)))])
        self._floors = opening.floors
        self._queue = Queue(
            batch_max=batch_max,
            queue_max=queue_max,
            deadline_seconds=deadline_seconds,
            one_screening_a_batch=one_screening_a_batch,
            linger_seconds=linger_seconds,
            measures=self._measures,
        )
        self._rivals = Rivals()
        self.clerks = [Clerk(connect, opening, self._rivals) for _ in range(clerks)]

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
        mark = None if self._tracing is None else self._tracing.current()
        answer = self._queue.join(screening_id, command, key, request_id, mark)
        try:
            return await answer
        finally:
            del answer  # a refusal leads here by its traceback, and would from here to itself: a circle to collect

    async def connected(self) -> OfficeConnection:
        """A connection over which seats are sold, made now if there is none. Raises what connecting raises."""
        open_ones = (each for each in self.clerks if each.connection is not None and not each.connection.is_closed())
        return await next(open_ones, self.clerks[0]).connected()

    @property
    def has_waiting(self) -> bool:
        """Whether commands are waiting for the next batch."""
        return len(self._queue) > 0

    @property
    def locks_first(self) -> int:
        """So many batches are served with a lock: somebody else wants the same seats."""
        return self._rivals.locks_first

    @locks_first.setter
    def locks_first(self, batches: int) -> None:
        self._rivals.locks_first = batches

    async def run(self) -> None:
        """Serve the queue, batch by batch, until cancelled. Commands that still wait then get a Busy."""
        try:
            async with asyncio.TaskGroup() as group:
                for clerk in self.clerks:
                    group.create_task(self._work(clerk))
        finally:
            self._queue.send_away(Busy(reasons.STOPPING))

    async def _work(self, clerk: Clerk) -> None:
        """One clerk serves batch by batch."""
        try:
            while True:
                batch = await self._queue.next_batch()
                went_well = False
                try:
                    if self._tracing is None:
                        went_well = await self._serve(clerk, batch)
                    else:
                        with self._tracing.batch(batch):
                            went_well = await self._serve(clerk, batch)
                except Exception:  # a mistake of ours must not leave anybody without an answer
                    log.exception("unhandled exception while a batch was served")
                    self._queue.settle_all(batch, [Busy(outcome_unknown=True)] * len(batch))
                self._queue.has_served(batch, went_well=went_well)
        finally:
            await clerk.hang_up()

    async def _serve(self, clerk: Clerk, batch: list[Pending], *, may_grow: bool = True) -> bool:
        """Serve a batch, and give each of its commands an answer, whatever happens. Whether PostgreSQL served it."""
        if not batch:
            return True
        latecomers = partial(self._queue.latecomers, len(batch)) if may_grow else _nobody
        began = asyncio.get_running_loop().time()
        try:
            served = await clerk.transact(batch, latecomers)
            self._measure(batch, began)
        except Busy as busy:
            self._queue.settle_all(batch, [busy] * len(batch))
            return False
        except asyncpg.LockNotAvailableError:
            return await self._serve_apart(clerk, batch, by=lambda pending: pending.screening_id)
        except asyncio.CancelledError:
            self._queue.settle_all(batch, [Busy(reasons.STOPPING, outcome_unknown=True)] * len(batch))
            raise
        except Exception as failed:  # the write failed: served one by one, only the guilty command fails
            if len(batch) > 1:
                return await self._serve_apart(clerk, batch, by=id)
            if _is_of_nobody(failed):
                self._queue.settle(batch[0], Unauthenticated(reasons.USER_GONE))
            else:
                log.exception("unhandled exception in a command", extra=batch[0].of_line)
                self._queue.settle(batch[0], failed)
        else:
            self._floors.follow(served.news, served.floors)
            self._announce(served.map_versions, lambda: self._queue.settle_all(batch, served.answers), served.news)
        return True

    def _measure(self, batch: Sequence[Pending], began: float) -> None:
        """Note a batch that was committed."""
        self._measures.batch_size.add(len(batch))
        self._measures.batch_seconds.add(asyncio.get_running_loop().time() - began)
        for pending in batch:
            self._measures.queue_seconds.add(max(began - pending.waits_since, 0.0))

    async def _serve_apart(self, clerk: Clerk, batch: list[Pending], by: Callable[[Pending], int]) -> bool:
        """Serve the parts of a batch that has failed as a whole, each in a transaction of its own."""
        parts: dict[int, list[Pending]] = {}
        for pending in batch:
            parts.setdefault(by(pending), []).append(pending)
        if len(parts) == 1:
            self._queue.settle_all(batch, [Busy(reasons.SCREENING_LOCKED)] * len(batch))
            return False
        went_well = True
        for part in parts.values():
            went_well &= await self._serve(clerk, self._queue.still_in_time(part), may_grow=False)
        return went_well


def _is_of_nobody(failed: Exception) -> bool:
    """Does the database say that somebody who takes seats does not exist? A restored backup may not know them."""
    return isinstance(failed, asyncpg.ForeignKeyViolationError) and failed.constraint_name in _SOMEBODYS


def _nobody(_: Collection[int]) -> list[Pending]:
    return []
