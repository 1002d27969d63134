"""Some free seats, of which as many as are wanted must be chosen close to each other, and so many people sit alone."""

from collections.abc import Iterable, Sequence
from itertools import combinations, groupby, islice
from math import hypot, inf
from operator import itemgetter
from typing import Final

from app.domain.seat_finding.blocks import fewest_alone, mask_of
from app.domain.seat_finding.picture import FINER, Picture, ones, whole_distance

_STEPS: Final = 2_000
_LOOKS: Final = 4_000
_SPOTS: Final = 16
"""So many seats, the nearest to the focal point, are tried as a crowded spot, and fewer in a large pool: everybody else
is looked at from each of them, which makes so many looks at most."""


class _TooManySteps(Exception):
    """The search takes too long."""


class Crowd:
    """The seats have numbers here: the nearest to the focal point is 0, of equals the one of the lowest position.
    Masks are of these numbers, unless they are said to be the picture's.
    """

    def __init__(self, picture: Picture, pool: int, needed: int, count: int, alone: int) -> None:
        """`pool` and `needed` (who must be among the chosen) are masks of the picture."""
        self._picture = picture
        self._places = sorted(ones(pool), key=lambda place: (picture.far[place], picture.position[place]))
        self._xs = [float(picture.xs[place]) for place in self._places]
        self._ys = [float(picture.ys[place]) for place in self._places]
        self._far = [picture.far[place] for place in self._places]
        number = {place: at for at, place in enumerate(self._places)}
        self._needed = mask_of(number[place] for place in ones(needed))
        self._beside = [
            mask_of(number[near] for near in (place - 1, place + 1) if near in number) for place in self._places
        ]
        self._in_rows = _in_rows(self._places)
        self._count, self._alone = count, alone
        self._best: tuple[int, list[int], int] | None = None
        self._steps = 0

    def closest(self, known: int) -> int:
        """The choice with the least greatest distance. If the search takes too long: the best that it has found, or the
        one that is known, a choice of seats of the pool. All are masks of the picture.

        Two of the chosen are farthest from each other, and nobody is farther from either than these two are. So pairs
        are looked at, the closest first.
        """
        near = [1 << number for number in range(len(self._places))]
        try:
            for _, pairs in groupby(self._pairs(self._spread(known)), itemgetter(0)):
                as_far = list(pairs)
                for _, one, other in as_far:
                    near[one] |= 1 << other
                    near[other] |= 1 << one
                for _, one, other in as_far:
                    self._search_between(one, other, near)
                if self._best is not None:
                    break
        except _TooManySteps:
            pass
        return known if self._best is None else self._of_the_picture(self._best[-1])

    def around_a_spot(self, few: int) -> tuple[int, int]:
        """Where such a choice takes little room: the `few` seats nearest to that spot, or as many as it takes, and a
        choice among them. Both are masks of the picture.
        """
        spots = range(min(_SPOTS, len(self._places), max(1, _LOOKS // len(self._places))))
        spot, circle, radius = 0, list[int](), inf
        for candidate in spots:
            smaller = self._circle(candidate, radius)
            if smaller:
                spot, (circle, radius) = candidate, smaller
        away = self._away_from(spot)
        pool = sorted(range(len(away)), key=away.__getitem__)[: max(few, len(circle))]
        return self._of_the_picture(self._needed | mask_of(pool)), self._of_the_picture(self._thinned(circle))

    def _circle(self, spot: int, less_than: float) -> tuple[list[int], float] | None:
        """The fewest seats nearest to a spot that are enough, the nearest first, and the square of the radius; None if
        it is not less."""
        away = self._away_from(spot)
        numbers = sorted((number for number, far in enumerate(away) if far < less_than), key=away.__getitem__)
        within = self._side_by_side(ones(self._needed))
        for enough, number in enumerate(numbers, start=1):
            within |= self._in_rows[number]
            if (enough >= self._count or self._needed) and fewest_alone(within, self._count) == self._alone:
                return numbers[:enough], away[number]
        return None

    def _away_from(self, spot: int) -> list[float]:
        """The square of each seat's distance to a seat."""
        x, y = self._xs[spot], self._ys[spot]
        return [
            (one - x) * (one - x) + (other - y) * (other - y) for one, other in zip(self._xs, self._ys, strict=True)
        ]

    def _thinned(self, numbers: list[int]) -> int:
        """A choice among these and those that are needed: the last ones go that are not needed for it."""
        mask = self._needed | mask_of(numbers)
        within = self._side_by_side(ones(mask))
        for number in reversed(numbers):
            without = within & ~self._in_rows[number]
            if fewest_alone(without, self._count) == self._alone:
                within, mask = without, mask & ~(1 << number)
        return mask

    def _pairs(self, at_most: int) -> list[tuple[int, int, int]]:
        """Any two seats that are at most so far apart, and their distance; the closest two first. Who is farther from
        anybody who is needed is left out."""
        xs, ys, aside = self._xs, self._ys, (at_most + 1) * 2.0**FINER
        numbers: Sequence[int] = range(len(xs))
        for one in ones(self._needed):
            numbers = [each for each in numbers if hypot(xs[each] - xs[one], ys[each] - ys[one]) <= aside]
        from_the_left = sorted(numbers, key=xs.__getitem__)
        found: list[tuple[int, int, int]] = []
        for at, one in enumerate(from_the_left, start=1):
            x, y = xs[one], ys[one]
            for other in islice(from_the_left, at, None):
                if xs[other] - x > aside:
                    break
                if -aside <= ys[other] - y <= aside:
                    distance = whole_distance(xs[other] - x, ys[other] - y)
                    if distance <= at_most:
                        found.append((distance, one, other))
        return sorted(found)

    def _spread(self, chosen: int) -> int:
        """The greatest distance between any two of these."""
        pairs = combinations(ones(chosen), 2)
        return max((self._picture.between(one, other) for one, other in pairs), default=0)

    def _search_between(self, one: int, other: int, near: list[int]) -> None:
        """Look for a choice of these two and of seats that are near both."""
        among = near[one] & near[other]
        chosen = self._needed | 1 << one | 1 << other
        if among.bit_count() < self._count or chosen & ~among or chosen.bit_count() > self._count:
            return
        if fewest_alone(self._side_by_side(ones(among)), self._count) > self._alone:
            return
        for number in ones(self._needed):
            among &= near[number]
        if not chosen & ~among:
            reach = sum(self._far[number] for number in ones(chosen))
            self._search(chosen, among & ~chosen, near, reach)

    def _search(self, chosen: int, among: int, near: list[int], reach: int) -> None:
        """Add seats of `among` to the chosen, and keep the best choice. All of `among` are near all of the chosen."""
        self._steps += 1
        if self._steps > _STEPS:
            raise _TooManySteps
        left = self._count - chosen.bit_count()
        alone = [number for number in ones(chosen) if not self._beside[number] & chosen]
        if not left:
            if len(alone) == self._alone:
                self._keep(chosen, reach)
            return
        stay_alone = sum(not self._beside[number] & among for number in alone)
        if stay_alone > self._alone or len(alone) - self._alone > 2 * left:
            return
        numbers = ones(among)
        for at, number in enumerate(numbers[: len(numbers) - left + 1]):
            least = reach + sum(self._far[each] for each in numbers[at : at + left])
            if self._best is not None and least > self._best[0]:
                return
            among ^= 1 << number
            self._search(chosen | 1 << number, among & near[number], near, reach + self._far[number])

    def _keep(self, chosen: int, reach: int) -> None:
        if self._best is None or reach <= self._best[0]:
            positions = self._picture.positions(self._places[number] for number in ones(chosen))
            candidate = (reach, positions, chosen)
            self._best = candidate if self._best is None else min(self._best, candidate)

    def _side_by_side(self, numbers: Iterable[int]) -> int:
        """These seats as a mask in which neighbours follow each other."""
        mask = 0
        for number in numbers:
            mask |= self._in_rows[number]
        return mask

    def _of_the_picture(self, chosen: int) -> int:
        mask = 0
        for number in ones(chosen):
            mask |= 1 << self._places[number]
        return mask


def _in_rows(places: list[int]) -> list[int]:
    """One bit for each place, such that neighbours follow each other and nobody else does, without the wide gaps that
    are between the places."""
    bits: dict[int, int] = {}
    bit, before = 0, -1
    for place in sorted(places):
        bit += 1 if place == before + 1 else 2
        bits[place], before = 1 << bit, place
    return [bits[place] for place in places]
