"""The layouts that this process has read: a house seldom changes, and everybody needs it whole."""

import asyncio
from collections import OrderedDict
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import layouts
from app.domain.refusals import NotFound
from app.domain.seats import Layout

# About 200 MB of seats; the one asked for last stays, however large it is.
SEATS_KEPT = 500_000


class Layouts:
    """Layouts by theater and revision; those not asked for longest are given up first."""

    def __init__(self, engine: AsyncEngine, seats_kept: int = SEATS_KEPT) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._seats_kept = seats_kept
        self._known: OrderedDict[tuple[int, int], Layout] = OrderedDict()
        self._loading: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def at(self, theater_id: int, revision: int) -> Layout:
        """The layout of a theater at this revision; as it stands, if nothing stands on that one any more.

        Many who ask at once cause one reading. Raises NotFound when there is no such theater.
        """
        known = self.at_hand(theater_id, revision)
        if known is not None:
            return known
        async with self._loading.setdefault(theater_id, asyncio.Lock()):
            known = self.at_hand(theater_id, revision)
            return known or await self._load(theater_id, revision)

    def at_hand(self, theater_id: int, revision: int) -> Layout | None:
        """As `at`, if it was read already."""
        wanted = theater_id, revision
        layout = self._known.get(wanted)
        if layout is not None:
            self._known.move_to_end(wanted)
        return layout

    def theater_of(self, seat_id: int) -> int | None:
        """The theater of a seat, if a layout at hand has it: a seat never moves to another house."""
        return next((layout.theater_id for layout in self._known.values() if seat_id in layout.by_id), None)

    async def _load(self, theater_id: int, revision: int) -> Layout:
        async with self._engine.connect() as connection:
            layout = await layouts.read(connection, theater_id, revision)
        if layout is None:
            raise NotFound("theater")
        layout = self._known.setdefault((theater_id, layout.revision), layout)
        self._known.move_to_end((theater_id, layout.revision))
        while len(self._known) > 1 and sum(len(each.seats) for each in self._known.values()) > self._seats_kept:
            self._known.popitem(last=False)
        return layout
