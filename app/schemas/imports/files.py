"""A layout from a file, the mistakes in such a file, and what is said about it otherwise."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from app.domain.refusals import Flaw
from app.schemas.format.faults import code_and_message
from app.schemas.house.layouts import LayoutIn

Loc = tuple[str | int, ...]
PlaceOf = Callable[[Loc], tuple[int | None, str]]
"""In which line, and in which field, a path into the layout stands."""

Told = TypeVar("Told")

MOST_COMPLAINTS: Final = 50
"""Of all that is wrong with a file, so many are told. Where they stand is looked up for these only."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A mistake in a file, or a warning. `line` counts from 1; None: it is about the whole file."""

    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line else []
        return ": ".join([*where, *([self.field] if self.field else []), self.message])


class FileWrong(Exception):
    """The file has no valid layout. The text has a line for each mistake that is told, and how many more there are."""

    def __init__(self, complaints: Iterable[Complaint], count: int | None = None) -> None:
        """`count` is how many there are, if `complaints` are not all of them."""
        every = tuple(complaints)
        self.complaints = every[:MOST_COMPLAINTS]
        self.more = (len(every) if count is None else count) - len(self.complaints)
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """What is said to a person."""
        said = [str(each) for each in self.complaints]
        return [*said, f"and {self.more} more mistakes."] if self.more else said


@dataclass(frozen=True, slots=True)
class LayoutFile:
    """A layout from a file, and what its author should know about it."""

    layout: LayoutIn
    place_of: PlaceOf
    name: str | None = None
    timezone: str | None = None
    warnings: tuple[Complaint, ...] = ()
    says_where_people_look: bool = False
    """Does the format have a focal point? If not, that of the theater stays."""

    def wrong(self, flaws: Iterable[Flaw]) -> FileWrong:
        """The flaws that the rules found in the layout, with their lines in the file."""
        every = tuple(flaws)
        return FileWrong(
            (
                Complaint(*self.place_of(flaw.loc[1:] if flaw.loc[:1] == ("layout",) else flaw.loc), flaw.message)
                for flaw in every[:MOST_COMPLAINTS]
            ),
            count=len(every),
        )


def wrong_values(error: ValidationError, place_of: PlaceOf) -> FileWrong:
    """What pydantic found, with its lines in the file."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return FileWrong((_complaint(each, place_of) for each in told(errors)), count=len(errors))


def told(every: Iterable[Told]) -> Iterable[Told]:
    """The first of them, as many as are told."""
    return (each for each, _ in zip(every, range(MOST_COMPLAINTS), strict=False))


def at_one_place(layout: LayoutIn, place_of: PlaceOf) -> Iterable[Complaint]:
    """Warnings about seats that are drawn on top of each other."""
    places = [
        ((seat.x, seat.y), ("sections", s, "rows", r, "seats", at, "x"))
        for s, section in enumerate(layout.sections)
        for r, row in enumerate(section.rows)
        for at, seat in enumerate(() if isinstance(row.seats, int) else row.seats)
        if seat.x is not None and seat.y is not None
    ]
    counts = Counter(xy for xy, _ in places)
    seen: set[tuple[float | None, float | None]] = set()
    for xy, loc in places:
        if counts[xy] > 1 and xy in seen:
            yield Complaint(*place_of(loc), f"Another seat is at the same place, {xy[0]:g}, {xy[1]:g}.")
        seen.add(xy)


def _complaint(error: Mapping[str, Any], place_of: PlaceOf) -> Complaint:
    return Complaint(*place_of(error["loc"]), code_and_message(error)[1])
