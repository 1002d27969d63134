"""Wheelchair places and who sits there too: the best of all ways to choose, found place by place.

How good a choice is, is one whole number, and the least is the best: fewest blocks, then how far the ordinary seats are
from the wheelchair places, then how far all are from the focal point, then the lowest positions. It is a sum over the
chosen places. So of all ways to choose up to some place that can go on alike, only the best has to be remembered.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from typing import Final, TypeAlias

from app.domain.seat_finding.picture import Picture, ones

_BITS: Final = 64
"""More than a sum of distances has."""


class Worth:
    """What each place adds to that number, for choices among these places."""

    def __init__(self, picture: Picture, places: Iterable[int]) -> None:
        self._far = picture.far
        self._places = sorted(places, key=picture.position.__getitem__, reverse=True)
        self._bit = {place: 1 << at for at, place in enumerate(self._places)}
        self._size = len(self._places)
        self.block = 1 << self._size + 2 * _BITS
        """What a new block adds."""

    def of(self, place: int, away: int = 0) -> int:
        """What a place adds that is so far away from the wheelchair places."""
        return ((away << _BITS) + self._far[place] << self._size) - self._bit[place]

    def chosen(self, worth: int) -> tuple[int, ...]:
        """The places of a choice, which its number tells."""
        return tuple(self._places[at] for at in ones(-worth & (1 << self._size) - 1))


class _Last(IntEnum):
    """Who sits at the place before the next one."""

    NOBODY = 0
    WHEELCHAIR = 1
    BESIDE_ONE = 2
    NEEDS_ONE = 3
    """Company that is beside a wheelchair place only if the next one is."""


_Ways: TypeAlias = dict[tuple[int, int, _Last], int]
"""By how many wheelchair and companion places are chosen, and who sits last: the least number."""


def accompanied(
    worth: Worth, wheels: Collection[int], companions: Collection[int], wanted: int, at_most: int
) -> tuple[int, ...]:
    """So many wheelchair places with the most companion places beside them, but at most so many; of these choices the
    best. Empty if there are not enough wheelchair places.
    """
    ways: _Ways = {(0, 0, _Last.NOBODY): 0}
    before = -1
    for place in sorted((*wheels, *companions)):
        if place != before + 1:
            ways = _with_nobody(ways)
        ways = _with_or_without(ways, worth, place, wanted if place in wheels else None, at_most)
        before = place
    ends = ((-company, least) for (taken, company, _), least in _with_nobody(ways).items() if taken == wanted)
    best = min(ends, default=None)
    return () if best is None else worth.chosen(best[1])


def completed(worth: Worth, needed: Mapping[int, int], others: Mapping[int, int], seats: int) -> tuple[int, ...]:
    """All places that are needed, and so many others: the best choice. Empty if there are not as many others.

    Both say of each place what it adds.
    """
    never = worth.block << _BITS
    nobody = [never] * (seats + 1)
    free, sitting = [0, *nobody[1:]], nobody  # by how many others are chosen: nobody sits last, or somebody does
    before = -1
    for place in sorted((*needed, *others)):
        if place != before + 1:
            free, sitting = list(map(min, free, sitting)), nobody
        before = place
        is_needed = place in needed
        its = needed[place] if is_needed else others[place]
        more = [min(one, other + worth.block) + its for one, other in zip(sitting, free, strict=True)]
        if is_needed:
            free, sitting = nobody, more
        else:
            free, sitting = list(map(min, free, sitting)), [never, *more[:-1]]
    best = min(free[-1], sitting[-1])
    return worth.chosen(best) if best < never else ()


def _with_nobody(ways: _Ways) -> _Ways:
    """Nobody sits at the next place, or there is none."""
    found: _Ways = {}
    for (taken, company, last), least in ways.items():
        if last is not _Last.NEEDS_ONE:
            _keep(found, (taken, company, _Last.NOBODY), least)
    return found


def _with_or_without(ways: _Ways, worth: Worth, place: int, wanted: int | None, at_most: int) -> _Ways:
    """Somebody sits at the next place or not. `wanted`: it is a wheelchair place, of which so many are taken; None: it
    is for company, of which at most so many are."""
    found, its = _with_nobody(ways), worth.of(place)
    for (taken, company, last), least in ways.items():
        here = least + its + (worth.block if last is _Last.NOBODY else 0)
        if wanted is not None:
            if taken < wanted:
                _keep(found, (taken + 1, company, _Last.WHEELCHAIR), here)
        elif company < at_most and last is not _Last.NEEDS_ONE:
            after = _Last.BESIDE_ONE if last is _Last.WHEELCHAIR else _Last.NEEDS_ONE
            _keep(found, (taken, company + 1, after), here)
    return found


def _keep(ways: _Ways, key: tuple[int, int, _Last], least: int) -> None:
    if key not in ways or least < ways[key]:
        ways[key] = least
