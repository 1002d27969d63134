"""Where commands wait for a batch: all in one line, or a line for each screening."""

from collections import deque
from collections.abc import Collection
from typing import Protocol

from app.services.box_office.pending import Pending


class WaitingRoom(Protocol):
    """Commands that wait, in order of arrival. They have all the same time to wait."""

    def __len__(self) -> int: ...

    @property
    def is_ready(self) -> bool:
        """Is there a batch to be taken?"""
        ...

    def add(self, pending: Pending) -> None:
        """Somebody comes."""
        ...

    def take(self, at_most: int) -> list[Pending]:
        """The next batch. Its screenings are busy until they are freed."""
        ...

    def take_of(self, screening_ids: Collection[int], at_most: int) -> list[Pending]:
        """Whoever waits for one of these screenings, which are being served: they join their batch."""
        ...

    def free(self, screening_ids: Collection[int], *, went_well: bool | None) -> None:
        """These screenings are in no batch any more. Did it go well? None: it was not tried."""
        ...

    def take_late(self, now: float) -> list[Pending]:
        """Those whose deadline has passed, in the time of the event loop."""
        ...

    def take_all(self) -> list[Pending]:
        """Everybody."""
        ...

    @property
    def next_deadline(self) -> float | None:
        """The earliest deadline; None if nobody waits."""
        ...


class OneLine:
    """A batch is of whoever came first, whatever their screenings are. For one clerk."""

    def __init__(self) -> None:
        self._line: deque[Pending] = deque()

    def __len__(self) -> int:
        return len(self._line)

    @property
    def is_ready(self) -> bool:
        return bool(self._line)

    def add(self, pending: Pending) -> None:
        self._line.append(pending)

    def take(self, at_most: int) -> list[Pending]:
        line = self._line
        return [line.popleft() for _ in range(min(len(line), at_most))]

    def take_of(self, screening_ids: Collection[int], at_most: int) -> list[Pending]:
        joining: list[Pending] = []
        staying: deque[Pending] = deque()
        for pending in self._line:
            fits = pending.screening_id in screening_ids and len(joining) < at_most
            (joining if fits else staying).append(pending)
        self._line = staying
        return joining

    def free(self, screening_ids: Collection[int], *, went_well: bool | None) -> None:
        """Nothing was busy."""

    def take_late(self, now: float) -> list[Pending]:
        late: list[Pending] = []
        while self._line and self._line[0].deadline <= now:
            late.append(self._line.popleft())
        return late

    def take_all(self) -> list[Pending]:
        return self.take(len(self._line))

    @property
    def next_deadline(self) -> float | None:
        return self._line[0].deadline if self._line else None


class LineForEach:
    """A batch is of one screening: the one whose turn it is. A screening is never in two batches at once.

    Screenings whose last batch failed (somebody keeps one locked, the node that has it is away) have one clerk at a
    time among them: however many they are, all others are served meanwhile.
    """

    def __init__(self) -> None:
        self._lines: dict[int, deque[Pending]] = {}
        self._count = 0
        # In the order in which it is their turn. A dict without values is a set that keeps its order.
        self._turns: dict[int, None] = {}
        self._busy: set[int] = set()
        self._troubled: set[int] = set()

    def __len__(self) -> int:
        return self._count

    @property
    def is_ready(self) -> bool:
        return self._next() is not None

    def add(self, pending: Pending) -> None:
        line = self._lines.get(pending.screening_id)
        if line is None:
            line = self._lines[pending.screening_id] = deque()
            if pending.screening_id not in self._busy:
                self._turns[pending.screening_id] = None
        line.append(pending)
        self._count += 1

    def take(self, at_most: int) -> list[Pending]:
        screening_id = self._next()
        if screening_id is None:
            return []
        del self._turns[screening_id]
        self._busy.add(screening_id)
        return self.take_of((screening_id,), at_most)

    def take_of(self, screening_ids: Collection[int], at_most: int) -> list[Pending]:
        taken: list[Pending] = []
        for screening_id in screening_ids:
            line = self._lines.get(screening_id)
            while line and len(taken) < at_most:
                taken.append(line.popleft())
            if line is not None and not line:
                self._forget(screening_id)
        self._count -= len(taken)
        return taken

    def free(self, screening_ids: Collection[int], *, went_well: bool | None) -> None:
        for screening_id in screening_ids:
            self._busy.discard(screening_id)
            if went_well:
                self._troubled.discard(screening_id)
            elif went_well is not None:
                self._troubled.add(screening_id)
            if screening_id in self._lines:
                self._turns[screening_id] = None

    def take_late(self, now: float) -> list[Pending]:
        late: list[Pending] = []
        for screening_id, line in list(self._lines.items()):
            while line and line[0].deadline <= now:
                late.append(line.popleft())
            if not line:
                self._forget(screening_id)
        self._count -= len(late)
        return late

    def take_all(self) -> list[Pending]:
        everybody = [pending for line in self._lines.values() for pending in line]
        self._lines.clear()
        self._turns.clear()
        self._count = 0
        return everybody

    @property
    def next_deadline(self) -> float | None:
        return min((line[0].deadline for line in self._lines.values()), default=None)

    def _next(self) -> int | None:
        """The screening whose turn it is; None if nobody waits who can be served now."""
        if not self._troubled or self._troubled.isdisjoint(self._busy):
            return next(iter(self._turns), None)
        return next((each for each in self._turns if each not in self._troubled), None)

    def _forget(self, screening_id: int) -> None:
        """Nobody waits for it any more."""
        del self._lines[screening_id]
        self._turns.pop(screening_id, None)
