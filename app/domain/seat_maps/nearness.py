"""Finds the free seats nearest to a seat, without looking at all seats of a theater (a k-d tree)."""

from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Final, TypeAlias

from app.domain.seats import Layout, Seat
from app.domain.values import value

_FEW: Final = 12
"""So many seats are looked at one by one."""


@value(frozen=True, slots=True)
class _Block:
    """Seats that are near each other: the rectangle around them, their slice of the order, and two halves."""

    left: float
    right: float
    front: float
    back: float
    start: int
    end: int
    halves: "tuple[_Block, ...]"

    def distance_to(self, x: float, y: float) -> float:
        """The square of the distance to the rectangle. No seat of the block is nearer, however floats are rounded."""
        aside = self.left - x if x < self.left else x - self.right if x > self.right else 0.0
        behind = self.front - y if y < self.front else y - self.back if y > self.back else 0.0
        return aside * aside + behind * behind


_Near: TypeAlias = tuple[float, int, int, _Block | None]
"""What is at a distance: a block (-1, and any number), or the seat at a position. Of equals blocks come first, for a
seat that comes earlier in the layout may be in them."""


class Nearness:
    """The seats of one layout by their places. Build it once per layout.

    The layout is halved again and again, so that seats that are near each other are together in one order.
    """

    def __init__(self, layout: Layout) -> None:
        self.seats = layout.seats
        self.xs = [seat.x for seat in layout.seats]
        self.ys = [seat.y for seat in layout.seats]
        self.order: list[int] = []
        self.house = self._block(list(range(len(layout.seats)))) if layout.seats else None
        self.place = [0] * len(layout.seats)
        for place, position in enumerate(self.order):
            self.place[position] = place

    def without(self, positions: Iterable[int]) -> "Free":
        """The free seats: all except those at these positions of the layout."""
        free = Free(self)
        for position in positions:
            free.mark(position, is_free=False)
        return free

    def _block(self, positions: list[int]) -> _Block:
        """These seats as a block; enters them into the order."""
        start = len(self.order)
        xs, ys = [self.xs[each] for each in positions], [self.ys[each] for each in positions]
        left, right, front, back = min(xs), max(xs), min(ys), max(ys)
        halves: tuple[_Block, ...] = ()
        if len(positions) <= _FEW:
            self.order += positions
        else:
            is_wide = right - left > back - front
            positions.sort(key=(self.xs if is_wide else self.ys).__getitem__)
            middle = len(positions) // 2
            halves = (self._block(positions[:middle]), self._block(positions[middle:]))
        return _Block(left, right, front, back, start, len(self.order), halves)


class Free:
    """The free seats of a theater at the moment."""

    def __init__(self, nearness: Nearness) -> None:
        self._nearness = nearness
        # One byte for each seat in the order of nearness, 1 while it is free: finding the next is left to bytes.find.
        self._house = bytearray(b"\1") * len(nearness.seats)

    def mark(self, position: int, is_free: bool) -> None:
        """Note whether the seat at this position of the layout is free."""
        self._house[self._nearness.place[position]] = is_free

    def nearest(self, seat: Seat, at_most: int) -> list[Seat]:
        """At most `at_most` free seats, the nearest to this one first; at equal distance, the first in the layout."""
        found: list[Seat] = []
        numbers = count()
        around: list[_Near] = [(0.0, -1, next(numbers), self._nearness.house)]
        while around and len(found) < at_most:
            _, position, _, block = heappop(around)
            if position >= 0:
                found.append(self._nearness.seats[position])
            elif block is not None and not block.halves:
                self._look_at_seats(block, seat, around)
            elif block is not None:
                for half in block.halves:
                    if self._house.find(1, half.start, half.end) >= 0:
                        heappush(around, (half.distance_to(seat.x, seat.y), -1, next(numbers), half))
        return found

    def _look_at_seats(self, block: _Block, seat: Seat, around: list[_Near]) -> None:
        nearness, x, y = self._nearness, seat.x, seat.y
        place = self._house.find(1, block.start, block.end)
        while place >= 0:
            position = nearness.order[place]
            aside, behind = nearness.xs[position] - x, nearness.ys[position] - y
            heappush(around, (aside * aside + behind * behind, position, 0, None))
            place = self._house.find(1, place + 1, block.end)
