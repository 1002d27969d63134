"""A seating plan of pretix. What pretix has no member for is in each `seat_guid` (`imports.ours`)."""

from typing import Any, Final

import orjson

from app.domain.house.layouts import categories_of
from app.domain.seats import Layout, Seat
from app.schemas.exports.own import FLAGS, in_parts
from app.schemas.format.portions import written
from app.schemas.imports.ours import PIXELS, guid

_MARGIN: Final = 2.0
"""Around the house, in seat widths."""
_COLORS: Final = ("#7f4a91", "#2c7fb8", "#41ab5d", "#fe9929", "#d7301f", "#636363")


def pretix_plan(layout: Layout, name: str) -> bytes:
    """The layout in this form, under the name of the theater. It does not say where people look."""
    left = min((seat.x for seat in layout.seats), default=0.0) - _MARGIN
    top = min((seat.y for seat in layout.seats), default=0.0) - _MARGIN
    right = max((seat.x for seat in layout.seats), default=0.0) + _MARGIN
    bottom = max((seat.y for seat in layout.seats), default=0.0) + _MARGIN
    corner = {"x": _pixels(-left), "y": _pixels(-top)}
    content = {
        "name": name,
        "size": {"width": round((right - left) * PIXELS), "height": round((bottom - top) * PIXELS)},
        "categories": [
            {"name": category, "color": _COLORS[at % len(_COLORS)]}
            for at, category in enumerate(categories_of(layout.seats))
        ],
        "zones": [
            {
                "name": section,
                "position": corner,
                "rows": [
                    {"row_number": row, "position": {"x": 0, "y": 0}, "seats": [written(_seat(seat)) for seat in seats]}
                    for row, seats in rows
                ],
                "areas": [],
            }
            for section, rows in in_parts(layout.seats)
        ],
    }
    return orjson.dumps(content)


def _seat(seat: Seat) -> dict[str, Any]:
    return {
        "seat_guid": guid(seat.label, [flag for flag in FLAGS if getattr(seat, flag)]),
        "seat_number": str(seat.number),
        "position": {"x": _pixels(seat.x), "y": _pixels(seat.y)},
        "category": seat.category,
    }


def _pixels(widths: float) -> float | int:
    """Whole where it is: earlier versions of pretix know no others."""
    pixels = round(widths * PIXELS, 6)
    return int(pixels) if pixels == int(pixels) else pixels
