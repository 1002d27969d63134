"""Seats side by side. Neighbours come from place, never from numbers (docs/api.md, section 6)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import hypot
from statistics import median_low
from typing import Final

from app.domain.seats import Layout, Seat
from app.domain.values import value

# A step wider than so many of the row's usual ones is an aisle. The last digits of floats must not make one.
AISLE: Final = 1.5 * (1 + 1e-9)


@value(frozen=True, slots=True)
class SectionLeft:
    """How many seats of a section are free, and how many of them at most are side by side."""

    name: str
    available: int
    largest_block: int


def rows_of(layout: Layout) -> tuple[tuple[Seat, ...], ...]:
    """The seats of a layout row by row, section by section, each as it comes first in the layout.

    In a row the seats stand in the order of x, then y, then their position in the layout. What has the same section and
    row is one row, wherever it stands in the layout.
    """
    rows: dict[str, dict[str, list[Seat]]] = {}
    for seat in layout.seats:
        rows.setdefault(seat.section, {}).setdefault(seat.row, []).append(seat)
    return tuple(
        tuple(sorted(row, key=lambda seat: (seat.x, seat.y))) for section in rows.values() for row in section.values()
    )


def runs_in(row: Sequence[Seat]) -> Iterator[tuple[Seat, ...]]:
    """The runs of a row that is in order: whoever sits in one can pass along it. Each two that follow each other in the
    row are neighbours, unless an aisle is between them: the first says so (`aisle_after`), or the straight-line step is
    wider than 1.5 times the row's (lower) median step.
    """
    if not row:
        return
    steps = [hypot(other.x - one.x, other.y - one.y) for one, other in pairwise(row)]
    widest = AISLE * median_low(steps) if steps else 0.0
    start = 0
    for end, step in enumerate(steps, start=1):
        if step > widest or row[end - 1].aisle_after:
            yield tuple(row[start:end])
            start = end
    yield tuple(row[start:])


def runs_of(layout: Layout) -> tuple[tuple[Seat, ...], ...]:
    """The runs of all rows of a layout, in the order of `rows_of`."""
    return tuple(run for row in rows_of(layout) for run in runs_in(row))


def neighbours_of(layout: Layout) -> tuple[tuple[int | None, int | None], ...]:
    """Of each seat, in the order of the layout, its left and right neighbours' ids; None at an aisle or end."""
    found: dict[int, tuple[int | None, int | None]] = {}
    for run in runs_of(layout):
        ids = [None, *(seat.id for seat in run), None]
        found.update((seat.id, (ids[at], ids[at + 2])) for at, seat in enumerate(run))
    return tuple(found[seat.id] for seat in layout.seats)


class Runs:
    """The runs of one layout, for counting them again and again. Build it once per layout."""

    def __init__(self, layout: Layout) -> None:
        self._position: dict[int, int] = {}
        self._sections: list[tuple[str, int, int]] = []
        # One byte for each seat, 1 while it is free, and a 0 after each run: counting is left to bytes.split.
        house = bytearray()
        for run in runs_of(layout):
            name, start = run[0].section, len(house)
            self._position.update((seat.id, start + offset) for offset, seat in enumerate(run))
            house += b"\1" * len(run) + b"\0"
            if self._sections and self._sections[-1][0] == name:
                start = self._sections.pop()[1]
            self._sections.append((name, start, len(house)))
        self._empty_house = bytes(house)

    def left(self, taken: Iterable[int]) -> "Left":
        """What is left if the seats with these ids are taken. Ids of other theaters are ignored."""
        return Left(self._position, self._sections, self._without(taken))

    def largest_block(self, taken: Iterable[int]) -> int:
        """The most seats side by side anywhere in the theater, if the seats with these ids are taken."""
        return _longest(self._without(taken))

    def _without(self, taken: Iterable[int]) -> bytearray:
        house = bytearray(self._empty_house)
        for seat_id in taken:
            position = self._position.get(seat_id)
            if position is not None:
                house[position] = 0
        return house


class Left:
    """What is left of each section. Seats come and go; only sections with changes are counted again."""

    def __init__(self, position: Mapping[int, int], sections: Sequence[tuple[str, int, int]], house: bytearray) -> None:
        self._position = position
        self._house = house
        self._bounds = sections
        self._starts = [start for _, start, _ in sections]
        self._sections = [self._count(number) for number in range(len(sections))]
        self._stale: set[int] = set()

    def mark(self, seat_id: int, is_free: bool) -> None:
        """Note whether this seat of the layout is free."""
        position = self._position[seat_id]
        self._house[position] = is_free
        self._stale.add(bisect_right(self._starts, position) - 1)

    def sections(self) -> Sequence[SectionLeft]:
        """What is left of each section, in the order of the layout."""
        while self._stale:
            number = self._stale.pop()
            self._sections[number] = self._count(number)
        return self._sections

    def _count(self, number: int) -> SectionLeft:
        name, start, end = self._bounds[number]
        return SectionLeft(name, self._house.count(1, start, end), _longest(self._house[start:end]))


def _longest(house: bytearray) -> int:
    return max(map(len, house.split(b"\0")))
