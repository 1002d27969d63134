"""Seats and the layout they stand in. A seat is a place in the house; who has it for a screening is a claim."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.refusals import UnknownSeats


class SeatStatus(StrEnum):
    """What a seat of a screening is, told from where the reader stands."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    RESERVED_BY_ME = "reserved_by_me"
    BOOKED = "booked"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Seat:
    """One place in a theater. `label` is unique there; `x` and `y` are in seat widths, the stage at smaller `y`."""

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


@dataclass(frozen=True, slots=True)
class SeatNames:
    """The seats that a caller named, by id or by label: exactly one of the two, in the caller's order, none twice."""

    ids: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """A theater's seats in their order, as they were at one revision.

    `former` are the labels of seats that the theater had before, or has since: on no map and in nobody's reach, but on
    old tickets.
    """

    theater_id: int
    revision: int
    seats: tuple[Seat, ...]
    former: Mapping[int, str] = field(default_factory=dict, repr=False)
    by_id: Mapping[int, Seat] = field(init=False, repr=False, compare=False)
    by_label: Mapping[str, Seat] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {seat.id: seat for seat in self.seats})
        object.__setattr__(self, "by_label", {seat.label: seat for seat in self.seats})

    def find(self, names: SeatNames) -> tuple[Seat, ...]:
        """The seats meant, in the caller's order.

        Raises UnknownSeats naming every one that this theater does not have, as it was given.
        """
        found: list[Seat] = []
        unknown: list[int | str] = []
        for wanted, seat in self._look_up(names):
            if seat is None:
                unknown.append(wanted)
            else:
                found.append(seat)
        if unknown:
            raise UnknownSeats(tuple(unknown))
        return tuple(found)

    def label_of(self, seat_id: int) -> str:
        """What a ticket says, also of a seat that was taken out of the house since."""
        seat = self.by_id.get(seat_id)
        return seat.label if seat else self.former.get(seat_id, str(seat_id))

    def _look_up(self, names: SeatNames) -> Iterable[tuple[int | str, Seat | None]]:
        for seat_id in names.ids:
            yield seat_id, self.by_id.get(seat_id)
        for label in names.labels:
            yield label, self.by_label.get(label)
