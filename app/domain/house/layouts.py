"""Makes the seats of a theater from an organizer's plan: categories, labels, places (docs/api.md, section 4)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from app.domain.refusals import Flaw, Flawed
from app.domain.values import value

MAX_SEATS: Final = 50_000
DEFAULT_CATEGORY: Final = "standard"
# In seat widths: from one row to the next, and the same once more between two sections.
ROW_PITCH: Final = 1.5


@value(frozen=True, slots=True)
class SeatPlan:
    """A planned seat. None: the plan says nothing."""

    number: int
    label: str | None = None
    category: str | None = None
    accessible: bool = False
    companion: bool = False
    restricted_view: bool = False
    x: float | None = None
    y: float | None = None
    aisle_after: bool = False


@value(frozen=True, slots=True)
class RowPlan:
    """A planned row: how many seats, numbered from 1, or each seat."""

    row: str
    seats: int | Sequence[SeatPlan]
    category: str | None = None

    @property
    def size(self) -> int:
        return self.seats if isinstance(self.seats, int) else len(self.seats)


@value(frozen=True, slots=True)
class SectionPlan:
    """A planned section and its rows, the one next to the stage first."""

    name: str
    rows: Sequence[RowPlan]
    category: str | None = None


@value(frozen=True, slots=True)
class SeatDraft:
    """A seat of a layout that was not written down yet: everything but its id.

    `given_label` is the label that the plan gives, if it does; `loc` is the seat's path in the plan.
    """

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
    given_label: str | None = None
    loc: tuple[str | int, ...] = ()
    aisle_after: bool = False

    @property
    def place(self) -> tuple[str, str, int]:
        """Section, row and number, which no other seat of the house has."""
        return self.section, self.row, self.number

    @property
    def short_label(self) -> str:
        """Its default label in a house where those do not clash."""
        return f"{self.row}{self.number}"

    @property
    def long_label(self) -> str:
        """Its default label in a house where short ones would clash."""
        return f"{self.section}-{self.row}-{self.number}"


@dataclass(slots=True, eq=False)
class LayoutRefused(Flawed):
    """The plan cannot be a layout."""


class Categorized(Protocol):
    """A seat, or the draft of one."""

    @property
    def category(self) -> str: ...


@dataclass(slots=True)
class _Place:
    """A seat between plan and draft, with its path in the plan."""

    section_at: int
    row_at: int
    seat_at: int
    section: str
    row: str
    category: str
    plan: SeatPlan
    x: float = 0.0
    y: float = 0.0

    @property
    def loc(self) -> tuple[str | int, ...]:
        return ("sections", self.section_at, "rows", self.row_at, "seats", self.seat_at)


def draw(sections: Sequence[SectionPlan]) -> tuple[SeatDraft, ...]:
    """The seats of the house, in the order of the plan: all but what they will be called.

    Raises LayoutRefused when it has too many, and when a row has a number twice.
    """
    size = sum(row.size for section in sections for row in section.rows)
    if size > MAX_SEATS:
        flaw = Flaw(("sections",), "too_many_seats", f"The layout has {size} seats; at most {MAX_SEATS} are allowed.")
        raise LayoutRefused((flaw,))
    places = list(_places(sections))
    _refuse_numbers_twice(places)
    _put_in_place(places)
    return tuple(_draft(place) for place in places)


def lay_out(sections: Sequence[SectionPlan]) -> tuple[SeatDraft, ...]:
    """The seats of a new house. Raises LayoutRefused as `draw` does, and when labels clash."""
    drafts = draw(sections)
    return label(drafts, [None] * len(drafts))


def short_labels_clash(drafts: Iterable[SeatDraft]) -> bool:
    """Would a default label that is short clash anywhere in a new house of these seats?"""
    used = Counter(draft.given_label or draft.short_label for draft in drafts)
    return any(draft.given_label is None and used[draft.short_label] > 1 for draft in drafts)


def label(drafts: Sequence[SeatDraft], kept: Sequence[str | None]) -> tuple[SeatDraft, ...]:
    """The drafts with their labels: the given one; else the one that is kept, of each in turn; else a default one.

    That is row and number ("A1"), but if those would clash anywhere in the house, all of them get the section. Raises
    LayoutRefused when labels clash.
    """
    known = [draft.given_label or old for draft, old in zip(drafts, kept, strict=True)]
    in_use = {name for name in known if name is not None}
    are_long = short_labels_clash(drafts) or any(
        name is None and draft.short_label in in_use for draft, name in zip(drafts, known, strict=True)
    )
    labels = [
        name or (draft.long_label if are_long else draft.short_label) for draft, name in zip(drafts, known, strict=True)
    ]
    _refuse_labels_twice(drafts, labels)
    return tuple(
        draft if draft.label == name else replace(draft, label=name) for draft, name in zip(drafts, labels, strict=True)
    )


def categories_of(seats: Iterable[Categorized]) -> tuple[str, ...]:
    """The categories of a house, each once, in the order of its seats."""
    return tuple(dict.fromkeys(seat.category for seat in seats))


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
            message = (
                f'Row "{place.row}" of section "{place.section}" has two seats with the number {place.plan.number}.'
            )
            flaws.append(Flaw((*place.loc, "number"), "number_twice", message))
        numbered.add(key)
    if flaws:
        raise LayoutRefused(tuple(flaws))


def _refuse_labels_twice(drafts: Sequence[SeatDraft], labels: Sequence[str]) -> None:
    first: dict[str, SeatDraft] = {}
    flaws: list[Flaw] = []
    for draft, name in zip(drafts, labels, strict=True):
        other = first.setdefault(name, draft)
        if other is not draft:
            message = f'Two seats have the label "{name}": {other.long_label} and {draft.long_label}.'
            flaws.append(Flaw((*draft.loc, "label"), "label_twice", message))
    if flaws:
        raise LayoutRefused(tuple(flaws))


def _put_in_place(places: Sequence[_Place]) -> None:
    """Places as given, else row by row behind everything that has a place, each row centered."""
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
        label=plan.label or f"{place.row}{plan.number}",
        section=place.section,
        row=place.row,
        number=plan.number,
        category=place.category,
        accessible=plan.accessible,
        companion=plan.companion,
        restricted_view=plan.restricted_view,
        x=place.x,
        y=place.y,
        given_label=plan.label,
        loc=place.loc,
        aisle_after=plan.aisle_after,
    )
