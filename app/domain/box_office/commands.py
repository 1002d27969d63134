"""The commands of the box office. Each gets one decision: all or nothing.

`address`: from where a caller without an account asks, if that is limited.
"""

from dataclasses import dataclass
from uuid import UUID

from app.domain.box_office.addresses import Address
from app.domain.people import Person
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold these seats, or the best available, in a new reservation with this id (docs/api.md, section 7)."""

    buyer: Person
    seats: SeatNames
    reservation_id: UUID
    address: Address | None = None
    wish: Wish | None = None


@dataclass(frozen=True, slots=True)
class Toggle:
    """Take those of the seats that are available, and give back those that the user holds.

    `reservation_id` is the id of the new reservation, if one is needed.
    """

    buyer: Person
    seats: SeatNames
    reservation_id: UUID
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Release a reservation, or one seat of it. Staff may release everybody's."""

    buyer: Person
    reservation_id: UUID
    seat_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReleaseAll:
    """Release everything that the user holds in the screening."""

    buyer: Person


@dataclass(frozen=True, slots=True)
class Extend:
    """Let a hold last for a full hold time from now, but not beyond the cap."""

    buyer: Person
    reservation_id: UUID
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """Book the seats of a reservation. `payment_reference` is the provider's, for a payment that was made."""

    buyer: Person
    reservation_id: UUID
    booking_id: UUID
    payment_reference: str


@dataclass(frozen=True, slots=True)
class Book:
    """Book these seats, or the best available, directly.

    `payment_reference` is the provider's, for a payment that was made.
    """

    buyer: Person
    seats: SeatNames
    booking_id: UUID
    payment_reference: str
    wish: Wish | None = None


@dataclass(frozen=True, slots=True)
class Find:
    """Which seats would be the best available? `max_price_minor` is what one may cost, in minor units."""

    wish: Wish
    max_price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Could these seats be held? `buyer` None: by somebody whom nobody knows."""

    buyer: Person | None
    seats: SeatNames
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a booking, or one seat of it. Organizers may cancel everybody's."""

    buyer: Person
    booking_id: UUID
    seat_id: int | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """Expire those of these reservations whose time is over."""

    reservation_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Block those of the seats that are available; `when_free`: those that are held as soon as their holds end."""

    by: Person
    seats: SeatNames
    reason: str | None = None
    when_free: bool = False


@dataclass(frozen=True, slots=True)
class Unblock:
    """Unblock seats."""

    by: Person
    seats: SeatNames


@dataclass(frozen=True, slots=True)
class Close:
    """Undo these holds and bookings of a cancelled screening. `by` None: an interrupted closing that is continued."""

    by: Person | None
    reservation_ids: tuple[UUID, ...]
    booking_ids: tuple[UUID, ...]


Command = (
    Find
    | Check
    | Hold
    | Toggle
    | Release
    | ReleaseAll
    | Extend
    | Confirm
    | Book
    | Cancel
    | Expire
    | Block
    | Unblock
    | Close
)
