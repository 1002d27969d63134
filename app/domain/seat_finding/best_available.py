"""The best seats for whoever names none. The first of these that exists: one block that strands nobody; one block; two
blocks in rows of a section that follow each other; seats here and there. Among equals those nearest to the focal point,
then those with the lowest positions in the layout.
"""

from collections.abc import Mapping
from typing import Final

from app.domain.money import Money
from app.domain.seat_finding.accessible import with_wheelchair_places
from app.domain.seat_finding.blocks import block, longest, nearest, starts_of, that_strand_nobody
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.scattered import scattered
from app.domain.seat_finding.two_rows import in_two_rows
from app.domain.seat_finding.wishes import Found, NotEnough, Together, Wish

_NO_PRICES: Final[Mapping[str, Money]] = {}


def best_available(
    picture: Picture, free: int, wish: Wish, prices: Mapping[str, Money] = _NO_PRICES, *, released: bool = False
) -> Found | NotEnough:
    """The best seats of those that are free, a mask of the picture. It changes nothing; the same question has the same
    answer.

    `prices` are those of the categories; `released`: reserved places are on sale as ordinary seats.
    """
    general = free & (picture.whole if released else picture.ordinary)
    kind = wish.kind(picture, prices)
    if wish.accessible:
        chosen = with_wheelchair_places(picture, free & kind, general & kind, wish)
        return _answer(picture, chosen, free & kind & picture.accessible)
    chosen = _one_block(picture, general, general & kind, wish.count)
    if chosen is None and wish.together is not Together.REQUIRED:
        chosen = _apart(picture, general & kind, wish.count)
    return _answer(picture, chosen, general & kind)


def _one_block(picture: Picture, general: int, fitting: int, count: int) -> int | None:
    """One block of fitting seats; `general` are all ordinary free seats, which may be stranded."""
    starts = starts_of(fitting, count)
    start = nearest(picture, that_strand_nobody(starts, general, count), count)
    if start is None:
        start = nearest(picture, starts, count)
    return None if start is None else block(start, count)


def _apart(picture: Picture, fitting: int, count: int) -> int | None:
    if fitting.bit_count() < count:
        return None
    two = in_two_rows(picture, fitting, count)
    return scattered(picture, fitting, count) if two is None else two


def _answer(picture: Picture, chosen: int | None, countable: int) -> Found | NotEnough:
    if chosen is None:
        return NotEnough(countable.bit_count(), longest(countable))
    return Found(picture.seats(chosen), longest(chosen) == chosen.bit_count(), chosen)
