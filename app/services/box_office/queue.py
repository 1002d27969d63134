"""The queue of the box office: in order of arrival, with a deadline, and an answer for each command."""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from app.domain.box_office.commands import Book, Command, Confirm
from app.domain.idempotency import Key
from app.domain.refusals import Busy, Refusal
from app.schemas.problems import reasons
from app.services.box_office.answers import Answer
from app.services.box_office.pending import Pending
from app.services.box_office.waiting import LineForEach, OneLine, WaitingRoom
from app.services.running.measures import Measures

CROWD: Final = 8
LINGER_SECONDS: Final = 0.0015


_PAID_AT_ONCE: Final = (Confirm, Book)
"""What is booked with a charge that cannot fail."""


def _outcome(told: Answer | Exception) -> str:
    """How a command ended, in a word for the figures."""
    if isinstance(told, Answer):
        return "replayed" if told.replayed else "done"
    return told.code if isinstance(told, Refusal) else "error"


class Queue:
    """One per box office."""

    def __init__(
        self,
        *,
        batch_max: int,
        queue_max: int,
        deadline_seconds: float,
        one_screening_a_batch: bool,
        linger_seconds: float,
        measures: Measures,
    ) -> None:
        """`linger_seconds`: how long a batch waits for more commands while many are coming.

        Like PostgreSQL's commit_delay, for more than one worker: a batch twice as large takes a quarter less time per
        command, and while one process waits, another works (*measured*, two workers on two cores: 6,400 to 8,100
        holds/s). A process alone would only wait.
        """
        self._measures = measures
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._deadline_seconds = deadline_seconds
        self._linger_seconds = linger_seconds
        self._waiting: WaitingRoom = LineForEach() if one_screening_a_batch else OneLine()
        self._idle: deque[asyncio.Future[None]] = deque()
        """Clerks who wait for a batch."""
        self._crowd = 0
        """So many were served or waited a moment ago; most of them, it may be hoped, come again."""
        self._enough: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._with_key: dict[tuple[int, str], asyncio.Future[Answer]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def first_with(self, key: Key) -> asyncio.Future[Answer] | None:
        """The pending answer to the first request with this key; None if there is none."""
        return self._with_key.get((key.owner_id, key.value))

    def join(
        self, screening_id: int, command: Command, key: Key | None, request_id: str | None, mark: object = None
    ) -> asyncio.Future[Answer]:
        """The future answer to a command. `mark`: what it belongs to. Raises Busy if the queue is full."""
        if len(self._waiting) >= self._queue_max:
            raise Busy(reasons.QUEUE_FULL)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        now = loop.time()
        pending = Pending(screening_id, command, key, request_id, now + self._deadline_seconds, answer, now, mark)
        self._waiting.add(pending)
        if self._idle:
            self._call()
        if self._enough and len(self._waiting) >= self._crowd:
            self._let_in()
        if self._alarm is None:
            self._alarm = loop.call_at(pending.deadline, self._ring)
        if key:
            self._with_key[key.owner_id, key.value] = answer
        return answer

    async def next_batch(self) -> list[Pending]:
        """The next batch, in order of arrival. Waits until there is a command. Each clerk asks for batches of its own.

        Say `has_served` when it is served: until then its screenings are in no other batch.
        """
        while True:
            while not self._waiting.is_ready:
                await self._somebody()
            await self._linger()
            batch = self._waiting.take(self._batch_max)
            if in_time := self.still_in_time(batch):
                return in_time
            self._free(batch, went_well=None)

    def latecomers(self, count: int, screening_ids: Collection[int]) -> list[Pending]:
        """Commands for these screenings that still fit into a batch of `count`."""
        return self.still_in_time(self._waiting.take_of(screening_ids, self._batch_max - count))

    def has_served(self, batch: Sequence[Pending], *, went_well: bool = True) -> None:
        """Note that a batch was served: well, or not at all."""
        self._crowd = min(len(batch) + len(self._waiting), self._batch_max)
        self._free(batch, went_well=went_well)

    def still_in_time(self, waiting: Iterable[Pending]) -> list[Pending]:
        """Those whose deadline has not passed. The others get a Busy (timeout)."""
        now = asyncio.get_running_loop().time()
        in_time: list[Pending] = []
        for pending in waiting:
            if pending.deadline > now:
                in_time.append(pending)
            else:
                self.settle(pending, Busy(reasons.QUEUE_TIMEOUT))
        return in_time

    def settle(self, pending: Pending, told: Answer | Exception) -> None:
        """Give a command its answer, unless its caller has gone away."""
        if key := pending.key:
            owner = (key.owner_id, key.value)
            if self._with_key.get(owner) is pending.answer:
                del self._with_key[owner]
        if pending.answer.done():
            return
        self._measures.command(type(pending.command).__name__, _outcome(told))
        if isinstance(pending.command, _PAID_AT_ONCE) and isinstance(told, Answer) and told.created:
            self._measures.payments[pending.command.provider, "captured"] += not told.replayed
        if isinstance(told, Exception):
            pending.answer.set_exception(told)
        else:
            pending.answer.set_result(told)

    def settle_all(self, batch: Sequence[Pending], answers: Sequence[Answer | Exception]) -> None:
        """Give each command of a batch its answer."""
        for pending, told in zip(batch, answers, strict=True):
            self.settle(pending, told)

    def send_away(self, busy: Busy) -> None:
        """Answer all waiting commands with this Busy."""
        for pending in self._waiting.take_all():
            self.settle(pending, busy)

    async def _somebody(self) -> None:
        """Wait until somebody may be waiting for a clerk."""
        called = asyncio.get_running_loop().create_future()
        self._idle.append(called)
        try:
            await called
        finally:
            if called in self._idle:
                self._idle.remove(called)

    def _call(self) -> None:
        """One more clerk is needed, if there is a batch to be taken."""
        if not self._waiting.is_ready:
            return
        while self._idle:
            called = self._idle.popleft()
            if not called.done():
                called.set_result(None)
                return

    def _free(self, batch: Sequence[Pending], *, went_well: bool | None) -> None:
        self._waiting.free(batch, went_well=went_well)
        self._call()

    async def _linger(self) -> None:
        """Wait a moment for more commands, if there were many a moment ago."""
        if not self._linger_seconds or self._crowd < CROWD or len(self._waiting) >= self._crowd:
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
        """Answer commands whose deadline has passed at that moment, even while a batch takes long."""
        loop = asyncio.get_running_loop()
        for pending in self._waiting.take_late(loop.time()):
            self.settle(pending, Busy(reasons.QUEUE_TIMEOUT))
        next_deadline = self._waiting.next_deadline
        self._alarm = None if next_deadline is None else loop.call_at(next_deadline, self._ring)
