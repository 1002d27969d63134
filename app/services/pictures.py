"""The pictures of layouts that this process has made, for finding seats (domain/seat_finding)."""

import asyncio
from typing import Final

from cachetools import LRUCache

from app.domain.seat_finding.picture import Picture
from app.domain.seats import Layout
from app.services.layouts import Standing, share
from app.services.single_flight import SingleFlight

SEATS_KEPT: Final = 500_000

AT_ONCE: Final = 2_000
"""So many seats are drawn in a few milliseconds. A larger house is drawn in a thread: others are served meanwhile."""


class Pictures:
    """Pictures by theater and revision of the layout. The least recently used are dropped first."""

    def __init__(self, seats_kept: int = SEATS_KEPT) -> None:
        self._known: LRUCache[Standing, Picture] = LRUCache(seats_kept, lambda each: share(each.layout, seats_kept))
        self._drawn = SingleFlight(self._draw)
        self._wanted: dict[Standing, Layout] = {}

    async def of(self, layout: Layout) -> Picture:
        """The picture of this layout. Callers at the same time share the work."""
        standing = layout.theater_id, layout.revision
        known = self._at_hand(layout)
        if known is not None:
            return known
        if len(layout.seats) <= AT_ONCE:
            picture = self._known[standing] = Picture(layout)
            return picture
        self._wanted[standing] = layout
        return await self._drawn.ask(standing, lambda: self._at_hand(layout))

    def _at_hand(self, layout: Layout) -> Picture | None:
        known: Picture | None = self._known.get((layout.theater_id, layout.revision))
        return known

    async def _draw(self, standing: Standing) -> Picture:
        layout = self._wanted.pop(standing)
        picture = self._known[standing] = await asyncio.to_thread(Picture, layout)
        return picture
