"""The layouts that this process has read. They rarely change, and are needed as a whole."""

from dataclasses import dataclass, field
from typing import TypeAlias

from cachetools import Cache, LRUCache
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.house import layouts
from app.domain.refusals import NotFound
from app.domain.seats import Layout
from app.services.running.single_flight import SingleFlight

# About 200 MB of seats; the one asked for last stays, however large it is.
SEATS_KEPT = 500_000


Standing: TypeAlias = tuple[int, int]
"""A theater's id, and a revision of its layout."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A layout as a key: two of one standing are the same, whatever it costs to compare their seats."""

    standing: Standing
    layout: Layout = field(compare=False)

    @classmethod
    def of(cls, layout: Layout) -> "Whole":
        return cls((layout.theater_id, layout.revision), layout)


def share(layout: Layout, seats_kept: int) -> int:
    """How many seats of a cache a layout takes up; at most all, because a cache refuses what is larger."""
    return min(len(layout.seats) or 1, seats_kept)


class Layouts:
    """Layouts by theater and revision. The least recently used are dropped first."""

    def __init__(self, engine: AsyncEngine, seats_kept: int = SEATS_KEPT) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._known: LRUCache[Standing, Layout] = LRUCache(seats_kept, lambda layout: share(layout, seats_kept))
        self._loaded = SingleFlight(self._load)

    async def at(self, theater_id: int, revision: int) -> Layout:
        """The layout of a theater at this revision; the current one, if nothing stands on that revision any more.

        Callers at the same time share one query. Raises NotFound if the theater does not exist.
        """
        known = self.at_hand(theater_id, revision)
        if known is not None:
            return known
        return await self._loaded.ask((theater_id, revision), lambda: self.at_hand(theater_id, revision))

    def at_hand(self, theater_id: int, revision: int) -> Layout | None:
        """As `at`, if it was read already; else None."""
        known: Layout | None = self._known.get((theater_id, revision))
        return known

    def theater_of(self, seat_id: int) -> int | None:
        """The theater of a seat, if its layout was read already; else None. A seat never moves to another theater."""
        look_through = Cache.__getitem__  # not LRUCache's: what is only looked through does not count as asked for
        for standing in self._known:
            if seat_id in look_through(self._known, standing).by_id:
                return standing[0]
        return None

    async def _load(self, standing: Standing) -> Layout:
        theater_id, revision = standing
        async with self._engine.connect() as connection:
            layout = await layouts.read(connection, theater_id, revision)
        if layout is None:
            raise NotFound("theater")
        kept = self.at_hand(theater_id, layout.revision)
        if kept is not None:
            return kept
        self._known[theater_id, layout.revision] = layout
        return layout
