"""Seating plans of pretix: zones with rows of seats, placed in pixels; also as its API wraps them.

Zones become sections, and pixels seat widths. If the numbers of a row's seats are not plain numbers, the seats are
numbered by their order in all parts of the row, and what is written on them becomes their labels. Areas (stage, bar,
standing room) have no seats: they are named in a warning. A plan that Usher wrote (`exports.pretix`) says what a seat
is in its `seat_guid`, and comes back as it was.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import hypot
from statistics import median
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from app.schemas.format.requests import LETTING_OTHERS, Lenient
from app.schemas.house.layouts import Coordinate, LayoutIn
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, Loc, told, wrong_values
from app.schemas.imports.lines import Lines
from app.schemas.imports.numbers import leading_number
from app.schemas.imports.ours import Ours, ours_of

_USUAL_WIDTH: Final = 25.0
"""Pixels from seat to seat, where no seat has another one near it."""
_OUTLIERS: Final = 100
"""One seat of so many may stand too near to another one by mistake: the scale does not follow it."""


class _Position(Lenient):
    x: Coordinate
    y: Coordinate


_ORIGIN: Final = _Position(x=0, y=0)


class _Seat(Lenient):
    seat_number: str
    position: _Position
    category: str = ""
    seat_guid: str = ""


class _Row(Lenient):
    row_number: str
    row_label: str | None = None
    position: _Position = _ORIGIN
    seats: list[Annotated[_Seat, LETTING_OTHERS]]


class _Area(Lenient):
    text: Any = None


class _Zone(Lenient):
    name: str = ""
    position: _Position = _ORIGIN
    rows: list[Annotated[_Row, LETTING_OTHERS]]
    areas: list[Annotated[_Area, LETTING_OTHERS]] = Field(default_factory=list)


class _Category(Lenient):
    name: str


class _Plan(Lenient):
    name: str = ""
    categories: list[Annotated[_Category, LETTING_OTHERS]] = Field(default_factory=list)
    zones: list[Annotated[_Zone, LETTING_OTHERS]]


class _Wrapped(Lenient):
    """As the API of pretix answers."""

    name: Any = None
    layout: _Plan


@dataclass(frozen=True, slots=True)
class _Place:
    """A row, or a part of one, that has seats; and where it stands in the file."""

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


class _Source:
    """Where the values of a plan stand in its text."""

    def __init__(self, text: str, within: Loc) -> None:
        self._lines = Lines(text)
        self._within = within

    def place(self, loc: Loc) -> tuple[int, str]:
        """The line and the path of a value of the plan."""
        return self._lines.line_of((*self._within, *loc)), ".".join(str(step) for step in loc)

    def place_in_text(self, loc: Loc) -> tuple[int, str]:
        """The same for a path into the whole text."""
        return self._lines.line_of(loc), ".".join(str(step) for step in loc)


def is_pretix(content: Any) -> bool:
    """Whether this JSON is a seating plan of pretix."""
    return isinstance(content, dict) and ("zones" in content or _is_wrapped(content))


def read_pretix(text: str, content: Any) -> LayoutFile:
    """The layout in a seating plan of this text, and of this content. Raises FileWrong."""
    within: Loc = ("layout",) if _is_wrapped(content) else ()
    source = _Source(text, within)
    try:
        plan = _Wrapped.model_validate(content).layout if within else _Plan.model_validate(content)
    except ValidationError as error:
        raise wrong_values(error, source.place_in_text) from None
    _must_know_categories(plan, source)
    rows = [
        _Place(zone_at, row_at, zone, row)
        for zone_at, zone in enumerate(plan.zones)
        for row_at, row in enumerate(zone.rows)
        if row.seats
    ]
    if not rows:
        raise FileWrong([Complaint(*source.place(("zones",)), "The plan has no row with a seat.")])
    zones = list(dict.fromkeys(place.zone_at for place in rows))
    by_zone = [[place for place in rows if place.zone_at == zone_at] for zone_at in zones]
    place_of = partial(_place, source, by_zone)
    try:
        layout = LayoutIn.model_validate({"sections": list(_sections(by_zone))})
    except ValidationError as error:
        raise wrong_values(error, place_of) from None
    warnings = (*_areas(plan, source), *_same_guid(rows, source))
    return LayoutFile(layout, place_of, name=plan.name.strip() or None, warnings=warnings)


def _is_wrapped(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("layout"), dict) and "zones" in content["layout"]


def _must_know_categories(plan: _Plan, source: _Source) -> None:
    """Raises FileWrong if the plan does not define the category of a seat."""
    known = {category.name for category in plan.categories}
    wrong: list[Loc] = [
        ("zones", z, "rows", r, "seats", s, "category")
        for z, zone in enumerate(plan.zones)
        for r, row in enumerate(zone.rows)
        for s, seat in enumerate(row.seats)
        if known and seat.category and seat.category not in known
    ]
    if wrong:
        said = "The plan does not define this category."
        raise FileWrong((Complaint(*source.place(loc), said) for loc in told(wrong)), count=len(wrong))


def _areas(plan: _Plan, source: _Source) -> Iterator[Complaint]:
    for z, zone in enumerate(plan.zones):
        for a, area in enumerate(zone.areas):
            written = area.text.get("text") if isinstance(area.text, dict) else area.text
            name = f' "{written.strip()[:64]}"' if isinstance(written, str) and written.strip() else ""
            said = f"The area{name} has no seats. It is not imported."
            yield Complaint(*source.place(("zones", z, "areas", a)), said)


def _same_guid(rows: Iterable[_Place], source: _Source) -> Iterator[Complaint]:
    seen: set[str] = set()
    for place in rows:
        for at, seat in enumerate(place.row.seats):
            if seat.seat_guid and seat.seat_guid in seen:
                loc = ("zones", place.zone_at, "rows", place.row_at, "seats", at, "seat_guid")
                yield Complaint(*source.place(loc), "Another seat has the same seat_guid.")
            seen.add(seat.seat_guid)


def _sections(by_zone: list[list[_Place]]) -> Iterator[dict[str, Any]]:
    every = [place for places in by_zone for place in places]
    ours = ours_of(seat.seat_guid for place in every for seat in place.row.seats)
    width = _seat_width(every)
    labels = Counter(_label(place, seat) for place in every for seat in place.row.seats)
    for places in by_zone:
        zone = places[0].zone
        name = zone.name.strip() or f"Zone {places[0].zone_at + 1}"
        numbers = _numbers(places)
        rows = [
            {"row": place.name, "seats": list(_seats(place, name, width, labels, numbers, ours))} for place in places
        ]
        yield {"name": name, "rows": rows}


def _numbers(places: list[_Place]) -> dict[tuple[int, int], tuple[int, bool]]:
    """The number of each seat of a zone by part of a row and place in it, and whether that is what is written on it.

    A row may be in several parts, as at an aisle. If some of its seats have no plain number, the numbers in front of
    the letters count if each is there once; else the order does.
    """
    rows: dict[str, list[tuple[tuple[int, int], str]]] = {}
    for place in places:
        for at, seat in enumerate(place.row.seats):
            rows.setdefault(place.name, []).append(((place.row_at, at), seat.seat_number.strip()))
    found: dict[tuple[int, int], tuple[int, bool]] = {}
    for seats in rows.values():
        if all(number.isascii() and number.isdecimal() and len(number) < 7 for _, number in seats):
            found |= {key: (int(number), True) for key, number in seats}
            continue
        leading = [leading_number(number) for _, number in seats]
        are_good = None not in leading and len({*leading}) == len(leading)
        for at, (key, _) in enumerate(seats):
            number = leading[at] if are_good else at + 1
            found[key] = (at + 1 if number is None else number, False)
    return found


def _seats(
    place: _Place,
    section: str,
    width: float,
    labels: Mapping[str, int],
    numbers: Mapping[tuple[int, int], tuple[int, bool]],
    ours: Mapping[str, Ours],
) -> Iterator[dict[str, Any]]:
    for at, seat in enumerate(place.row.seats):
        number, is_plain = numbers[place.row_at, at]
        values: dict[str, Any] = {"number": number}
        if seat.category.strip():
            values["category"] = seat.category.strip()
        if (own := ours.get(seat.seat_guid)) is not None:
            yield values | own.values(seat.position.x, seat.position.y)
            continue
        x, y = place.xy(seat)
        values |= {"x": round(x / width, 3), "y": round(y / width, 3)}
        if not is_plain:
            label = _label(place, seat)
            values["label"] = label if labels[label] == 1 else f"{section}-{place.name}-{seat.seat_number.strip()}"
        yield values


def _label(place: _Place, seat: _Seat) -> str:
    return f"{place.row.row_number.strip()}{seat.seat_number.strip()}"


def _seat_width(rows: list[_Place]) -> float:
    """Pixels from a seat to the nearest one: so near that no two seats overlap, at tables as on benches."""
    points = [place.xy(seat) for place in rows for seat in place.row.seats]
    gaps = [
        hypot(other.position.x - one.position.x, other.position.y - one.position.y)
        for place in rows
        for one, other in pairwise(place.row.seats)
    ]
    cell = median([gap for gap in gaps if gap > 0] or [_USUAL_WIDTH])
    nearest = sorted(_nearest(points, cell))
    return nearest[len(nearest) // _OUTLIERS] if nearest else cell


def _nearest(points: list[tuple[float, float]], cell: float) -> Iterator[float]:
    """The distance of each point to the nearest other one, where one is within a cell's width."""
    cells: dict[tuple[int, int], set[tuple[float, float]]] = {}
    for x, y in points:
        cells.setdefault((int(x // cell), int(y // cell)), set()).add((x, y))
    for (column, row), members in cells.items():
        around = [point for dx in (-1, 0, 1) for dy in (-1, 0, 1) for point in cells.get((column + dx, row + dy), ())]
        for x, y in members:
            near = min((hypot(x - a, y - b) for a, b in around if (a, b) != (x, y)), default=None)
            if near is not None and near <= cell:
                yield near


# Which member of a seat in the plan a member of ours comes from.
_FIELDS: Final = {
    "number": "seat_number",
    "label": "seat_number",
    "category": "category",
    "x": "position",
    "y": "position",
}


def _place(source: _Source, by_zone: list[list[_Place]], loc: Loc) -> tuple[int, str]:
    """The line and the field of the plan that a path into the layout comes from."""
    numbers = [step for step in loc if isinstance(step, int)]
    last = loc[-1] if loc else ""
    if not numbers:
        return source.place(("zones",))
    places = by_zone[numbers[0]]
    path: Loc = ("zones", places[0].zone_at)
    if len(numbers) == 1:
        return source.place((*path, "name" if last == "name" else "rows"))
    path = (*path, "rows", places[numbers[1]].row_at)
    if len(numbers) == 2:
        return source.place((*path, "row_number" if last == "row" else "seats"))
    path = (*path, "seats", numbers[2])
    return source.place((*path, _FIELDS[last]) if last in _FIELDS else path)
