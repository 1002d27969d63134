"""What this process knows of which seats are free, screening by screening, for commands that look for seats.

It is as old as its version says. The read of a batch brings what changed since, in the same statement as all else;
what decides is still that the screening has not changed when the batch writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from cachetools import LRUCache

from app.db.box_office.reading import Found, Wanted
from app.db.box_office.taken import MISSED_AT_MOST, MissedRow
from app.domain.box_office.commands import BeginBuying, Book, Check, Command, Exchange, Find, Hold, Toggle
from app.domain.box_office.screening_state import Floor, ScreeningState
from app.domain.claims import ClaimStatus
from app.domain.screenings import Screening
from app.domain.seat_finding.orphans import OrphanRule
from app.domain.seat_finding.picture import Picture
from app.domain.seats import Layout, SeatStatus
from app.services.news import News
from app.services.pictures import Pictures

KEPT: Final = 1_000

_MAY_WISH: Final = (Hold, Book, BeginBuying, Exchange)
_BOUND: Final = (Hold, Book, BeginBuying, Exchange, Toggle)


@dataclass(frozen=True, slots=True)
class _Known:
    """The seats that were free at a version, as a mask of the picture. A hold that ran out never comes back by itself:
    so its seats are free from then on."""

    picture: Picture
    version: int
    free: int

    def after(self, version: int, changes: Iterable[tuple[int, bool]]) -> "_Known":
        """The same after changes, in their order: seats, and whether somebody has them since."""
        last = dict(changes)
        free = self.free & ~self.picture.mask(seat_id for seat_id, is_taken in last.items() if is_taken)
        free |= self.picture.mask(seat_id for seat_id, is_taken in last.items() if not is_taken)
        return _Known(self.picture, version, free)


class Floors:
    """One per process."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._known: LRUCache[int, _Known] = LRUCache(KEPT)

    async def want(self, asked: Mapping[int, Layout], wanted: Wanted) -> None:
        """Name what has to be read of these screenings, which stand on these layouts."""
        for screening_id, layout in asked.items():
            picture = await self._pictures.of(layout)
            known = self._known.get(screening_id)
            if known is None or known.picture is not picture:
                self._known.pop(screening_id, None)
                wanted.taken.add((screening_id,))
            else:
                wanted.missed.add((screening_id, known.version))
            wanted.due.add((screening_id,))

    async def take_in(
        self, states: Mapping[int, ScreeningState], asked: Mapping[int, Layout], found: Found
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
            picture = await self._pictures.of(asked[screening_id])
            known = self._known.get(screening_id)
            if known is None or known.picture is not picture:
                state.floor = Floor(picture, picture.free(taken.get(screening_id, ())))
            elif known := _caught_up(known, state.version, missed.get(screening_id, ())):
                state.floor = Floor(picture, known.free)
            else:
                del self._known[screening_id]
                lost.add(screening_id)
        return lost

    def lay(self, state: ScreeningState, now: datetime) -> None:
        """What has run out by now (UTC) is free, swept or not. It was read along."""
        floor = state.floor
        assert floor is not None  # noqa: S101 (`take_in` has made it)
        ended = [
            claim.seat_id
            for claim in state.claims.values()
            if claim.status is ClaimStatus.HELD and not claim.is_live(now) and not claim.will_be_blocked
        ]
        if ended:
            floor.free |= floor.picture.mask(ended)
        self._known[state.screening.id] = _Known(floor.picture, state.version, floor.free)

    def follow(self, news: Mapping[int, News]) -> None:
        """This process has changed screenings: what is known of them follows, if it was up to date."""
        if not self._known:
            return
        for screening_id, one in news.items():
            known = self._known.get(screening_id)
            if known is not None and known.version == one.after:
                changes = ((each.seat_id, each.status != SeatStatus.AVAILABLE) for each in one.changes)
                self._known[screening_id] = known.after(one.version, changes)


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


def _caught_up(known: _Known, version: int, missed: Sequence[MissedRow]) -> _Known | None:
    """What is known with what changed since. None if some of that is missing."""
    if version == known.version:
        return known
    if len(missed) > MISSED_AT_MOST or len({row.version for row in missed}) != version - known.version:
        return None
    return known.after(version, ((row.seat_id, row.is_taken) for row in sorted(missed, key=attrgetter("version"))))
