"""Our own JSON, as `PUT /theaters/{id}/layout` takes it: every seat with its label, place and category."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import orjson

from app.domain.seats import Layout, Seat
from app.schemas.format.portions import written

FLAGS: Final = ("accessible", "companion", "restricted_view", "aisle_after")


def own_file(layout: Layout) -> bytes:
    """The layout in this form. The order of the seats stays: a section that is in several parts comes in several."""
    content: dict[str, Any] = {"sections": list(_sections(layout.seats))}
    if layout.focal_point is not None:
        content["focal_point"] = {"x": layout.focal_point.x, "y": layout.focal_point.y}
    return orjson.dumps(content)


def in_parts(seats: Iterable[Seat]) -> Iterator[tuple[str, list[tuple[str, list[Seat]]]]]:
    """The seats by section and row, in their order."""
    for section, members in groupby(seats, lambda seat: seat.section):
        yield section, [(row, list(its)) for row, its in groupby(members, lambda seat: seat.row)]


def _sections(seats: Iterable[Seat]) -> Iterator[dict[str, Any]]:
    for section, rows in in_parts(seats):
        yield {
            "name": section,
            "rows": [{"row": row, "seats": [written(_seat(seat)) for seat in its]} for row, its in rows],
        }


def _seat(seat: Seat) -> dict[str, Any]:
    values = {name: getattr(seat, name) for name in ("number", "label", "category", "x", "y")}
    return values | {flag: True for flag in FLAGS if getattr(seat, flag)}
