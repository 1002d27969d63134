"""What came of a command: what its answer tells."""

from dataclasses import dataclass

from app.domain.bookings import Booking
from app.domain.reservations import Reservation


@dataclass(frozen=True, slots=True)
class Held:
    """Seats are held; `created` is False when they already were."""

    reservation: Reservation
    created: bool = True


@dataclass(frozen=True, slots=True)
class Toggled:
    """Which seats became mine and which I gave back; the reservation that is left, if any."""

    reserved: tuple[int, ...]
    released: tuple[int, ...]
    reservation: Reservation | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A reservation as it is after a release or an extension."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReleasedAll:
    """The seats that were given back."""

    seat_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """Seats are sold; `created` is False when they already were."""

    booking: Booking
    created: bool = True


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A booking as it is after a cancellation."""

    booking: Booking


@dataclass(frozen=True, slots=True)
class Expired:
    """How many holds were tidied up."""

    count: int


@dataclass(frozen=True, slots=True)
class Blocked:
    """What became of each seat that the house wanted off sale, or on sale again."""

    seats: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """How many holds and bookings of a cancelled screening were undone."""

    count: int


Outcome = Held | Toggled | Kept | ReleasedAll | Booked | Cancelled | Expired | Blocked | Closed
