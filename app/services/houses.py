"""From the locked row of a screening to the house that the box office decides about.

A row seldom says anything new but its version: what it means is worked out once, as long as it says the same.
"""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.db.houses import Row
from app.db.screenings import Defaults, screening_of
from app.domain.house import House
from app.domain.screenings import Screening
from app.services.layouts import Layouts

SCREENINGS_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """What a row said, all but the version, and what that means."""

    row: Row
    screening: Screening
    timezone: tzinfo


class Houses:
    """One per process."""

    def __init__(self, layouts: Layouts, defaults: Defaults) -> None:
        self._layouts = layouts
        self._defaults = defaults
        self._known: dict[int, _Known] = {}

    async def open(self, record: Any) -> tuple[House, int]:
        """The house of a record of `db.houses.lock`, and what its state is beside its version."""
        *row, version = record
        known = self._known.get(record["id"])
        if known is None or known.row != tuple(row):
            known = self._read(record, tuple(row))
        screening = known.screening
        layout = await self._layouts.at(screening.theater_id, record["layout_revision"])
        # Every part only grows, so their sum moves whenever one of them does.
        return House(screening, layout, version, known.timezone), screening.revision + record["layout_revision"]

    def _read(self, record: Any, row: Row) -> _Known:
        known = _Known(row, screening_of(record, self._defaults), ZoneInfo(record["timezone"]))
        self._known.pop(record["id"], None)
        self._known[record["id"]] = known
        if len(self._known) > SCREENINGS_KEPT:
            del self._known[next(iter(self._known))]
        return known
