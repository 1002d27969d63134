"""The layouts that this process has read. They rarely change, and are needed as a whole."""

from cachetools import Cache, LRUCache
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import layouts
from app.domain.refusals import NotFound
from app.domain.seats import Layout
from app.services.single_flight import SingleFlight

# About 200 MB of seats; the one asked for last stays, however large it is.
SEATS_KEPT = 500_000


def share(layout: Layout, seats_kept: int) -> int:
    """How many seats of a cache a layout takes up; at most all, because a cache refuses what is larger."""
    return min(len(layout.seats) or 1, seats_kept)


class Layouts:
    """Layouts by theater, each as new as it was ever asked for. The least recently used are dropped first."""

    def __init__(self, engine: AsyncEngine, seats_kept: int = SEATS_KEPT) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._known: LRUCache[int, Layout] = LRUCache(seats_kept, lambda layout: share(layout, seats_kept))
        self._loaded = SingleFlight(self._load)

    async def at(self, theater_id: int, revision: int) -> Layout:
        """The layout of a theater at this revision, or a newer one. Callers at the same time share one query.

        Raises NotFound if the theater does not exist.
        """
        known = self.at_hand(theater_id, revision)
        if known is not None:
            return known
        return await self._loaded.ask(theater_id, lambda: self.at_hand(theater_id, revision))

    def at_hand(self, theater_id: int, revision: int) -> Layout | None:
        """As `at`, if it was read already; else None."""
        layout = self._known.get(theater_id)
        return None if layout is None or layout.revision < revision else layout

    def theater_of(self, seat_id: int) -> int | None:
        """The theater of a seat, if its layout was read already; else None. A seat never moves to another theater."""
        look_through = Cache.__getitem__  # not LRUCache's: what is only looked through does not count as asked for
        for theater_id in self._known:
            if seat_id in look_through(self._known, theater_id).by_id:
                return theater_id
        return None

    async def _load(self, theater_id: int) -> Layout:
        async with self._engine.connect() as connection:
            layout = await layouts.read(connection, theater_id)
        if layout is None:
            raise NotFound("theater")
        self._known[theater_id] = layout
        return layout
