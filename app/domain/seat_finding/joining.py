"""Free seats that join a party: beside it, or as near to its wheelchair places as can be."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from app.domain.seat_finding.blocks import longest, mask_of, starts_of
from app.domain.seat_finding.picture import Picture, ones

_SPOTS: Final = 16
"""So many wheelchair places of a party are looked at; few parties have more."""


class Joining:
    """The free seats that everybody may have are given as a mask, and so many of them as are asked for are there."""

    def __init__(self, picture: Picture, general: int) -> None:
        self._picture = picture
        self._general = general
        self._bits = general.to_bytes(picture.length + 1, "little")

    def within_reach(self, party: frozenset[int], seats: int) -> frozenset[int]:
        """The free seats that may be added to the blocks of a party, none of which makes a new block."""
        reached: set[int] = set()
        for place in party:
            for way in (-1, 1):
                for step in range(1, seats + 1):
                    near = place + way * step
                    if near in party or not self._is_general(near):
                        break
                    reached.add(near)
        return frozenset(reached)

    def grown(self, party: tuple[int, ...], wheels: Iterable[int], seats: int) -> tuple[int, ...]:
        """The party with so many free seats: beside it while there are any, then in blocks as large as can be."""
        spots, chosen = sorted(wheels)[:_SPOTS], set(party)
        beside_it = [self._cost(place, 1, spots) for place in self.within_reach(frozenset(party), 1)]
        heapify(beside_it)
        while seats:
            size, start = 1, -1
            if beside_it:
                start = heappop(beside_it)[-1]
            else:
                free = self._general & ~mask_of(chosen)
                size = min(seats, longest(free))
                start = self._nearest(starts_of(free, size), size, spots)
            if start in chosen:
                continue
            chosen.update(range(start, start + size))
            seats -= size
            for near in (start - 1, start + size):
                if near not in chosen and self._is_general(near):
                    heappush(beside_it, self._cost(near, 1, spots))
        return tuple(chosen)

    def _nearest(self, starts: int, size: int, spots: Iterable[int]) -> int:
        """The first place of the block that is nearest to these wheelchair places."""
        picture, data = self._picture, starts.to_bytes(self._picture.length, "little")
        best: tuple[int, int, list[int], int] | None = None
        for home in {picture.run_of(spot) for spot in spots}:
            for least, number in picture.around(home):
                if best is not None and least * size > best[0]:
                    break
                run = picture.runs[number]
                for offset in ones(int.from_bytes(data[run.bytes], "little")):
                    candidate = self._cost(run.start + offset, size, spots)
                    best = candidate if best is None else min(best, candidate)
        return -1 if best is None else best[-1]

    def _cost(self, start: int, size: int, spots: Iterable[int]) -> tuple[int, int, list[int], int]:
        """How far a block is from these wheelchair places, and what else decides; its first place."""
        places = range(start, start + size)
        away = sum(self.away(place, spots) for place in places)
        return away, self._picture.reach(start, size), self._picture.positions(places), start

    def away(self, place: int, wheels: Iterable[int]) -> int:
        """How far a seat is from the nearest wheelchair place of the party."""
        return min(self._picture.between(place, wheel) for wheel in wheels)

    def _is_general(self, place: int) -> bool:
        return place >= 0 and self._bits[place >> 3] >> (place & 7) & 1 == 1
