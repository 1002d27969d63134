"""What somebody may take instead of the seats that they cannot have."""

from bisect import insort
from collections.abc import Iterable, Sequence
from math import hypot, inf
from typing import Final, TypeAlias

from app.domain.seat_finding.blocks import block, starts_of, that_strand_nobody
from app.domain.seat_finding.kinds import Kinds
from app.domain.seat_finding.picture import UNIT, Picture, ones
from app.domain.seats import Seat

_AT_MOST: Final = 3
_FEW: Final = 16
"""So many blocks are looked at one by one."""

_Candidate: TypeAlias = tuple[int, list[int], int]
"""How far a block is, its positions, its first place."""


def suggestions(
    picture: Picture, free: int, wanted: Iterable[int], *, released: bool = False
) -> tuple[tuple[Seat, ...], ...]:
    """At most three blocks of free seats, as many of each category as the seats with the ids `wanted`.

    Those that strand nobody come first, then the nearest to what was wanted, from centre to centre, then the lowest
    positions.

    `free` is a mask of the picture, without what the caller holds. There are no reserved places among them, unless they
    are `released`. Blocks may overlap.
    """
    places = sorted(picture.place[seat_id] for seat_id in set(wanted) if seat_id in picture.place)
    size = len(places)
    if not size:
        return ()
    general = free & (picture.whole if released else picture.ordinary)
    kinds = Kinds(picture, places)
    starts = kinds.likely(starts_of(general, size), general)
    clean = that_strand_nobody(starts, general, size)
    found = _nearest(picture, clean, places, kinds, _AT_MOST)
    found += _nearest(picture, starts & ~clean, places, kinds, _AT_MOST - len(found))
    return tuple(picture.seats(block(start, size)) for start in found)


def _nearest(picture: Picture, starts: int, places: list[int], kinds: Kinds, at_most: int) -> list[int]:
    """The first places of the blocks that are nearest to the seats at these places."""
    if not starts or not at_most:
        return []
    size = len(places)
    data = starts.to_bytes(picture.length, "little")
    here = sum(picture.xs[place] for place in places), sum(picture.ys[place] for place in places)
    found: list[_Candidate] = []
    is_one_by_one = starts.bit_count() <= _FEW
    runs = [(0, number) for number in picture.runs_in(data)] if is_one_by_one else _runs(picture, data, places)
    for least, number in runs:
        if len(found) == at_most and least * size > found[-1][0]:
            break
        run = picture.runs[number]
        some = int.from_bytes(data[run.bytes], "little")
        farthest = found[-1][0] if len(found) == at_most else inf
        for candidate in _in_run(picture, run.start, some, here, kinds, farthest):
            insort(found, candidate)
            del found[at_most:]
    return [start for _, _, start in found]


def _in_run(
    picture: Picture, first: int, starts: int, here: tuple[int, int], kinds: Kinds, at_most: float
) -> Sequence[_Candidate]:
    """The blocks of a run that are nearest to the centre of other seats, of which `here` are the sums, and at most so
    far. Distances are times the size."""
    x_sums, y_sums, (x, y), size, are_alike = picture.x_sums, picture.y_sums, here, kinds.size, kinds.are_alike
    near: list[tuple[int, int]] = []
    for offset in ones(starts):
        start = first + offset
        end = start + size
        # `whole_distance`, without a call for each block.
        away = round(hypot(x_sums[end] - x_sums[start] - x, y_sums[end] - y_sums[start] - y) * UNIT)
        if away <= at_most and (are_alike or kinds.has(start)):
            near.append((away, start))
    if len(near) > _AT_MOST:
        farthest = sorted(near)[_AT_MOST - 1][0]
        near = [each for each in near if each[0] <= farthest]
    return [(away, picture.positions(range(start, start + size)), start) for away, start in near]


def _runs(picture: Picture, data: bytes, places: list[int]) -> Sequence[tuple[int, int]]:
    """How far a block of a run is from these seats at least, and the number of the run; the nearest first."""
    numbers = {picture.run_of(place) for place in places}
    if len(numbers) == 1 and 4 * (len(data) - data.count(0)) > len(picture.runs):
        return picture.around(numbers.pop())
    x = sum(picture.xs[place] for place in places) // len(places)
    y = sum(picture.ys[place] for place in places) // len(places)
    return sorted((picture.away_from_run(number, (x, x, y, y)) - 1, number) for number in picture.runs_in(data))
