"""Seats side by side: consecutive numbers in one row of a section, without an aisle between them."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from statistics import median_low
from typing import Final

from app.domain.seats import Layout, Seat

# A gap wider than so many seat widths is an aisle.
AISLE: Final = 1.5


@dataclass(frozen=True, slots=True)
class SectionLeft:
    """How many seats of a section are free, and how many of them at most are side by side."""

    name: str
    available: int
    largest_block: int


def runs_of(layout: Layout) -> tuple[tuple[Seat, ...], ...]:
    """The seats of a layout in the longest possible runs, section by section."""
    rows: dict[str, dict[str, list[Seat]]] = {}
    for seat in layout.seats:
        rows.setdefault(seat.section, {}).setdefault(seat.row, []).append(seat)
    in_order = [sorted(row, key=lambda seat: seat.number) for section in rows.values() for row in section.values()]
    widest = AISLE * _seat_width(in_order)
    return tuple(run for row in in_order for run in _split(row, widest))


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


def _seat_width(rows: Iterable[Sequence[Seat]]) -> float:
    """The usual distance of neighbouring seats, in the plan's own unit; 0 if they have no places."""
    gaps = [gap for row in rows for one, other in pairwise(row) if _follows(one, other) and (gap := _gap(one, other))]
    return median_low(gaps) if gaps else 0.0


def _split(row: Sequence[Seat], widest: float) -> Iterable[tuple[Seat, ...]]:
    run = [row[0]]
    for one, other in pairwise(row):
        if not _follows(one, other) or _gap(one, other) > widest:
            yield tuple(run)
            run = []
        run.append(other)
    yield tuple(run)


def _follows(one: Seat, other: Seat) -> bool:
    return other.number == one.number + 1


def _gap(one: Seat, other: Seat) -> float:
    """The distance between two seats of a row. Rows at the side of a theater may lead away from the stage."""
    return hypot(other.x - one.x, other.y - one.y)
