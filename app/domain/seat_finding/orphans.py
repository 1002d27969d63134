"""The orphan rule: who names seats must not leave a single one behind, if as many could be had without."""

from collections.abc import Iterator
from enum import StrEnum

from app.domain.seat_finding.blocks import beside, block, starts_of, strands, that_strand_nobody
from app.domain.seat_finding.kinds import Kinds
from app.domain.seat_finding.picture import Picture, ones
from app.domain.seats import Seat


class OrphanRule(StrEnum):
    """How strict a screening is about single seats."""

    OFF = "off"
    LENIENT = "lenient"
    STRICT = "strict"


def stranded(
    picture: Picture, free_before: int, chosen: int, rule: OrphanRule, *, released: bool = False
) -> tuple[Seat, ...]:
    """The seats that a choice strands, in the order of the layout, without those that the rule allows to be left alone:
    all of them if it is off, those at an end of a row or beside an aisle if it is lenient.

    Both masks are the picture's. `free_before` is what is free before the choice; what the caller holds already is not.
    """
    return picture.seats(_stranded(picture, free_before, chosen, rule, released=released))


def refuses(
    picture: Picture, free_before: int, chosen: int, rule: OrphanRule, *, released: bool = False, given: int = 0
) -> bool:
    """Whether the rule refuses a choice, as `stranded` takes it. `given`: the mask of seats that count as free, but are
    no choice: they are given for this one.

    It does if instead of one of its runs that strands a seat, the rest as it is, as many seats side by side of the same
    categories could be chosen that strand none: within the same run of free seats if it is lenient, anywhere in the
    house if it is strict. So the last seats can always be sold.
    """
    left_alone = _stranded(picture, free_before, chosen, rule, released=released)
    general = _general(picture, free_before, released=released)
    return any(
        beside(run) & left_alone and _has_another_way(picture, general & ~chosen | run, run, rule, given)
        for run in _runs(chosen & general)
    )


def _stranded(picture: Picture, free: int, chosen: int, rule: OrphanRule, *, released: bool) -> int:
    if rule is OrphanRule.OFF:
        return 0
    return strands(_general(picture, free, released=released), chosen) & ~_spared(picture, rule)


def _general(picture: Picture, free: int, *, released: bool) -> int:
    return free & (picture.whole if released else picture.ordinary)


def _spared(picture: Picture, rule: OrphanRule) -> int:
    return picture.ends if rule is OrphanRule.LENIENT else 0


def _has_another_way(picture: Picture, free: int, run: int, rule: OrphanRule, given: int) -> bool:
    """Is there a block like this run that strands nobody? The rest of the choice is not free."""
    kinds = Kinds(picture, ones(run))
    within = (_run_around(run, free) if rule is OrphanRule.LENIENT else free) & ~given
    starts = kinds.likely(starts_of(within, kinds.size), within)
    clean = that_strand_nobody(starts, free, kinds.size, _spared(picture, rule))
    return kinds.are_in(clean)


def _runs(mask: int) -> Iterator[int]:
    """The runs of a mask."""
    while mask:
        run = _run_from((mask & -mask).bit_length() - 1, mask)
        mask &= ~run
        yield run


def _run_around(part: int, free: int) -> int:
    """The run of free seats that these are a part of."""
    start = (part & -part).bit_length() - 1
    before = ~free & (1 << start) - 1
    return _run_from(before.bit_length(), free)


def _run_from(start: int, mask: int) -> int:
    """The part of a run of a mask from a place on."""
    rest = mask >> start
    return block(start, (~rest & rest + 1).bit_length() - 1)
