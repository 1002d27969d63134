"""From an organizer's plan to the seats of the house: categories, labels, places (docs/api.md, section 4)."""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.refusals import Flaw, Flawed, LayoutInUse, SeatInUse
from app.domain.seats import Layout, Seat

MAX_SEATS: Final = 50_000
DEFAULT_CATEGORY: Final = "standard"
# In seat widths: from one row to the next, and the same once more between two sections.
ROW_PITCH: Final = 1.5


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """A seat as it was planned; None is what the plan leaves open."""

    number: int
    label: str | None = None
    category: str | None = None
    accessible: bool = False
    companion: bool = False
    restricted_view: bool = False
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A row: so many seats numbered from 1, or each one by itself."""

    row: str
    seats: int | Sequence[SeatPlan]
    category: str | None = None

    @property
    def size(self) -> int:
        return self.seats if isinstance(self.seats, int) else len(self.seats)


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """A part of the house with its rows, the one next to the stage first."""

    name: str
    rows: Sequence[RowPlan]
    category: str | None = None


@dataclass(frozen=True, slots=True)
class SeatDraft:
    """A seat of a layout that was not written down yet: everything but its id."""

    label: str
    section: str
    row: str
    number: int
    category: str
    accessible: bool
    companion: bool
    restricted_view: bool
    x: float
    y: float


@dataclass(slots=True, eq=False)
class LayoutRefused(Flawed):
    """No house can be built from this plan."""


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """What becomes of a house: each seat as it will be with the id that it keeps (None: a new seat), and who goes."""

    seats: tuple[tuple[SeatDraft, int | None], ...]
    gone: tuple[Seat, ...]

    def must_leave_alone(self, seat_ids: Container[int]) -> None:
        """Raises LayoutInUse naming those of the seats that go which are among `seat_ids`: somebody has them."""
        if taken := tuple(SeatInUse(seat.id, seat.label) for seat in self.gone if seat.id in seat_ids):
            raise LayoutInUse(taken)


@dataclass(slots=True)
class _Place:
    """A seat on its way from plan to draft, with its path in the plan."""

    section_at: int
    row_at: int
    seat_at: int
    section: str
    row: str
    category: str
    plan: SeatPlan
    label: str = ""
    x: float = 0.0
    y: float = 0.0

    @property
    def loc(self) -> tuple[str | int, ...]:
        return ("sections", self.section_at, "rows", self.row_at, "seats", self.seat_at)

    @property
    def name(self) -> str:
        """Its default label in a house where short ones would clash."""
        return f"{self.section}-{self.row}-{self.plan.number}"


def lay_out(sections: Sequence[SectionPlan]) -> tuple[SeatDraft, ...]:
    """The seats of the house, in the order of the plan.

    Raises LayoutRefused when it has too many, when a row has a number twice, and when labels clash.
    """
    size = sum(row.size for section in sections for row in section.rows)
    if size > MAX_SEATS:
        flaw = Flaw(("sections",), "too_many_seats", f"{size} seats; at most {MAX_SEATS} are allowed.")
        raise LayoutRefused((flaw,))
    places = list(_places(sections))
    _refuse_numbers_twice(places)
    _label(places)
    _put_in_place(places)
    return tuple(_draft(place) for place in places)


def rebuild(standing: Layout, drafts: Sequence[SeatDraft]) -> Rebuilding:
    """From the house as it stands to the one that is planned. A seat is known by its label, and keeps its id; one that
    was taken out earlier and comes back is the same seat again."""
    known = {label: seat_id for seat_id, label in standing.former.items()}
    known |= {label: seat.id for label, seat in standing.by_label.items()}
    planned = {draft.label for draft in drafts}
    return Rebuilding(
        seats=tuple((draft, known.get(draft.label)) for draft in drafts),
        gone=tuple(seat for seat in standing.seats if seat.label not in planned),
    )


def categories_of(drafts: Sequence[SeatDraft]) -> tuple[str, ...]:
    """The categories of a house, each once, in the order of its seats."""
    return tuple(dict.fromkeys(draft.category for draft in drafts))


def _places(sections: Sequence[SectionPlan]) -> Iterator[_Place]:
    for section_at, section in enumerate(sections):
        for row_at, row in enumerate(section.rows):
            seats = [SeatPlan(number + 1) for number in range(row.seats)] if isinstance(row.seats, int) else row.seats
            for seat_at, seat in enumerate(seats):
                category = seat.category or row.category or section.category or DEFAULT_CATEGORY
                yield _Place(section_at, row_at, seat_at, section.name, row.row, category, seat)


def _refuse_numbers_twice(places: Sequence[_Place]) -> None:
    numbered: set[tuple[str, str, int]] = set()
    flaws: list[Flaw] = []
    for place in places:
        key = (place.section, place.row, place.plan.number)
        if key in numbered:
            message = f'Seat {place.plan.number} stands twice in row "{place.row}" of section "{place.section}".'
            flaws.append(Flaw((*place.loc, "number"), "number_twice", message))
        numbered.add(key)
    if flaws:
        raise LayoutRefused(tuple(flaws))


def _label(places: Sequence[_Place]) -> None:
    """As given; else row and number ("A1"), but if one of those would clash anywhere, all of those get the section."""
    short = [place.plan.label or f"{place.row}{place.plan.number}" for place in places]
    used = Counter(short)
    clash = any(place.plan.label is None and used[label] > 1 for place, label in zip(places, short, strict=True))
    for place, label in zip(places, short, strict=True):
        place.label = place.name if clash and place.plan.label is None else label
    _refuse_labels_twice(places)


def _refuse_labels_twice(places: Sequence[_Place]) -> None:
    first: dict[str, _Place] = {}
    flaws: list[Flaw] = []
    for place in places:
        other = first.setdefault(place.label, place)
        if other is not place:
            message = f'The label "{place.label}" is given twice: to {other.name} and to {place.name}.'
            flaws.append(Flaw((*place.loc, "label"), "label_twice", message))
    if flaws:
        raise LayoutRefused(tuple(flaws))


def _put_in_place(places: Sequence[_Place]) -> None:
    """Where the plan says; else row by row below everything that has a place, each row in the middle."""
    lowest = max((place.plan.y for place in places if place.plan.y is not None), default=None)
    line = 0.0 if lowest is None else lowest + 2 * ROW_PITCH
    rows: dict[tuple[str, str], list[_Place]] = {}
    for place in places:  # a row may be planned in parts, one for each category
        rows.setdefault((place.section, place.row), []).append(place)
    section_before: str | None = None
    for (section, _), seats in rows.items():
        y = next((place.plan.y for place in seats if place.plan.y is not None), None)
        if y is None:
            if section_before not in (None, section):
                line += ROW_PITCH
            section_before = section
            y = line
            line += ROW_PITCH
        _put_in_row(seats, y)


def _put_in_row(seats: Sequence[_Place], y: float) -> None:
    left = (1 - len(seats)) / 2
    for at, place in enumerate(seats):
        place.x = left + at if place.plan.x is None else place.plan.x
        place.y = y if place.plan.y is None else place.plan.y


def _draft(place: _Place) -> SeatDraft:
    plan = place.plan
    return SeatDraft(
        label=place.label,
        section=place.section,
        row=place.row,
        number=plan.number,
        category=place.category,
        accessible=plan.accessible,
        companion=plan.companion,
        restricted_view=plan.restricted_view,
        x=place.x,
        y=place.y,
    )
