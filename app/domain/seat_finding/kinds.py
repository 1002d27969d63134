"""Blocks with as many seats of each category as others have."""

from collections import Counter
from collections.abc import Sequence

from app.domain.seat_finding.blocks import starts_of
from app.domain.seat_finding.picture import Picture, ones


def alike(picture: Picture, starts: int, free: int, wanted: Sequence[int]) -> int:
    """Those of these blocks of free seats that have as many seats of each category as the seats at the places `wanted`,
    which are as many as a block has.
    """
    size = len(wanted)
    counts = Counter(picture.category[place] for place in wanted)
    masks = [free & picture.category_masks[category] for category in counts]
    if len(masks) == 1:
        return starts & starts_of(masks[0], size)
    for mask in masks:  # most blocks are of one category: they go at once
        starts &= ~starts_of(mask, size)
    as_wanted = sorted(counts.elements())
    left = bytearray(starts.to_bytes(picture.length, "little"))
    for start in ones(starts):
        if sorted(picture.category[start : start + size]) != as_wanted:
            left[start >> 3] &= ~(1 << (start & 7))
    return int.from_bytes(left, "little")
