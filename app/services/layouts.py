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
        """The theater of a seat, if its layout was read already; else None. A seat never moves to another theater."""
        look_through = Cache.__getitem__  # not LRUCache's: what is only looked through does not count as asked for
        for theater_id in self._known:
            if seat_id in look_through(self._known, theater_id).by_id:
                return theater_id
        return None

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
