"""Seats for wheelchair users and whoever comes along: wheelchair places, companion places beside them, then ordinary
seats that are nearest to them. Most companion places first, then the fewest blocks, then distance: that of the ordinary
seats from the wheelchair places, that of all from the focal point; then the lowest positions.

The answer is exact while the choices to compare are at most `_CHOICES`, as for few people in houses with some
wheelchair places. Elsewhere wheelchair places that are near each other are compared, and ordinary seats are added block
by block.
"""

from collections.abc import Iterator
from heapq import nsmallest
from itertools import combinations, islice
from math import comb
from typing import Final, NamedTuple

from app.domain.seat_finding.blocks import beside, block, longest, mask_of, starts_of
from app.domain.seat_finding.picture import Picture, ones
from app.domain.seat_finding.wishes import Together, Wish

_CHOICES: Final = 2_000
_PARTIES: Final = 24
"""So many ways to take wheelchair and companion places are compared where not all choices can be."""


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
    return min(choices, key=search.rank, default=None)


class _Search:
    def __init__(self, picture: Picture, fitting: int, general: int, wish: Wish) -> None:
        self._picture = picture
        self._wheels = fitting & picture.accessible
        self._companions = fitting & picture.companion
        self._general = general & ~picture.accessible
        self._wish = wish
        self._others = wish.count - wish.accessible

    def rank(self, chosen: int) -> _Rank:
        """How good a choice is."""
        picture, wheels = self._picture, chosen & self._picture.accessible
        companions = chosen & self._companions & beside(wheels)
        spots = ones(wheels)
        return _Rank(
            self._others - companions.bit_count(),
            (chosen & ~(chosen << 1)).bit_count(),
            sum(self._away(place, spots) for place in ones(chosen & ~wheels & ~companions)),
            sum(picture.far[place] for place in ones(chosen)),
            picture.positions(ones(chosen)),
        )

    def blocks(self) -> Iterator[int]:
        """All blocks that such a party may have."""
        count = self._wish.count
        for start in ones(starts_of(self._wheels | self._companions | self._general, count)):
            chosen = block(start, count)
            wheels = chosen & self._wheels
            others = chosen & ~wheels & ~self._general
            if wheels.bit_count() == self._wish.accessible and not others & ~beside(wheels):
                yield chosen

    def choices(self) -> Iterator[int]:
        """The choices with the most companion places: all of them, or the likely ones if there are very many."""
        groups = list(self._groups())
        most = max((self._given(group) for group in groups), default=0)
        seats = self._others - most
        groups = [group for group in groups if self._given(group) == most]
        parties = [party for group in groups for party in self._parties(group, most, _CHOICES // len(groups))]
        far: list[int] = []
        for party in parties:
            near = _within_reach(party, self._general & ~party, seats)
            if near.bit_count() >= seats:  # no new block is needed then
                yield from self._completed(party, near, seats, len(parties))
            else:
                far.append(party)
        if comb(self._general.bit_count(), seats) * len(far) > _CHOICES:
            far = nsmallest(_PARTIES, far, key=self.rank)
        for party in far:
            yield from self._completed(party, self._general & ~party, seats, len(far))

    def _completed(self, party: int, pool: int, seats: int, parties: int) -> Iterator[int]:
        """The party with so many seats of the pool."""
        if pool.bit_count() < seats:
            return
        if comb(pool.bit_count(), seats) * parties <= _CHOICES:
            for places in combinations(ones(pool), seats):
                yield party | mask_of(places)
        else:
            yield self._grown(party, pool, seats)

    def _groups(self) -> Iterator[int]:
        """Wheelchair places, as many as are wished for."""
        places, count = ones(self._wheels), self._wish.accessible
        if len(places) < count:
            return
        if comb(len(places), count) <= _CHOICES:
            for group in combinations(places, count):
                yield mask_of(group)
        else:
            places.sort(key=lambda place: (-self._given(1 << place), self._picture.far[place]))
            likely = places[: max(_PARTIES, count) * 4]
            for place in likely[:_PARTIES]:
                near = sorted(likely, key=lambda other: self._picture.between(place, other))
                yield mask_of(near[:count])

    def _given(self, group: int) -> int:
        return min(self._others, (self._companions & beside(group)).bit_count())

    def _parties(self, group: int, companions: int, at_most: int) -> Iterator[int]:
        """A group with so many of the companion places beside it: all ways to choose them, if they are not too many."""
        places = sorted(ones(self._companions & beside(group)), key=self._picture.far.__getitem__)
        ways = combinations(places, companions)
        for some in ways if comb(len(places), companions) <= max(at_most, 1) else islice(ways, 1):
            yield group | mask_of(some)

    def _grown(self, party: int, free: int, seats: int) -> int:
        """The party with so many of the free seats: beside it while there are any, then in large blocks."""
        spots = ones(party & self._wheels)
        while seats:
            free &= ~party
            size = 1
            starts = beside(party) & free
            if not starts:
                size = min(seats, longest(free))
                starts = starts_of(free, size)
            party |= block(self._nearest(starts, size, spots), size)
            seats -= size
        return party

    def _nearest(self, starts: int, size: int, spots: list[int]) -> int:
        """The first place of the block that is nearest to the wheelchair places of the party."""
        picture, data = self._picture, starts.to_bytes(self._picture.length, "little")
        best: tuple[int, int, list[int], int] | None = None
        for least, number in sorted((self._least(number, spots), number) for number in picture.runs_in(data)):
            if best is not None and least * size > best[0]:
                break
            run = picture.runs[number]
            for offset in ones(int.from_bytes(data[run.bytes], "little")):
                places = range(run.start + offset, run.start + offset + size)
                away = sum(self._away(place, spots) for place in places)
                rank = away, picture.reach(places.start, size), picture.positions(places), places.start
                best = rank if best is None else min(best, rank)
        return -1 if best is None else best[-1]

    def _least(self, number: int, spots: list[int]) -> int:
        """No seat of this run is nearer to the nearest of the wheelchair places."""
        xs, ys = self._picture.xs, self._picture.ys
        return min(self._picture.away_from_run(number, (xs[at], xs[at], ys[at], ys[at])) for at in spots)

    def _away(self, place: int, spots: list[int]) -> int:
        """How far a seat is from the nearest wheelchair place of the party."""
        return min(self._picture.between(place, spot) for spot in spots)


def _within_reach(party: int, free: int, seats: int) -> int:
    """The free seats that can be added to the blocks of a party, none of which makes a new block. If these are enough,
    the fewest blocks are made of them."""
    reached = party
    for _ in range(seats):
        reached |= beside(reached) & free
    return reached & ~party
