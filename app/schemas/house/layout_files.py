"""What an import of a layout answers (docs/api.md, section 4), and the formats of layouts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.domain.house.layouts import SeatDraft
from app.domain.seats import Seat
from app.schemas.format.portions import written
from app.schemas.imports import Complaint
from app.schemas.imports.columns import READERS


class LayoutFormat(StrEnum):
    """A format in which a layout can be had, and be imported again."""

    USHER = "usher"
    CSV = "csv"
    PRETIX = "pretix"


class WarningOut(BaseModel):
    """Something that its author should know about a file."""

    line: int | None = Field(description="From 1; null: it is about the whole file.", examples=[1])
    field: str = Field(examples=["color"])
    message: str = Field(examples=["This column is unknown. It is skipped."])


class CategoryCount(BaseModel):
    """How many seats a category has."""

    name: str
    seat_count: int


class SeatPreview(BaseModel):
    """A seat as it would be."""

    section: str
    row: str
    number: int
    label: str
    category: str
    accessible: bool
    companion: bool
    restricted_view: bool
    x: float
    y: float
    aisle_after: bool


_SEAT_EXAMPLE: Final[JsonDict] = {
    "section": "Stalls",
    "row": "A",
    "number": 1,
    "label": "A1",
    "category": "standard",
    "accessible": False,
    "companion": False,
    "restricted_view": False,
    "x": 0.0,
    "y": 0.0,
    "aisle_after": False,
}


class LayoutImportOut(BaseModel):
    """The seats of a theater after an import; of a dry run, as they would be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "theater_id": 1,
                    "dry_run": True,
                    "seat_count": 1,
                    "kept": 1,
                    "added": 0,
                    "removed": 79,
                    "categories": [{"name": "standard", "seat_count": 1}],
                    "warnings": [{"line": 1, "field": "color", "message": "This column is unknown. It is skipped."}],
                    "preview": [_SEAT_EXAMPLE],
                }
            ]
        }
    )

    theater_id: int
    dry_run: bool
    seat_count: int
    kept: int = Field(description="Seats that were there before: they keep their ids, holds and bookings.")
    added: int
    removed: int
    categories: list[CategoryCount]
    warnings: list[WarningOut]
    preview: list[SeatPreview] = Field(description="Of a dry run all seats, else none: read the layout.")


def layout_import_json(
    theater_id: int,
    seats: Sequence[Seat | SeatDraft],
    counts: Mapping[str, int],
    warnings: Iterable[Complaint],
    *,
    dry_run: bool,
) -> bytes:
    """The answer to an import. `counts` are kept, added and removed seats."""
    categories = Counter(seat.category for seat in seats)
    content: dict[str, Any] = {
        "theater_id": theater_id,
        "dry_run": dry_run,
        "seat_count": len(seats),
        **counts,
        "categories": [{"name": name, "seat_count": count} for name, count in categories.items()],
        "warnings": [{"line": each.line, "field": each.field, "message": each.message} for each in warnings],
        "preview": [written({name: getattr(seat, name) for name in READERS}) for seat in seats] if dry_run else [],
    }
    return orjson.dumps(content)
