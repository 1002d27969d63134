"""Seating plans of pretix: zones with rows of seats, placed in pixels. Areas without seats are ignored.

Zones become sections, and pixels seat widths. If the numbers of a row's seats are not plain numbers, the seats are
numbered by their order, and what is written on them becomes their labels.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import hypot
from statistics import median
from typing import Any, Final

from pydantic import Field, ValidationError

from app.schemas.format.requests import Lenient
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, Loc, complaints
from app.schemas.imports.lines import line_of, parse
from app.schemas.layouts import Coordinate, LayoutIn

_USUAL_WIDTH: Final = 25.0
"""Pixels from seat to seat, where no row has two."""


class _Position(Lenient):
    x: Coordinate
    y: Coordinate


_ORIGIN: Final = _Position(x=0, y=0)


class _Seat(Lenient):
    seat_number: str
    position: _Position
    category: str = ""


class _Row(Lenient):
    row_number: str
    row_label: str | None = None
    position: _Position = _ORIGIN
    seats: list[_Seat]


class _Zone(Lenient):
    name: str = ""
    position: _Position = _ORIGIN
    rows: list[_Row]


class _Category(Lenient):
    name: str


class _Plan(Lenient):
    name: str = ""
    categories: list[_Category] = Field(default_factory=list)
    zones: list[_Zone]


@dataclass(frozen=True, slots=True)
class _Place:
    """A row that has seats, and where it stands in the file."""

    zone_at: int
    row_at: int
    zone: _Zone
    row: _Row

    @property
    def name(self) -> str:
        return self.row.row_number.strip() or (self.row.row_label or "").strip() or str(self.row_at + 1)

    def xy(self, seat: _Seat) -> tuple[float, float]:
        """In pixels from the corner of the plan."""
        around = (self.zone.position, self.row.position, seat.position)
        return sum(each.x for each in around), sum(each.y for each in around)


def is_pretix(text: str) -> bool:
    """Whether this JSON is a seating plan of pretix. Raises FileWrong if it is not JSON."""
    content = parse(text)
    return isinstance(content, dict) and "zones" in content


def read_pretix(text: str) -> LayoutFile:
    """The layout in a seating plan. Raises FileWrong."""
    try:
        plan = _Plan.model_validate_json(text)
    except ValidationError as error:
        raise FileWrong(complaints(error.errors(), partial(_own_place, text))) from None
    _must_know_categories(plan, text)
    rows = [
        _Place(zone_at, row_at, zone, row)
        for zone_at, zone in enumerate(plan.zones)
        for row_at, row in enumerate(zone.rows)
        if row.seats
    ]
    if not rows:
        raise FileWrong([Complaint(line_of(text, ("zones",)), "zones", "The plan has no row with a seat.")])
    zones = list(dict.fromkeys(place.zone_at for place in rows))
    by_zone = [[place for place in rows if place.zone_at == zone_at] for zone_at in zones]
    place_of = partial(_place, text, by_zone)
    try:
        layout = LayoutIn.model_validate({"sections": list(_sections(by_zone))})
    except ValidationError as error:
        raise FileWrong(complaints(error.errors(), place_of)) from None
    return LayoutFile(layout, place_of, name=plan.name.strip() or None)


def _must_know_categories(plan: _Plan, text: str) -> None:
    """Raises FileWrong if the plan does not define the category of a seat."""
    known = {category.name for category in plan.categories}
    wrong = [
        Complaint(
            *_own_place(text, ("zones", z, "rows", r, "seats", s, "category")),
            "The plan does not define this category.",
        )
        for z, zone in enumerate(plan.zones)
        for r, row in enumerate(zone.rows)
        for s, seat in enumerate(row.seats)
        if known and seat.category and seat.category not in known
    ][:50]
    if wrong:
        raise FileWrong(wrong)


def _sections(by_zone: list[list[_Place]]) -> Iterator[dict[str, Any]]:
    width = _seat_width([place for places in by_zone for place in places])
    labels = Counter(_label(place, seat) for places in by_zone for place in places for seat in place.row.seats)
    for places in by_zone:
        zone = places[0].zone
        name = zone.name.strip() or f"Zone {places[0].zone_at + 1}"
        rows = [{"row": place.name, "seats": list(_seats(place, name, width, labels))} for place in places]
        yield {"name": name, "rows": rows}


def _seats(place: _Place, section: str, width: float, labels: Counter[str]) -> Iterator[dict[str, Any]]:
    written = [seat.seat_number.strip() for seat in place.row.seats]
    has_numbers = all(number.isascii() and number.isdecimal() and len(number) < 7 for number in written)
    for at, (seat, number) in enumerate(zip(place.row.seats, written, strict=True)):
        x, y = place.xy(seat)
        values: dict[str, Any] = {
            "number": int(number) if has_numbers else at + 1,
            "x": round(x / width, 3),
            "y": round(y / width, 3),
        }
        if seat.category.strip():
            values["category"] = seat.category.strip()
        if not has_numbers:
            label = _label(place, seat)
            values["label"] = label if labels[label] == 1 else f"{section}-{place.name}-{number}"
        yield values


def _label(place: _Place, seat: _Seat) -> str:
    return f"{place.row.row_number.strip()}{seat.seat_number.strip()}"


def _seat_width(rows: list[_Place]) -> float:
    """The usual distance of neighbouring seats, in pixels."""
    gaps = [
        hypot(other.position.x - one.position.x, other.position.y - one.position.y)
        for place in rows
        for one, other in pairwise(place.row.seats)
    ]
    gaps = [gap for gap in gaps if gap > 0]
    return median(gaps) if gaps else _USUAL_WIDTH


# Which member of a seat in the plan a member of ours comes from.
_FIELDS: Final = {
    "number": "seat_number",
    "label": "seat_number",
    "category": "category",
    "x": "position",
    "y": "position",
}


def _place(text: str, by_zone: list[list[_Place]], loc: Loc) -> tuple[int, str]:
    """The line and the field of the plan that a path into the layout comes from."""
    numbers = [step for step in loc if isinstance(step, int)]
    last = loc[-1] if loc else ""
    if not numbers:
        return _own_place(text, ("zones",))
    places = by_zone[numbers[0]]
    path: Loc = ("zones", places[0].zone_at)
    if len(numbers) == 1:
        return _own_place(text, (*path, "name" if last == "name" else "rows"))
    path = (*path, "rows", places[numbers[1]].row_at)
    if len(numbers) == 2:
        return _own_place(text, (*path, "row_number" if last == "row" else "seats"))
    path = (*path, "seats", numbers[2])
    return _own_place(text, (*path, _FIELDS[last]) if last in _FIELDS else path)


def _own_place(text: str, loc: Loc) -> tuple[int, str]:
    return line_of(text, loc), ".".join(str(step) for step in loc)
