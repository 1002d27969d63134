"""Seats here and there, when neither one block nor two rows will do: fewest people alone, then the least greatest
distance between any two, then the nearest to the focal point, then the lowest positions.

The answer is exact while at most `_FEW` free seats come into question, at most half as many are wanted, and the search
ends within its steps. Elsewhere it has the fewest people alone all the same, but of the distances it is the best that
is found around one crowded spot: nobody waits for a perfect answer about thousands of seats.
"""

from typing import Final

from app.domain.seat_finding.blocks import beside, fewest_alone
from app.domain.seat_finding.crowds import Crowd
from app.domain.seat_finding.picture import Picture

_FEW: Final = 96
_MANY: Final = 1_000
"""So many free seats, in the runs that are nearest to the focal point, are looked at at all."""


def scattered(picture: Picture, free: int, count: int) -> int:
    """The mask of `count` of the free seats. There must be as many."""
    alone = fewest_alone(free, count)
    pool, needed = _that_matter(free, count, alone)
    if pool.bit_count() > max(_MANY, 4 * count):
        pool = _near(picture, pool, needed, count, alone)
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


def _near(picture: Picture, pool: int, needed: int, count: int, alone: int) -> int:
    """Enough seats of the pool: those in the runs that are nearest to the focal point."""
    near, data = bytearray(needed.to_bytes(picture.length, "little")), pool.to_bytes(picture.length, "little")
    seats, enough = needed.bit_count(), max(_MANY, 4 * count)
    for _, number in picture.least(1):
        run = picture.runs[number]
        seats += int.from_bytes(data[run.bytes], "little").bit_count()
        near[run.bytes] = data[run.bytes]
        if seats >= enough and fewest_alone(int.from_bytes(near, "little"), count) == alone:
            break
    return int.from_bytes(near, "little")
