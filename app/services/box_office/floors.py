"""What this process knows of which seats are free, screening by screening, for commands that look for seats.

It is as old as its version says. The read of a batch brings what changed since, in the same statement as all else;
what decides is still that the screening has not changed when the batch writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from app.db.box_office.reading import Found, Wanted
from app.db.box_office.taken import MISSED_AT_MOST, MissedRow
from app.domain.box_office.commands import BeginBuying, Book, Check, Command, Exchange, Find, Hold, Toggle
from app.domain.box_office.screening_state import ScreeningState
from app.domain.claims import ClaimStatus
from app.domain.screenings import Screening
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.orphans import OrphanRule
from app.domain.seat_finding.picture import Picture
from app.domain.seats import Layout, SeatStatus
from app.services.news import News
from app.services.pictures import Pictures

KEPT: Final = 1_000
"""So many screenings; fewer, where much is remembered of the blocks in them."""

_BLOCKS: Final = 500
"""As long as a screening takes no more room than so many blocks, it counts as one."""

_MAY_WISH: Final = (Hold, Book, BeginBuying, Exchange)
_BOUND: Final = (Hold, Book, BeginBuying, Exchange, Toggle)


@dataclass(slots=True)
class _Known:
    """The seats that were free at a version. A hold that ran out never comes back by itself: so its seats are free from
    then on."""

    version: int
    floor: Floor
    size: float = 1

    def follow(self, version: int, changes: Iterable[tuple[int, bool]]) -> None:
        """Take in changes, in their order: seats, and whether somebody has them since."""
        for seat_id, is_taken in changes:
            self.floor.mark(seat_id, not is_taken)
        self.version = version


class Floors:
    """One per process."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._known: dict[int, _Known] = {}
        """By screening, the one that was asked for last at the end."""
        self._size = 0.0

    async def want(self, asked: Mapping[int, Layout], wanted: Wanted) -> None:
        """Name what has to be read of these screenings, which stand on these layouts."""
        for screening_id, layout in asked.items():
            known = self._known.get(screening_id)
            if known is not None and known.floor.picture is await self._picture_of(layout, known):
                wanted.missed.add((screening_id, known.version))
            else:
                self._forget(screening_id)
                wanted.taken.add((screening_id,))
            wanted.due.add((screening_id,))

    async def take_in(
        self, states: Mapping[int, ScreeningState], asked: Mapping[int, Layout], wanted: Wanted, found: Found
    ) -> set[int]:
        """Let these states know what is free. Returns those of which all that is taken has to be read as a whole."""
        taken = {row.screening_id: row.seat_ids for row in found.taken}
        missed: dict[int, list[MissedRow]] = {}
        for row in found.missed:
            missed.setdefault(row.screening_id, []).append(row)
        lost: set[int] = set()
        for screening_id, state in states.items():
            if state.floor is not None:
                continue
            known = self._known.get(screening_id)
            picture = await self._picture_of(asked[screening_id], known)
            if (screening_id,) in wanted.taken:
                state.floor = Floor(picture, picture.free(taken.get(screening_id, ())))
            elif known is None or known.floor.picture is not picture:
                lost.add(screening_id)
            elif _catches_up(known, state.version, missed.get(screening_id, ())):
                state.floor = known.floor
            else:
                self._forget(screening_id)
                lost.add(screening_id)
        return lost

    def lay(self, state: ScreeningState, now: datetime) -> None:
        """What has run out by now (UTC) is free, swept or not. It was read along.

        From here on the floor is the batch's. What is known stays as it is until `follow`.
        """
        floor, screening_id = state.floor, state.screening.id
        assert floor is not None  # noqa: S101 (`take_in` has made it)
        for claim in state.claims.values():
            if claim.status is ClaimStatus.HELD and not claim.is_live(now) and not claim.will_be_blocked:
                floor.mark(claim.seat_id, is_free=True)
        known = self._known.get(screening_id)
        if known is None:
            self._keep(screening_id, _Known(state.version, floor.copy()))
        else:
            known.version, known.floor = state.version, floor.copy()

    def follow(self, news: Mapping[int, News], floors: Mapping[int, Floor]) -> None:
        """This process has served a batch, which has changed screenings: what is known of them follows, if it was up to
        date. `floors`: those of the batch, as its commands have left them."""
        if not self._known:
            return
        for screening_id, floor in floors.items():
            known, one = self._known.get(screening_id), news.get(screening_id)
            if known is not None and (one is None or known.version == one.after):
                version = known.version if one is None else one.version
                self._keep(screening_id, _Known(version, floor, 1 + floor.remembered / _BLOCKS))
        for screening_id, one in news.items():
            known = None if screening_id in floors else self._known.get(screening_id)
            if known is not None and known.version == one.after:
                changes = ((each.seat_id, each.status != SeatStatus.AVAILABLE) for each in one.changes)
                known.follow(one.version, changes)

    def _keep(self, screening_id: int, known: _Known) -> None:
        self._forget(screening_id)
        self._known[screening_id] = known
        self._size += known.size
        while self._size > KEPT and len(self._known) > 1:
            self._forget(next(iter(self._known)))

    def _forget(self, screening_id: int) -> None:
        known = self._known.pop(screening_id, None)
        if known is not None:
            self._size -= known.size

    async def _picture_of(self, layout: Layout, known: _Known | None) -> Picture:
        if known is not None and known.floor.picture.layout is layout:
            return known.floor.picture
        return await self._pictures.of(layout)


def asks(command: Command, screening: Screening) -> bool:
    """Is this command decided by all that is free in its screening?"""
    if isinstance(command, _MAY_WISH):
        if command.wish is not None:
            return True
    elif isinstance(command, Find):
        return True
    if screening.orphan_rule is OrphanRule.OFF:
        return False
    if isinstance(command, Check):
        return True
    return isinstance(command, _BOUND) and not command.buyer.runs_the_house


def _catches_up(known: _Known, version: int, missed: Sequence[MissedRow]) -> bool:
    """Does it follow what changed since? Not if some of that is missing."""
    if version == known.version:
        return True
    if len(missed) > MISSED_AT_MOST or len({row.version for row in missed}) != version - known.version:
        return False
    changes = ((row.seat_id, row.is_taken) for row in sorted(missed, key=attrgetter("version")))
    known.follow(version, changes)
    return True
