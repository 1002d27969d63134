"""What may be asked of the box office: one command, one decision, all or nothing."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.people import Person
from app.domain.seats import SeatNames


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold these seats in a new reservation with this id (docs/api.md, section 7)."""

    buyer: Person
    seats: SeatNames
    reservation_id: UUID


@dataclass(frozen=True, slots=True)
class Toggle:
    """Available seats become mine, mine become available. `reservation_id` is for the new one, if one must be made."""

    buyer: Person
    seats: SeatNames
    reservation_id: UUID


@dataclass(frozen=True, slots=True)
class Release:
    """Give back one reservation, or one seat of it."""

    buyer: Person
    reservation_id: UUID
    seat_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReleaseAll:
    """Give back everything that I hold in the screening."""

    buyer: Person


@dataclass(frozen=True, slots=True)
class Extend:
    """A fresh hold time from now, never past the cap."""

    buyer: Person
    reservation_id: UUID


@dataclass(frozen=True, slots=True)
class Confirm:
    """Book what a reservation holds. The payment was made under `payment_reference`."""

    buyer: Person
    reservation_id: UUID
    booking_id: UUID
    payment_reference: str


@dataclass(frozen=True, slots=True)
class Book:
    """Book seats directly, held by me or by nobody. The payment was made under `payment_reference`."""

    buyer: Person
    seats: SeatNames
    booking_id: UUID
    payment_reference: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Undo a booking, or one seat of it. Whoever runs the house may undo anybody's."""

    buyer: Person
    booking_id: UUID
    seat_id: int | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """Tidy up these reservations if their time is over."""

    reservation_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Take seats off sale, as far as nobody has them."""

    by: Person
    seats: SeatNames
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Unblock:
    """Put seats that were taken off sale back."""

    by: Person
    seats: SeatNames


@dataclass(frozen=True, slots=True)
class Close:
    """Undo these holds and bookings of a cancelled screening. `by` None: an interrupted closing goes on by itself."""

    by: Person | None
    reservation_ids: tuple[UUID, ...]
    booking_ids: tuple[UUID, ...]


Command = Hold | Toggle | Release | ReleaseAll | Extend | Confirm | Book | Cancel | Expire | Block | Unblock | Close
