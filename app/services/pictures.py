"""The pictures of layouts that this process has made, for finding seats (domain/seat_finding)."""

import asyncio
from typing import Final

from cachetools import LRUCache

from app.domain.seat_finding.picture import Picture
from app.domain.seats import Layout
from app.services.layouts import Standing, Whole, share
from app.services.running.single_flight import SingleFlight

SEATS_KEPT: Final = 500_000

AT_ONCE: Final = 2_000
"""So many seats are drawn in a few milliseconds. A larger house is drawn in a thread: others are served meanwhile."""


class Pictures:
    """Pictures by theater and revision of the layout. The least recently used are dropped first."""

    def __init__(self, seats_kept: int = SEATS_KEPT) -> None:
        self._known: LRUCache[Standing, Picture] = LRUCache(seats_kept, lambda each: share(each.layout, seats_kept))
        self._drawn = SingleFlight(self._draw)

    async def of(self, layout: Layout) -> Picture:
        """The picture of this layout. Callers at the same time share the work."""
        whole = Whole.of(layout)
        known = self._at_hand(whole.standing)
        if known is not None:
            return known
        if len(layout.seats) <= AT_ONCE:
            picture = self._known[whole.standing] = Picture(layout)
            return picture
        return await self._drawn.ask(whole, lambda: self._at_hand(whole.standing))

    def _at_hand(self, standing: Standing) -> Picture | None:
        known: Picture | None = self._known.get(standing)
        return known

    async def _draw(self, whole: Whole) -> Picture:
        picture = self._known[whole.standing] = await asyncio.to_thread(Picture, whole.layout)
        return picture
