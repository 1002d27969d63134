"""Seats for wheelchair users and whoever comes along: wheelchair places, companion places beside them, then ordinary
seats that are nearest to them. Most companion places first, then the fewest blocks, then distance: that of the ordinary
seats from the wheelchair places, that of all from the focal point; then the lowest positions.

The answer is exact while the choices to compare are at most `_CHOICES`, as for few people in houses with some
wheelchair places. Elsewhere wheelchair places that are near each other are compared, and ordinary seats are added block
by block.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from heapq import nsmallest
from itertools import combinations, islice
from math import comb
from typing import Final, NamedTuple, TypeAlias

from app.domain.seat_finding.blocks import longest, mask_of, starts_of
from app.domain.seat_finding.picture import Picture, ones
from app.domain.seat_finding.wishes import Together, Wish

_CHOICES: Final = 2_000
_PARTIES: Final = 16
"""So many ways to take wheelchair and companion places are compared where not all choices can be."""

_Places: TypeAlias = tuple[int, ...]


class _Rank(NamedTuple):
    """How good a choice is; the least is the best."""

    without_companion_places: int
    blocks: int
    away: int
    far: int
    positions: list[int]


def with_wheelchair_places(picture: Picture, fitting: int, general: int, wish: Wish) -> int | None:
    """The mask of the best choice, or None.

    `fitting` are all free seats of the kind that is wished for, `general` those of them that everybody may have.
    """
    search = _Search(picture, fitting, general, wish)
    choices = search.blocks() if wish.together is Together.REQUIRED else search.choices()
    best = min(choices, key=search.rank, default=None)
    return None if best is None else mask_of(best)


class _Search:
    def __init__(self, picture: Picture, fitting: int, general: int, wish: Wish) -> None:
        self._picture = picture
        self._general = general & ~picture.accessible
        self._bits = self._general.to_bytes(picture.length + 1, "little")
        self._wheels = frozenset(ones(fitting & picture.accessible))
        self._companions = frozenset(ones(fitting & picture.companion))
        self._count, self._wanted = wish.count, wish.accessible
        self._others = wish.count - wish.accessible

    def rank(self, chosen: _Places) -> _Rank:
        """How good a choice is."""
        picture, all_of_them = self._picture, frozenset(chosen)
        wheels = all_of_them & self._wheels
        companions = self._company(wheels) & all_of_them
        return _Rank(
            self._others - len(companions),
            sum(place - 1 not in all_of_them for place in all_of_them),
            sum(self._away(place, wheels) for place in all_of_them - wheels - companions),
            sum(picture.far[place] for place in all_of_them),
            picture.positions(all_of_them),
        )

    def blocks(self) -> Iterator[_Places]:
        """All blocks that such a party may have."""
        starts = {wheel - before for wheel in self._wheels for before in range(self._count)}
        for start in starts:
            chosen = tuple(range(start, start + self._count))
            wheels = self._wheels.intersection(chosen)
            company = self._company(wheels)
            if len(wheels) == self._wanted and all(
                place in wheels or place in company or self._is_general(place) for place in chosen
            ):
                yield chosen

    def choices(self) -> Iterator[_Places]:
        """The choices with the most companion places: all of them, or the likely ones if there are very many."""
        groups = list(self._groups())
        most = max(map(self._given, groups), default=0)
        seats = self._others - most
        groups = [group for group in groups if self._given(group) == most]
        parties = [party for group in groups for party in self._parties(group, most, _CHOICES // len(groups))]
        apart: list[_Places] = []
        for party in parties:
            near = self._within_reach(party, seats)
            if len(near) >= seats:  # no new block is needed then
                yield from self._completed(party, near, seats, len(parties))
            else:
                apart.append(party)
        can_compare_all = comb(self._general.bit_count(), seats) * len(apart) <= _CHOICES
        for party in apart if can_compare_all else nsmallest(_PARTIES, apart, key=self.rank):
            free = self._general & ~mask_of(party)
            if can_compare_all:
                yield from self._completed(party, ones(free), seats, len(apart))
            elif free.bit_count() >= seats:
                yield self._grown(party, seats)

    def _groups(self) -> Iterator[_Places]:
        """Wheelchair places, as many as are wished for."""
        places, between = sorted(self._wheels), self._picture.between
        if len(places) < self._wanted:
            return
        if comb(len(places), self._wanted) <= _CHOICES:
            yield from combinations(places, self._wanted)
        else:
            places.sort(key=lambda place: (-self._given((place,)), self._picture.far[place]))
            likely = places[: max(_PARTIES, self._wanted) * 4]
            for place in likely[:_PARTIES]:
                yield tuple(sorted(likely, key=partial(between, place))[: self._wanted])

    def _company(self, wheels: Iterable[int]) -> frozenset[int]:
        """The free companion places beside these wheelchair places."""
        return self._companions.intersection(near for place in wheels for near in (place - 1, place + 1))

    def _given(self, group: _Places) -> int:
        return min(self._others, len(self._company(group)))

    def _parties(self, group: _Places, companions: int, at_most: int) -> Iterator[_Places]:
        """A group with so many of the companion places beside it: all ways to choose them, if they are not too many."""
        places = sorted(self._company(group), key=self._picture.far.__getitem__)
        ways = combinations(places, companions)
        for some in ways if comb(len(places), companions) <= max(at_most, 1) else islice(ways, 1):
            yield group + some

    def _within_reach(self, party: _Places, seats: int) -> list[int]:
        """The free seats that can be added to the blocks of a party, none of which makes a new block. If these are
        enough, the fewest blocks are made of them."""
        reached: set[int] = set()
        for place in party:
            for way in (-1, 1):
                for step in range(1, seats + 1):
                    near = place + way * step
                    if near in party or not self._is_general(near):
                        break
                    reached.add(near)
        return sorted(reached)

    def _completed(self, party: _Places, pool: Sequence[int], seats: int, parties: int) -> Iterator[_Places]:
        """The party with so many seats of the pool."""
        if comb(len(pool), seats) * parties <= _CHOICES:
            for some in combinations(pool, seats):
                yield party + some
        else:
            yield self._grown(party, seats)

    def _grown(self, party: _Places, seats: int) -> _Places:
        """The party with so many free seats: beside it while there are any, then in blocks as large as can be."""
        spots = self._wheels.intersection(party)
        while seats:
            near = self._within_reach(party, 1)
            size = 1
            if near:
                start = min(near, key=lambda place: self._cost(place, 1, spots))
            else:
                free = self._general & ~mask_of(party)
                size = min(seats, longest(free))
                start = self._nearest(starts_of(free, size), size, spots)
            party += tuple(range(start, start + size))
            seats -= size
        return party

    def _nearest(self, starts: int, size: int, spots: frozenset[int]) -> int:
        """The first place of the block that is nearest to the wheelchair places of the party."""
        picture, data = self._picture, starts.to_bytes(self._picture.length, "little")
        best: tuple[tuple[int, int, list[int]], int] | None = None
        for home in {picture.run_of(spot) for spot in spots}:
            for least, number in picture.around(home):
                if best is not None and least * size > best[0][0]:
                    break
                run = picture.runs[number]
                for offset in ones(int.from_bytes(data[run.bytes], "little")):
                    candidate = self._cost(run.start + offset, size, spots), run.start + offset
                    best = candidate if best is None else min(best, candidate)
        return -1 if best is None else best[-1]

    def _cost(self, start: int, size: int, spots: frozenset[int]) -> tuple[int, int, list[int]]:
        places = range(start, start + size)
        away = sum(self._away(place, spots) for place in places)
        return away, self._picture.reach(start, size), self._picture.positions(places)

    def _away(self, place: int, spots: frozenset[int]) -> int:
        """How far a seat is from the nearest wheelchair place of the party."""
        return min(self._picture.between(place, spot) for spot in spots)

    def _is_general(self, place: int) -> bool:
        return place >= 0 and self._bits[place >> 3] >> (place & 7) & 1 == 1
