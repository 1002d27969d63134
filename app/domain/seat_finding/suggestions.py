"""What somebody may take instead of the seats that they cannot have."""

from bisect import insort
from collections.abc import Iterable
from typing import Final, TypeAlias

from app.domain.seat_finding.blocks import block, starts_of, that_strand_nobody
from app.domain.seat_finding.kinds import alike
from app.domain.seat_finding.picture import Picture, ones, whole_distance
from app.domain.seats import Seat

_AT_MOST: Final = 3

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
    places = ones(picture.mask(wanted))
    size = len(places)
    if not size:
        return ()
    general = free & (picture.whole if released else picture.ordinary)
    starts = alike(picture, starts_of(general, size), general, places)
    clean = that_strand_nobody(starts, general, size)
    found = _nearest(picture, clean, places, _AT_MOST)
    found += _nearest(picture, starts & ~clean, places, _AT_MOST - len(found))
    return tuple(picture.seats(block(start, size)) for start in found)


def _nearest(picture: Picture, starts: int, places: list[int], at_most: int) -> list[int]:
    """The first places of the blocks that are nearest to the seats at these places."""
    if not starts or not at_most:
        return []
    size = len(places)
    data = starts.to_bytes(picture.length, "little")
    here = sum(picture.xs[place] for place in places), sum(picture.ys[place] for place in places)
    found: list[_Candidate] = []
    for least, number in _runs(picture, data, here, size):
        if len(found) >= at_most and least > found[at_most - 1][0]:
            break
        run = picture.runs[number]
        for offset in ones(int.from_bytes(data[run.bytes], "little")):
            start = run.start + offset
            away = _away(picture, start, here, size)
            if len(found) < at_most or away <= found[at_most - 1][0]:
                insort(found, (away, picture.positions(range(start, start + size)), start))
    return [start for _, _, start in found[:at_most]]


def _away(picture: Picture, start: int, here: tuple[int, int], size: int) -> int:
    """How far a block is from the centre of other seats, of which `here` are the sums; times the size."""
    end = start + size
    aside = picture.x_sums[end] - picture.x_sums[start] - here[0]
    return whole_distance(aside, picture.y_sums[end] - picture.y_sums[start] - here[1])


def _runs(picture: Picture, data: bytes, here: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """How far a block of each run is at least, times the size, and the number of the run; the nearest first."""
    x, y = here[0] // size, here[1] // size
    return sorted((size * (picture.away_from_run(number, x, y) - 1), number) for number in picture.runs_in(data))
