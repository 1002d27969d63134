"""Makes a screening's state from its row.

Usually only the version in the row is new. So the rest is parsed once, and cached until it changes.
"""

from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cachetools import FIFOCache

from app.db.box_office.rows_read import ScreeningFacts, ScreeningRow
from app.db.screenings import Defaults, screening_of
from app.domain.box_office.screening_state import ScreeningState
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.domain.values import value
from app.services.box_office.floors import Floors
from app.services.box_office.ledger import Ledger
from app.services.layouts import Layouts
from app.services.pictures import Pictures

SCREENINGS_KEPT: Final = 10_000


@value(frozen=True, slots=True)
class _Known:
    """What a row says about a screening, parsed."""

    facts: ScreeningFacts
    screening: Screening
    timezone: tzinfo


class Opening:
    """One per process."""

    def __init__(
        self, layouts: Layouts, defaults: Defaults, pictures: Pictures | None = None, *, per_screening: bool = False
    ) -> None:
        """`per_screening`: a batch is of one screening, and PostgreSQL is told which (BATCH_PER_SCREENING)."""
        self.floors = Floors(pictures or Pictures())
        self.per_screening = per_screening
        self.limits_need_email = defaults.limits_need_email
        self._layouts = layouts
        self._defaults = defaults
        self._known: FIFOCache[int, _Known] = FIFOCache(SCREENINGS_KEPT)

    async def open(self, row: ScreeningRow) -> Ledger:
        """The screening of a row, with an empty ledger."""
        facts = row.facts
        known = self._known.get(facts.id)
        if known is None or known.facts != facts:
            known = self._take_in(facts)
        meant = facts.theater_id, facts.layout_revision
        layout = self._layouts.at_hand(*meant) or await self._layouts.at(*meant)
        screening_state = ScreeningState(known.screening, layout, row.version, known.timezone)
        return Ledger(screening_state, facts.revision + facts.layout_revision)

    def has_at_hand(self, screening_id: int) -> bool:
        """Whether the screening was seen, with a layout that is still in memory."""
        known = self._known.get(screening_id)
        return (
            known is not None and self._layouts.at_hand(known.facts.theater_id, known.facts.layout_revision) is not None
        )

    def known(self, screening_id: int) -> Screening | None:
        """The screening as it was last seen; None: it was not."""
        known = self._known.get(screening_id)
        return None if known is None else known.screening

    def layout_without_lock(self, screening_id: int) -> Layout | None:
        """The layout, as last seen, of a screening that can be served without a lock.

        None: the screening was not seen lately, or it counts buyers, who may buy elsewhere at the same time.
        """
        known = self._known.get(screening_id)
        if known is None or known.screening.counts_buyers:
            return None
        return self._layouts.at_hand(known.facts.theater_id, known.facts.layout_revision)

    def _take_in(self, facts: ScreeningFacts) -> _Known:
        known = _Known(facts, screening_of(facts._asdict(), self._defaults), ZoneInfo(facts.timezone))
        self._known[facts.id] = known
        return known
