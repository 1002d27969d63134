"""From the row of a screening to the house that the box office decides about.

A row seldom says anything new but its version: what it means is worked out once, as long as it says the same.
"""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cachetools import FIFOCache

from app.db.box_office.reading import SCREENING, Row
from app.db.screenings import Defaults, screening_of
from app.domain.box_office.screening_state import ScreeningState
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.services.box_office.ledger import Ledger
from app.services.layouts import Layouts

SCREENINGS_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What a row said, all but the version, and what that means."""

    row: Row
    screening: Screening
    layout_revision: int
    timezone: tzinfo


class Opening:
    """One per process."""

    def __init__(self, layouts: Layouts, defaults: Defaults) -> None:
        self._layouts = layouts
        self._defaults = defaults
        self._known: FIFOCache[int, _Known] = FIFOCache(SCREENINGS_KEPT)

    async def open(self, row: Row) -> Ledger:
        """The house of a row, as `db.houses.SCREENING` has it."""
        known = self._known.get(row[0])
        if known is None or known.row != row[:-1]:
            known = self._take_in(row)
        meant = known.screening.theater_id, known.layout_revision
        layout = self._layouts.at_hand(*meant) or await self._layouts.at(*meant)
        screening_state = ScreeningState(known.screening, layout, row[-1], known.timezone)
        return Ledger(screening_state, known.screening.revision + known.layout_revision)

    def layout_without_lock(self, screening_id: int) -> Layout | None:
        """The layout, as last seen, of a screening that can do without a lock.

        None: it was not seen lately, or it counts buyers, who may be buying elsewhere at the same time.
        """
        known = self._known.get(screening_id)
        if known is None or known.screening.counts_buyers:
            return None
        return self._layouts.at_hand(known.screening.theater_id, known.layout_revision)

    def _take_in(self, row: Row) -> _Known:
        columns = dict(zip(SCREENING, row, strict=True))
        known = _Known(
            row=row[:-1],
            screening=screening_of(columns, self._defaults),
            layout_revision=columns["layout_revision"],
            timezone=ZoneInfo(columns["timezone"]),
        )
        self._known[row[0]] = known
        return known
