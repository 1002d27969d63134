"""The layouts that this process has read: a house seldom changes, and everybody needs it whole."""

from collections import OrderedDict

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import layouts
from app.domain.refusals import NotFound
from app.domain.seats import Layout
from app.services.single_flight import SingleFlight

# About 200 MB of seats; the one asked for last stays, however large it is.
SEATS_KEPT = 500_000


class Layouts:
    """Layouts by theater, each as new as it was ever asked for; those not asked for longest are given up first."""

    def __init__(self, engine: AsyncEngine, seats_kept: int = SEATS_KEPT) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._seats_kept = seats_kept
        self._known: OrderedDict[int, Layout] = OrderedDict()
        self._loaded = SingleFlight(self._load)

    async def at(self, theater_id: int, revision: int) -> Layout:
        """The layout of a theater at this revision, or a newer one. Many who ask at once cause one reading.

        Raises NotFound when there is no such theater.
        """
        known = self.at_hand(theater_id, revision)
        if known is not None:
            return known
        return await self._loaded.ask(theater_id, lambda: self.at_hand(theater_id, revision))

    def at_hand(self, theater_id: int, revision: int) -> Layout | None:
        """As `at`, if it was read already."""
        layout = self._known.get(theater_id)
        if layout is None or layout.revision < revision:
            return None
        self._known.move_to_end(theater_id)
        return layout

    def theater_of(self, seat_id: int) -> int | None:
        """The theater of a seat, if a layout at hand has it: a seat never moves to another house."""
        return next((layout.theater_id for layout in self._known.values() if seat_id in layout.by_id), None)

    async def _load(self, theater_id: int) -> Layout:
        async with self._engine.connect() as connection:
            layout = await layouts.read(connection, theater_id)
        if layout is None:
            raise NotFound("theater")
        self._known[theater_id] = layout
        self._known.move_to_end(theater_id)
        while len(self._known) > 1 and sum(len(each.seats) for each in self._known.values()) > self._seats_kept:
            self._known.popitem(last=False)
        return layout
