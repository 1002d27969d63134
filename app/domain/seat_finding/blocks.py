"""Blocks: so many seats side by side. Whom they strand, and which is nearest to the focal point."""

from collections.abc import Iterable, Sequence
from math import inf

from app.domain.seat_finding.picture import Picture, Slope, ones


def starts_of(free: int, size: int) -> int:
    """The first places of all blocks of this size within a mask."""
    known = 1
    while known < size:
        step = min(known, size - known)
        free &= free >> step
        known += step
    return free


def starts_with(some: int, size: int) -> int:
    """The first places of all blocks of this size that have a place of a mask."""
    known = 1
    while known < size:
        step = min(known, size - known)
        some |= some >> step
        known += step
    return some


def longest(free: int) -> int:
    """The size of the largest block within a mask."""
    if not free:
        return 0
    doubled = [free]  # the starts of blocks of 1, 2, 4, 8 ...
    while after := doubled[-1] & doubled[-1] >> (1 << len(doubled) - 1):
        doubled.append(after)
    starts, size = doubled.pop(), 1 << len(doubled)
    while doubled:
        if further := starts & doubled.pop() >> size:
            starts = further
            size += 1 << len(doubled)
    return size


def beside(mask: int) -> int:
    """The places to the left and right of a mask."""
    return mask << 1 | mask >> 1


def singles(free: int) -> int:
    """The seats of a mask without a neighbour in it."""
    return free & ~beside(free)


def strands(free: int, chosen: int) -> int:
    """The seats that a choice strands: singles after it that were none before. `free` are the ordinary seats before."""
    return singles(free & ~chosen) & ~singles(free)


def that_strand_nobody(starts: int, free: int, size: int, spared: int = 0) -> int:
    """Those of these blocks of ordinary free seats that strand nobody. Only the seats on either side can be stranded,
    each if the next one is not free. `spared` are seats that may be left alone.
    """
    alone_on_the_left = free & ~(free << 1) & ~spared
    alone_on_the_right = free & ~(free >> 1) & ~spared
    return starts & ~(alone_on_the_left << 1) & ~(alone_on_the_right >> size)


def fewest_alone(free: int, count: int) -> int:
    """How few of so many people sit alone at best, if they get some of these seats: pairs first, then single seats.
    More than `count` if there are not enough seats.
    """
    if free.bit_count() < count:
        return count + 1
    side_by_side = (free & beside(free)).bit_count()
    if side_by_side < count:
        return count - side_by_side
    return 1 if count % 2 and not starts_of(free, 3) else 0


def nearest(picture: Picture, starts: int, size: int) -> int | None:
    """The first place of the block that is nearest to the focal point, of equals the one with the lowest positions.

    `starts` are the blocks that are possible. Few are compared one by one; else runs are looked at in the order of how
    near a block in them could be, and in each only the blocks on either side of its nearest one.
    """
    if starts.bit_count() ** 2 <= 4 * len(picture.runs):
        return nearest_of(picture, ones(starts), size)
    found: list[int] = []
    farthest: float = inf
    data, sums = starts.to_bytes(picture.length, "little"), picture.far_sums
    for slope in _slopes(picture, data, size):
        if slope.least > farthest:
            break
        if not (some := int.from_bytes(data[slope.bytes], "little")):
            continue
        for offset in nearest_in(slope, some):
            at = slope.start + offset
            reach = sums[at + size] - sums[at]
            if reach <= farthest:
                farthest = reach
                found.append(at)
    return nearest_of(picture, found, size)


def _slopes(picture: Picture, data: bytes, size: int) -> Iterable[Slope]:
    """The runs that may have some of these blocks, the nearest first. If most have none, only those that have any."""
    slopes = picture.slopes(size)
    if 2 * (len(data) - data.count(0)) > len(picture.runs):
        return slopes.values()
    return sorted(slopes[number] for number in picture.runs_in(data))


def nearest_in(slope: Slope, starts: int) -> Sequence[int]:
    """Those of these blocks of a run that may be its nearest ones."""
    if slope.first is None:
        return ones(starts)
    if middle := starts >> slope.first & slope.middle:
        return [slope.first + offset for offset in ones(middle)]
    found: list[int] = []
    if before := starts & (1 << slope.first) - 1:
        found.append(before.bit_length() - 1)
    if after := starts >> slope.first:
        found.append(slope.first + (after & -after).bit_length() - 1)
    return found


def nearest_of(picture: Picture, starts: Sequence[int], size: int) -> int | None:
    """As `nearest`, but the first places of the blocks are given one by one."""
    sums = picture.far_sums
    reaches = [sums[start + size] - sums[start] for start in starts]
    if not reaches:
        return None
    least = min(reaches)
    equals = [start for start, reach in zip(starts, reaches, strict=True) if reach == least]
    return equals[0] if len(equals) == 1 else min(equals, key=lambda at: picture.positions(range(at, at + size)))


def block(start: int, size: int) -> int:
    """The mask of a block."""
    return ((1 << size) - 1) << start


def mask_of(places: Iterable[int]) -> int:
    """The mask of these places."""
    mask = 0
    for place in places:
        mask |= 1 << place
    return mask
