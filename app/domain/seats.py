"""Seats and layouts. A seat is a place in a theater; who has it for a screening is a claim."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from app.domain.refusals import UnknownSeats
from app.domain.texts import same
from app.domain.values import value


class SeatStatus(StrEnum):
    """The status of a seat in a screening, as the reader sees it."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    RESERVED_BY_ME = "reserved_by_me"
    BOOKED = "booked"
    BLOCKED = "blocked"


@value(frozen=True, slots=True)
class Seat:
    """One place in a theater.

    `label` is unique there; `x` and `y` are in seat widths, and `y` grows away from the stage. `aisle_after` says that
    an aisle is between it and the next seat of its row, whatever their places say.
    """

    id: int
    label: str
    section: str
    row: str
    number: int
    category: str
    accessible: bool = False
    companion: bool = False
    restricted_view: bool = False
    x: float = 0.0
    y: float = 0.0
    aisle_after: bool = False

    @property
    def is_reserved_place(self) -> bool:
        """Whether it is for a wheelchair user or a companion: not given to whoever did not ask for it."""
        return self.accessible or self.companion


@value(frozen=True, slots=True)
class Point:
    """A place in a house, in seat widths."""

    x: float
    y: float


@value(frozen=True, slots=True)
class SeatNames:
    """The seats that a caller named: either ids or labels, in the caller's order, each once."""

    ids: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Layout:
    """The seats of a theater in their order, at one revision.

    `former` are the labels of seats that the theater had before, or has since: on no map and in nobody's reach, but on
    old tickets. `focal_point` is where everybody looks; None: the middle of the front.
    """

    theater_id: int
    revision: int
    seats: tuple[Seat, ...]
    former: Mapping[int, str] = field(default_factory=dict, repr=False)
    focal_point: Point | None = None
    by_id: Mapping[int, Seat] = field(init=False, repr=False, compare=False)
    by_label: Mapping[str, Seat] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {seat.id: seat for seat in self.seats})
        object.__setattr__(self, "by_label", {same(seat.label): seat for seat in self.seats})

    def find(self, names: SeatNames) -> tuple[Seat, ...]:
        """The named seats, in the caller's order.

        Raises UnknownSeats with all names that this theater does not have, as they were given.
        """
        found = (*map(self.by_id.get, names.ids), *map(self.by_label.get, names.labels))
        seats = tuple(filter(None, found))
        if len(seats) < len(found):
            named: tuple[int | str, ...] = (*names.ids, *names.labels)
            raise UnknownSeats(tuple(each for each, seat in zip(named, found, strict=True) if seat is None))
        return seats

    def label_of(self, seat_id: int) -> str:
        """The label of a seat, even of one that was removed."""
        seat = self.by_id.get(seat_id)
        return seat.label if seat else self.former.get(seat_id, str(seat_id))
