"""The outcome of a command: what its answer is made from."""

from collections.abc import Mapping
from datetime import datetime

from app.domain.bookings import Booking
from app.domain.money import Money
from app.domain.payments import Payment
from app.domain.reservations import Reservation
from app.domain.seats import Seat
from app.domain.transfers import Transfer
from app.domain.values import value


@value(frozen=True, slots=True)
class Held:
    """Seats are held. `created` is False if they were already.

    `adjacent`: whether seats that nobody had named are one block.
    """

    reservation: Reservation
    created: bool = True
    adjacent: bool | None = None


@value(frozen=True, slots=True)
class Toggled:
    """The seats that were taken and given back, and the reservation that is left; None if none is."""

    reserved: tuple[int, ...]
    released: tuple[int, ...]
    reservation: Reservation | None


@value(frozen=True, slots=True)
class Kept:
    """A reservation after a release or an extension."""

    reservation: Reservation


@value(frozen=True, slots=True)
class ReleasedAll:
    """The seats that were released."""

    seat_ids: tuple[int, ...]


@value(frozen=True, slots=True)
class Booked:
    """Seats are booked. `created` is False if they were already. `adjacent` as in `Held`."""

    booking: Booking
    created: bool = True
    adjacent: bool | None = None


@value(frozen=True, slots=True)
class Exchanged:
    """A booking after an exchange. `is_new` is False if it was so already. `adjacent` as in `Held`."""

    booking: Booking
    is_new: bool = True
    adjacent: bool | None = None


@value(frozen=True, slots=True)
class Paying:
    """A reservation is being paid for. `begun`: since this command, which is to charge; else somebody else does."""

    reservation: Reservation
    payment: Payment
    begun: bool = False


@value(frozen=True, slots=True)
class GaveUp:
    """Nothing was booked for a payment. `expires_at`: until when the hold stays; None: there is none."""

    payment: Payment
    expires_at: datetime | None


@value(frozen=True, slots=True)
class Chosen:
    """The best seats available, and whether they are one block."""

    seats: tuple[Seat, ...]
    adjacent: bool


@value(frozen=True, slots=True)
class Checked:
    """Seats could be held, at these prices by seat id."""

    prices: Mapping[int, Money]


@value(frozen=True, slots=True)
class Cancelled:
    """A booking after a cancellation."""

    booking: Booking


@value(frozen=True, slots=True)
class Offered:
    """Seats of a booking are offered."""

    transfer: Transfer
    booking: Booking


@value(frozen=True, slots=True)
class Withdrawn:
    """An offer is good for nothing any more."""


@value(frozen=True, slots=True)
class Expired:
    """How many holds were expired."""

    count: int


@value(frozen=True, slots=True)
class Blocked:
    """What happened to each seat that was to be blocked or unblocked, and which will be blocked when a hold ends."""

    seats: tuple[tuple[int, str], ...]
    when_free: frozenset[int] = frozenset()


@value(frozen=True, slots=True)
class Closed:
    """How many holds and bookings of a cancelled screening were undone."""

    count: int


Outcome = (
    Chosen
    | Checked
    | Held
    | Toggled
    | Kept
    | ReleasedAll
    | Booked
    | Exchanged
    | Paying
    | GaveUp
    | Cancelled
    | Offered
    | Withdrawn
    | Expired
    | Blocked
    | Closed
)
