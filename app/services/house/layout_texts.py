"""The layouts of houses as everybody reads them: written once, kept while they are asked for."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from app.domain.seats import Layout
from app.schemas.exports import own_file, pretix_plan, table
from app.schemas.house.layout_files import LayoutFormat
from app.schemas.house.layouts import layout_json, some_seats_json
from app.services.layouts import Standing, Whole
from app.services.running.beside import AT_ONCE, beside
from app.services.running.single_flight import SingleFlight
from app.services.seat_maps.packed import Packed

BYTES_KEPT: Final = 64 * 1024 * 1024


class LayoutTexts:
    """One per process. The least recently used are dropped first."""

    def __init__(self, bytes_kept: int = BYTES_KEPT) -> None:
        self._known: LRUCache[Standing, Packed] = LRUCache(bytes_kept, lambda each: min(len(each.plain), bytes_kept))
        self._written = SingleFlight(self._write)

    async def of(self, layout: Layout) -> Packed:
        """The text of this layout. Callers at the same time share the work."""
        whole = Whole.of(layout)
        known = self._at_hand(whole.standing)
        if known is not None:
            return known
        if len(layout.seats) <= AT_ONCE:
            text = self._known[whole.standing] = Packed(layout_json(layout))
            return text
        return await self._written.ask(whole, lambda: self._at_hand(whole.standing))

    async def of_some(self, layout: Layout, seat_ids: Collection[int]) -> bytes:
        """The text of these seats and their sections; ids that the layout does not have are left out."""
        return await beside(len(layout.seats), some_seats_json, layout, seat_ids)

    def _at_hand(self, standing: Standing) -> Packed | None:
        known: Packed | None = self._known.get(standing)
        return known

    async def _write(self, whole: Whole) -> Packed:
        text = self._known[whole.standing] = Packed(await asyncio.to_thread(layout_json, whole.layout))
        return text


@dataclass(frozen=True, slots=True)
class LayoutText:
    """A layout as a file, with a name for it."""

    name: str
    media_type: bytes
    content: bytes


def layout_file(layout: Layout, file_format: LayoutFormat, theater_name: str) -> LayoutText:
    """The layout of a theater as a file that can be imported again. It takes a while for a large house."""
    stem = f"theater-{layout.theater_id}"
    match file_format:
        case LayoutFormat.USHER:
            return LayoutText(f"{stem}.json", b"application/json", own_file(layout))
        case LayoutFormat.CSV:
            return LayoutText(f"{stem}.csv", b"text/csv; charset=utf-8", table(layout))
        case LayoutFormat.PRETIX:
            return LayoutText(f"{stem}-pretix.json", b"application/json", pretix_plan(layout, theater_name))
