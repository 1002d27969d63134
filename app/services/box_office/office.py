"""The box office: every change to seats goes through this one counter.

Requests that arrive while a transaction is under way wait in its queue, and the next transaction serves all of them: a
group commit, as databases do with their log. Nobody waits longer than a deadline, and nobody is left without an answer.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final

import asyncpg

from app.db.connections import LOST, SATURATED, OfficeConnection
from app.domain.box_office.commands import Command
from app.domain.idempotency import Key
from app.domain.refusals import Busy, KeyInUse
from app.schemas.problems import reasons
from app.services.box_office.answers import Answer
from app.services.box_office.batch import NeedsLock, Overtaken, serve, serve_unlocked
from app.services.box_office.commits import CommitBroke, Served, happened
from app.services.box_office.opening import Opening
from app.services.box_office.pending import Latecomers, Pending
from app.services.news import News

log = logging.getLogger(__name__)

ATTEMPTS: Final = 3
LOCKS_FIRST: Final = 32
CROWD: Final = 8
LINGER_SECONDS: Final = 0.0015
SAME_KEY_WAITS_SECONDS: Final = 2.0

Announce = Callable[[Mapping[int, int], Callable[[], None], Mapping[int, News]], None]
"""Tell the world the new map version of screenings and their news, then call back. Never blocks, never fails."""


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
        """`linger_seconds`: so long a batch waits for more, while there is a crowd.

        As PostgreSQL's commit_delay, for who has siblings: a batch twice as large takes a quarter less of everybody's
        time, and while one process waits, another works (*measured*, two workers on two cores: 6,400 to 8,100 holds/s).
        A process alone would only wait.
        """
        self._connect = connect
        self._opening = opening
        self._announce = announce
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._deadline_seconds = deadline_seconds
        self._one_screening_a_batch = one_screening_a_batch
        self._linger_seconds = linger_seconds
        self._crowd = 0
        """So many were served or waited a moment ago; most of them, it may be hoped, come again."""
        self._enough: asyncio.Future[None] | None = None
        self.locks_first = 0
        """So many batches are served with a lock: somebody else wants the same seats."""
        self._queue: deque[Pending] = deque()
        self._arrival = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._with_key: dict[tuple[int, str], asyncio.Future[Answer]] = {}
        self._counter = contextlib.AsyncExitStack()
        self._connection: OfficeConnection | None = None

    async def ask(
        self, screening_id: int, command: Command, *, key: Key | None = None, request_id: str | None = None
    ) -> Answer:
        """The answer to a command, once what it changed is committed and announced.

        A caller who goes away does not stop the command. Raises the Refusal of a rule; Busy when the queue is full, the
        deadline has passed or PostgreSQL is away; KeyInUse when the first request with this key is still running.
        """
        owner = (key.owner_id, key.value) if key else None
        if owner and (first := self._with_key.get(owner)):
            await asyncio.wait((first,), timeout=SAME_KEY_WAITS_SECONDS)
            if not first.done():
                raise KeyInUse
        if len(self._queue) >= self._queue_max:
            raise Busy(reasons.QUEUE_FULL)
        answer = self._enqueue(screening_id, command, key, request_id)
        if owner:
            self._with_key[owner] = answer
        try:
            return await answer
        finally:
            del answer  # a refusal leads here by its traceback, and would from here to itself: a circle to collect

    @property
    def has_waiting(self) -> bool:
        """Does anybody wait for the next batch?"""
        return bool(self._queue)

    async def run(self) -> None:
        """Serve the queue, batch by batch, until cancelled; then whoever still waits is told to come again."""
        try:
            while True:
                await self._arrival.wait()
                await self._linger()
                batch = self._next_batch()
                try:
                    await self._serve(batch)
                except Exception:  # a mistake of ours must not leave anybody without an answer
                    log.exception("unhandled exception while a batch was served")
                    self._settle_all(batch, [Busy(outcome_unknown=True)] * len(batch))
                self._crowd = min(len(batch) + len(self._queue), self._batch_max)
                if not self._queue:
                    self._arrival.clear()
        finally:
            self._send_away(Busy(reasons.STOPPING))
            await self._hang_up()

    def _enqueue(
        self, screening_id: int, command: Command, key: Key | None, request_id: str | None
    ) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        pending = Pending(
            screening_id, command, key, request_id, loop.time() + self._deadline_seconds, loop.create_future()
        )
        self._queue.append(pending)
        self._arrival.set()
        if self._enough and len(self._queue) >= self._crowd:
            self._let_in()
        if self._alarm is None:
            self._alarm = loop.call_at(pending.deadline, self._ring)
        return pending.answer

    async def _linger(self) -> None:
        """Wait a moment for a crowd to be there again. Without a crowd nobody waits."""
        if not self._linger_seconds or self._crowd < CROWD or len(self._queue) >= self._crowd:
            return
        loop = asyncio.get_running_loop()
        self._enough = loop.create_future()
        alarm = loop.call_later(self._linger_seconds, self._let_in)
        try:
            await self._enough
        finally:
            self._enough = None
            alarm.cancel()

    def _let_in(self) -> None:
        if self._enough and not self._enough.done():
            self._enough.set_result(None)

    def _ring(self) -> None:
        """Whoever's deadline passes in the queue is told so at that moment, however long the counter is held up."""
        self._queue = deque(self._still_in_time(self._queue))
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_at(self._queue[0].deadline, self._ring) if self._queue else None

    def _send_away(self, busy: Busy) -> None:
        """Tell everybody in the queue to come again."""
        while self._queue:
            self._settle(self._queue.popleft(), busy)

    def _next_batch(self) -> list[Pending]:
        """Whoever waits, in order of arrival."""
        count = min(len(self._queue), self._batch_max)
        waiting = [self._queue.popleft() for _ in range(count)]
        if self._one_screening_a_batch and waiting:
            first = waiting[0].screening_id
            self._queue.extendleft(reversed([pending for pending in waiting if pending.screening_id != first]))
            waiting = [pending for pending in waiting if pending.screening_id == first]
        return self._still_in_time(waiting)

    def _latecomers(self, count: int, screening_ids: Collection[int]) -> list[Pending]:
        """Whoever waits for these screenings, and still fits into a batch of so many."""
        joining: list[Pending] = []
        staying: deque[Pending] = deque()
        for pending in self._queue:
            fits = pending.screening_id in screening_ids and count + len(joining) < self._batch_max
            (joining if fits else staying).append(pending)
        self._queue = staying
        return self._still_in_time(joining)

    async def _serve(self, batch: list[Pending], *, may_grow: bool = True) -> None:
        """Serve a batch and settle every one of its commands, whatever happens."""
        if not batch:
            return
        latecomers = partial(self._latecomers, len(batch)) if may_grow else _nobody
        try:
            served = await self._transact(batch, latecomers)
        except Busy as busy:
            self._settle_all(batch, [busy] * len(batch))
        except asyncpg.LockNotAvailableError:
            await self._serve_apart(batch, by=lambda pending: pending.screening_id)
        except asyncio.CancelledError:
            self._settle_all(batch, [Busy(reasons.STOPPING, outcome_unknown=True)] * len(batch))
            raise
        except Exception as failed:  # the write failed: served one by one, only the guilty command fails
            if len(batch) == 1:
                log.exception("unhandled exception in a command", extra={"request_id": batch[0].request_id})
                self._settle(batch[0], failed)
            else:
                await self._serve_apart(batch, by=id)
        else:
            self._announce(served.map_versions, lambda: self._settle_all(batch, served.answers), served.news)

    async def _serve_apart(self, batch: list[Pending], by: Callable[[Pending], int]) -> None:
        """Serve the parts of a batch that failed as a whole, each in a transaction of its own."""
        parts: dict[int, list[Pending]] = {}
        for pending in batch:
            parts.setdefault(by(pending), []).append(pending)
        if len(parts) == 1:
            self._settle_all(batch, [Busy(reasons.SCREENING_LOCKED)] * len(batch))
            return
        for part in parts.values():
            await self._serve(self._still_in_time(part), may_grow=False)

    async def _transact(self, batch: list[Pending], latecomers: Latecomers) -> Served:
        """Serve in one transaction. What PostgreSQL undid by itself is done again, a lost connection opened again.

        Raises Busy when PostgreSQL is away or saturated, or when it cannot be known whether the transaction happened.
        """
        broke: CommitBroke | None = None
        for _ in range(ATTEMPTS):
            try:
                connection = await self._connected()
                if broke and (served := await happened(connection, broke)):
                    return served
                broke = None
                return await self._attempt(connection, batch, latecomers)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                continue
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
        """Without a lock, unless rivals were met lately."""
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

    def _still_in_time(self, waiting: Iterable[Pending]) -> list[Pending]:
        """Those whose deadline has not passed; the others are told to come again."""
        now = asyncio.get_running_loop().time()
        in_time: list[Pending] = []
        for pending in waiting:
            if pending.deadline > now:
                in_time.append(pending)
            else:
                self._settle(pending, Busy(reasons.QUEUE_TIMEOUT))
        return in_time

    def _settle(self, pending: Pending, told: Answer | Exception) -> None:
        """Give a command its answer, unless its caller has gone away."""
        if key := pending.key:
            owner = (key.owner_id, key.value)
            if self._with_key.get(owner) is pending.answer:
                del self._with_key[owner]
        if pending.answer.done():
            return
        if isinstance(told, Exception):
            pending.answer.set_exception(told)
        else:
            pending.answer.set_result(told)

    def _settle_all(self, batch: Sequence[Pending], answers: Sequence[Answer | Exception]) -> None:
        for pending, told in zip(batch, answers, strict=True):
            self._settle(pending, told)


def _nobody(_: Collection[int]) -> list[Pending]:
    return []
