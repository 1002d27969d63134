"""Seats here and there, when neither one block nor two rows will do: fewest people alone, then the least greatest
distance between any two, then the nearest to the focal point, then the lowest positions.

The answer is exact while at most `_FEW` free seats come into question, at most half as many are wanted, and the search
ends within its steps. Elsewhere it has the fewest people alone all the same, but of the distances it is the best that
is found around one crowded spot: nobody waits for a perfect answer about thousands of seats.
"""

from typing import Final

from app.domain.seat_finding.blocks import beside, fewest_alone
from app.domain.seat_finding.crowds import Crowd
from app.domain.seat_finding.picture import Picture, ones

_FEW: Final = 96
_MANY: Final = 1_000
"""So many free seats, in the runs that are nearest to the focal point, are looked at at all; four times as many as are
wanted, if that is more. Whoever wants more than this gets what is nearest to the focal point."""


def scattered(picture: Picture, free: int, count: int) -> int:
    """The mask of `count` of the free seats. There must be as many."""
    alone = fewest_alone(free, count)
    pool, needed = _that_matter(free, count, alone)
    if count > _MANY:
        return _thinned(picture, _near(picture, pool, needed, count, alone, count), count, alone)
    if pool.bit_count() > max(_MANY, 4 * count):
        pool = _near(picture, pool, needed, count, alone, max(_MANY, 4 * count))
    crowd = Crowd(picture, pool, needed, count, alone)
    around, chosen = crowd.around_a_spot(_FEW)
    if count > _FEW // 2:
        return chosen
    if around != pool:
        crowd = Crowd(picture, around, needed, count, alone)
    return crowd.closest(chosen)


def _that_matter(free: int, count: int, alone: int) -> tuple[int, int]:
    """The seats that can be in such a choice, and those that must be."""
    side_by_side = free & beside(free)
    if not alone:
        return side_by_side, 0
    return free, side_by_side if side_by_side.bit_count() < count else 0


def _near(picture: Picture, pool: int, needed: int, count: int, alone: int, enough: int) -> int:
    """Enough seats of the pool: those in the runs that are nearest to the focal point."""
    near, data = bytearray(needed.to_bytes(picture.length, "little")), pool.to_bytes(picture.length, "little")
    seats = needed.bit_count()
    for _, number in picture.least(1):
        run = picture.runs[number]
        seats += int.from_bytes(data[run.bytes], "little").bit_count()
        near[run.bytes] = data[run.bytes]
        if seats >= enough and fewest_alone(int.from_bytes(near, "little"), count) == alone:
            break
    return int.from_bytes(near, "little")


def _thinned(picture: Picture, pool: int, count: int, alone: int) -> int:
    """The pool without the farthest seats that are not needed."""
    left = pool.bit_count()
    for place in sorted(ones(pool), key=picture.far.__getitem__, reverse=True):
        without = pool & ~(1 << place)
        if left == count:
            break
        if fewest_alone(without, count) == alone:
            pool, left = without, left - 1
    return pool
