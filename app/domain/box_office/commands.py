"""The commands of the box office. Each gets one decision: all or nothing.

`address`: from where a caller without an account asks, if that is limited.
"""

from typing import Final
from uuid import UUID

from app.domain.box_office.addresses import Address
from app.domain.idempotency import Key
from app.domain.money import Money
from app.domain.payments import Payment, PaymentState
from app.domain.people.people import Person
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames
from app.domain.values import value

DUMMY: Final = "dummy"
"""The provider whose charges may be certain."""


@value(frozen=True, slots=True)
class Hold:
    """Hold these seats, or the best available, in a new reservation with this id (docs/api.md, section 7)."""

    buyer: Person
    seats: SeatNames
    reservation_id: UUID
    address: Address | None = None
    wish: Wish | None = None


@value(frozen=True, slots=True)
class Toggle:
    """Take those of the seats that are available, and give back those that the user holds.

    `reservation_id` is the id of the new reservation, if one is needed.
    """

    buyer: Person
    seats: SeatNames
    reservation_id: UUID
    address: Address | None = None


@value(frozen=True, slots=True)
class Release:
    """Release a reservation, or one seat of it. Staff may release everybody's."""

    buyer: Person
    reservation_id: UUID
    seat_id: int | None = None


@value(frozen=True, slots=True)
class ReleaseAll:
    """Release everything that the user holds in the screening."""

    buyer: Person


@value(frozen=True, slots=True)
class Extend:
    """Let a hold last for a full hold time from now, but not beyond the cap."""

    buyer: Person
    reservation_id: UUID
    address: Address | None = None


@value(frozen=True, slots=True)
class Confirm:
    """Book the seats of a reservation. It is paid for by a charge that cannot fail, which becomes a payment with the id
    of the booking. `payment_reference` is what the provider calls it.
    """

    buyer: Person
    reservation_id: UUID
    booking_id: UUID
    payment_reference: str
    provider: str = DUMMY


@value(frozen=True, slots=True)
class Book:
    """Book these seats, or the best available, directly. Paid for as in `Confirm`."""

    buyer: Person
    seats: SeatNames
    booking_id: UUID
    payment_reference: str
    wish: Wish | None = None
    provider: str = DUMMY


@value(frozen=True, slots=True)
class Attempt:
    """An attempt to pay that begins: a payment with this id. Its provider has `deadline_seconds`, and is asked for the
    first time after `ask_after_seconds` if nobody has heard before. `reference`: what it will call the payment, if that
    is known. `key` is stored with the booking.

    What costs nothing is booked at once, as `booking_id`.
    """

    payment_id: UUID
    booking_id: UUID
    provider: str
    deadline_seconds: float
    ask_after_seconds: float
    reference: str | None = None
    key: Key | None = None


@value(frozen=True, slots=True)
class BeginPaying:
    """Begin to pay for a reservation: until that is decided, its seats are nobody else's."""

    buyer: Person
    reservation_id: UUID
    attempt: Attempt
    address: Address | None = None


@value(frozen=True, slots=True)
class BeginBuying:
    """Begin to pay for these seats, or for the best available, which are kept in a reservation with this id."""

    buyer: Person
    seats: SeatNames
    reservation_id: UUID
    attempt: Attempt
    wish: Wish | None = None
    address: Address | None = None


@value(frozen=True, slots=True)
class AtOnce:
    """A charge that cannot fail: a payment with this id, and what the provider calls it."""

    payment_id: UUID
    reference: str
    provider: str = DUMMY


@value(frozen=True, slots=True)
class Exchange:
    """Give seats of a booking, and take as many others in their place: these, or the best available.

    A difference to be paid is charged as `payment` says. While a provider decides about it, the taken seats are kept in
    a reservation with this id. `owner_id` is whose the booking was when it was looked up: what they have is read.
    """

    buyer: Person
    owner_id: int
    booking_id: UUID
    give: SeatNames
    take: SeatNames
    reservation_id: UUID
    payment: Attempt | AtOnce
    wish: Wish | None = None


@value(frozen=True, slots=True)
class Said:
    """What the provider says of a payment. `amount` is what it took, if it did."""

    status: PaymentState
    amount: Money
    reference: str | None = None
    decline_reason: str | None = None
    redirect_url: str | None = None
    client_secret: str | None = None


@value(frozen=True, slots=True)
class Settle:
    """Do what follows from what the provider says of a payment: book, give the hold back, or refund.

    `payment` is as it was known. `booking_id` is for the booking that may come of it.
    """

    buyer: Person
    payment: Payment
    said: Said
    booking_id: UUID


@value(frozen=True, slots=True)
class Find:
    """Which seats would be the best available? `max_price_minor` is what one may cost, in minor units."""

    wish: Wish
    max_price_minor: int | None = None


@value(frozen=True, slots=True)
class Check:
    """Could these seats be held? `buyer` None: by somebody whom nobody knows."""

    buyer: Person | None
    seats: SeatNames
    address: Address | None = None


@value(frozen=True, slots=True)
class Cancel:
    """Cancel a booking, or one seat of it. Organizers may cancel everybody's, at any time. `reason`: why, in words."""

    buyer: Person
    booking_id: UUID
    seat_id: int | None = None
    reason: str | None = None


@value(frozen=True, slots=True)
class OfferTransfer:
    """Offer seats of a booking, or all of them (None), to whoever has the code with this hash."""

    buyer: Person
    booking_id: UUID
    seats: SeatNames | None
    transfer_id: UUID
    code_hash: bytes


@value(frozen=True, slots=True)
class WithdrawTransfer:
    """Withdraw the offer whose code has this hash."""

    buyer: Person
    code_hash: bytes


@value(frozen=True, slots=True)
class AcceptTransfer:
    """Take the seats that are offered under the code with this hash, in a booking with this id."""

    buyer: Person
    code_hash: bytes
    booking_id: UUID


@value(frozen=True, slots=True)
class Expire:
    """Expire those of these reservations whose time is over."""

    reservation_ids: tuple[UUID, ...]


@value(frozen=True, slots=True)
class Block:
    """Block those of the seats that are available; `when_free`: those that are held as soon as their holds end."""

    by: Person
    seats: SeatNames
    reason: str | None = None
    when_free: bool = False


@value(frozen=True, slots=True)
class Unblock:
    """Unblock seats."""

    by: Person
    seats: SeatNames


@value(frozen=True, slots=True)
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
    | BeginPaying
    | BeginBuying
    | Exchange
    | Settle
    | Cancel
    | OfferTransfer
    | WithdrawTransfer
    | AcceptTransfer
    | Expire
    | Block
    | Unblock
    | Close
)
