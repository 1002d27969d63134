"""The layouts of houses as everybody reads them: written once, kept while they are asked for."""

from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from app.domain.seats import Layout
from app.schemas.exports import own_file, pretix_plan, table
from app.schemas.layout_files import LayoutFormat
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
