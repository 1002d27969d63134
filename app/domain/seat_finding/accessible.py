"""Seats for wheelchair users and whoever comes along: wheelchair places, companion places beside them, then ordinary
seats that are nearest to them. Most companion places first, then the fewest blocks, then distance: that of the ordinary
seats from the wheelchair places, that of all from the focal point; then the lowest positions.

The answer is exact where one block is as good as can be, and where all that matters can be compared in `_LOOKS` looks:
in small houses, and for few people in most others. Elsewhere wheelchair places that are near each other are compared,
and ordinary seats are added block by block.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from heapq import nlargest
from itertools import combinations
from math import comb, inf
from typing import Final, NamedTuple, TypeAlias

from app.domain.seat_finding.blocks import beside, mask_of, starts_of, starts_with
from app.domain.seat_finding.joining import Joining
from app.domain.seat_finding.picture import Picture, ones
from app.domain.seat_finding.wheelchair_parties import Worth, accompanied, completed
from app.domain.seat_finding.wishes import Together, Wish

_LOOKS: Final = 50_000
_MANY: Final = 500
"""Looks take longer where so many seats come into question."""
_GROUPS: Final = 2_000
"""If wheelchair places can be taken in more ways than this, only likely ones are looked at."""
_LIKELY: Final = 16
"""So many of them; and as many ways to add seats where these are added block by block."""

_Places: TypeAlias = tuple[int, ...]


class _Rank(NamedTuple):
    """How good a choice is; the least is the best."""

    without_companion_places: int
    blocks: int
    away: int
    far: int
    positions: list[int]


class _Party(NamedTuple):
    """Wheelchair and companion places, and the seats that may be added: those within reach, None if these are too few.
    So many blocks come of it at least."""

    blocks: int
    far: int
    places: _Places
    near: frozenset[int] | None


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
        self._joining = Joining(picture, self._general)
        self._wheel_mask, self._companion_mask = fitting & picture.accessible, fitting & picture.companion
        self._wheels, self._companions = ones(self._wheel_mask), frozenset(ones(self._companion_mask))
        self._count, self._wanted = wish.count, wish.accessible
        self._others = wish.count - wish.accessible

    def rank(self, chosen: _Places) -> _Rank:
        """How good a choice is."""
        picture, all_of_them = self._picture, frozenset(chosen)
        wheels = all_of_them.intersection(self._wheels)
        companions = self._company(wheels) & all_of_them
        return _Rank(
            self._others - len(companions),
            _blocks(all_of_them),
            sum(self._joining.away(place, wheels) for place in all_of_them - wheels - companions),
            sum(picture.far[place] for place in all_of_them),
            picture.positions(all_of_them),
        )

    def blocks(self) -> list[_Places]:
        """The single blocks that such a party may have, with as many companion places as there are in one."""
        found: list[_Places] = []
        count, whole, most = self._count, (1 << self._count) - 1, 0
        starts = starts_of(self._general | self._wheel_mask | self._companion_mask, count)
        for start in ones(starts & starts_with(self._wheel_mask, count)):
            wheels = self._wheel_mask >> start & whole
            if wheels.bit_count() != self._wanted:
                continue
            company = beside(wheels) & self._companion_mask >> start & whole
            if whole & ~wheels & ~company & ~(self._general >> start):
                continue
            if company.bit_count() > most:
                most = company.bit_count()
                found.clear()
            if company.bit_count() == most:
                found.append(tuple(range(start, start + count)))
        return found

    def choices(self) -> Iterator[_Places]:
        """The choices among which the best one is; where there are very many, the likely ones."""
        if len(self._wheels) < self._wanted:
            return
        blocks = self.blocks()
        in_blocks = self._others - self.rank(blocks[0]).without_companion_places if blocks else -1
        if in_blocks == self._most_that_may_be():
            yield from blocks
            return
        likeliest = self._accompanied()
        groups = list(self._groups(likeliest))
        most = max(map(self._given, groups))
        if in_blocks == most:
            yield from blocks
        elif likeliest and most == self._others:
            yield likeliest
        else:
            yield from self._with_seats(groups, most)

    def _most_that_may_be(self) -> int:
        """No choice has more companion places."""
        each = (len(self._company((place,))) for place in self._wheels)
        return min(self._others, sum(nlargest(self._wanted, each)))

    def _accompanied(self) -> _Places:
        """The best choice of wheelchair and companion places alone; empty if that takes too long to say."""
        wheels, company = frozenset(self._wheels), self._company(self._wheels)
        if (len(wheels) + len(company)) * (self._wanted + 1) * (self._others + 1) * 2 > _LOOKS:
            return ()
        worth = Worth(self._picture, wheels | company)
        return accompanied(worth, wheels, company, self._wanted, self._others)

    def _groups(self, likeliest: _Places) -> Iterable[_Places]:
        """Wheelchair places, as many as are wished for: in all ways, or in likely ones."""
        places, between = list(self._wheels), self._picture.between
        if comb(len(places), self._wanted) <= _GROUPS:
            return combinations(places, self._wanted)
        places.sort(key=lambda place: (-self._given((place,)), self._picture.far[place]))
        likely = places[: max(_LIKELY, self._wanted) * 4]
        groups = [tuple(sorted(likely, key=partial(between, place))[: self._wanted]) for place in likely[:_LIKELY]]
        if likeliest:
            groups.append(self._among(likeliest))
        return groups

    def _among(self, places: _Places) -> _Places:
        """The wheelchair places among these."""
        return tuple(place for place in places if self._wheel_mask >> place & 1)

    def _company(self, wheels: Iterable[int]) -> frozenset[int]:
        """The free companion places beside these wheelchair places."""
        return self._companions.intersection(near for place in wheels for near in (place - 1, place + 1))

    def _given(self, group: _Places) -> int:
        return min(self._others, len(self._company(group)))

    def _with_seats(self, groups: Iterable[_Places], companions: int) -> Iterator[_Places]:
        """The groups that have so many companion places, with these, and the seats that are missing then. What makes
        more blocks than something else is left out."""
        seats = self._others - companions
        parties = [self._party(group, companions, seats) for group in groups if self._given(group) == companions]
        looks, fewest = _LOOKS, inf
        grown = max(1, _LIKELY * 8 // (seats + 1))
        free = (self._general & ~mask_of(parties[0].places)).bit_count()  # the same for all of them
        if free < seats:
            return
        for party in sorted(parties, key=lambda each: each[:2]):
            if party.blocks > fewest:
                break
            pool = free if party.near is None else len(party.near)
            cost = (pool + len(party.places)) * (seats + self._wanted + 1) * (1 + pool // _MANY)
            if cost <= looks:
                looks -= cost
                chosen = self._completed(party, seats)
            elif grown:
                grown -= 1
                chosen = self._joining.grown(party.places, self._among(party.places), seats)
            else:
                break
            fewest = min(fewest, _blocks(frozenset(chosen)))
            yield chosen

    def _party(self, group: _Places, companions: int, seats: int) -> _Party:
        """Seats within reach make the fewest blocks, if they are enough; else there is at least one block more."""
        far = self._picture.far
        places = (*group, *sorted(self._company(group), key=far.__getitem__)[:companions])
        near = self._joining.within_reach(frozenset(places), seats)
        is_enough, blocks = len(near) >= seats, _blocks(near.union(places))
        return _Party(blocks + (not is_enough), sum(map(far.__getitem__, places)), places, near if is_enough else None)

    def _completed(self, party: _Party, seats: int) -> _Places:
        """The party with as many more seats, the best of those that may be added. There must be as many."""
        pool = ones(self._general & ~mask_of(party.places)) if party.near is None else party.near
        worth = Worth(self._picture, (*party.places, *pool))
        wheels = self._among(party.places)
        needed = {place: worth.of(place) for place in party.places}
        return completed(worth, needed, {at: worth.of(at, self._joining.away(at, wheels)) for at in pool}, seats)


def _blocks(places: Collection[int]) -> int:
    return sum(place - 1 not in places for place in places)
