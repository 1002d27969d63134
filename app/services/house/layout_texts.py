"""The layouts of houses as everybody reads them: written once, kept while they are asked for."""

from typing import Final

from cachetools import LRUCache

from app.domain.seats import Layout
from app.schemas.layouts import layout_json
from app.services.layouts import Standing
from app.services.seat_maps.packed import Packed

BYTES_KEPT: Final = 64 * 1024 * 1024


class LayoutTexts:
    """One per process. The least recently used are dropped first."""

    def __init__(self, bytes_kept: int = BYTES_KEPT) -> None:
        self._known: LRUCache[Standing, Packed] = LRUCache(bytes_kept, lambda each: min(len(each.plain), bytes_kept))

    def of(self, layout: Layout) -> Packed:
        """The text of this layout."""
        standing = layout.theater_id, layout.revision
        known: Packed | None = self._known.get(standing)
        if known is None:
            known = self._known[standing] = Packed(layout_json(layout))
        return known
