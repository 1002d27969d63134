"""Refusals: a rule said no. They are expected, and never logged as errors.

`code` is the kind of problem (docs/api.md, section 3). What people read about them is in schemas/problems/.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from app.domain.money import Money
from app.domain.people.rates import Standing
from app.domain.values import value


class Refusal(Exception):
    """A rule said no, and nothing changed."""

    code: ClassVar[str]


@value(frozen=True, slots=True)
class SeatInTheWay:
    """A seat that cannot be taken: its status, and a sentence that says why."""

    seat_id: int
    label: str
    status: str
    reason: str


@value(frozen=True, slots=True)
class Candidate:
    """A screening that a call may have meant."""

    id: int
    title: str
    starts_at: datetime


@value(frozen=True, slots=True)
class Flaw:
    """A mistake in what somebody asks for: the path to it, a code for programs, a sentence for people.

    `place` is the part of the request that has it: "body" or "query". `allowed` is all that could stand there, where
    that is a list.
    """

    loc: tuple[str | int, ...]
    code: str
    message: str
    place: str = "body"
    allowed: tuple[str, ...] | None = None


@dataclass(slots=True, eq=False)
class Flawed(Refusal):
    """A request is well-formed, but has mistakes. All of them are named."""

    code: ClassVar[str] = "validation"
    errors: tuple[Flaw, ...]


@dataclass(slots=True, eq=False)
class NotFound(Refusal):
    """It does not exist, or belongs to another user. `what` is the noun: "reservation"."""

    code: ClassVar[str] = "not-found"
    what: str


@dataclass(slots=True, eq=False)
class UnknownSeats(Refusal):
    """Seats that the theater does not have, as the caller wrote them.

    The box office adds the screening's map version after the batch; the desk the labels of free seats.
    """

    code: ClassVar[str] = "unknown-seats"
    unknown: tuple[int | str, ...]
    available_seats: tuple[str, ...] = ()
    map_version: int | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class SeatsUnavailable(Refusal):
    """All seats that cannot be taken, each with the reason.

    The box office adds the screening's map version after the batch; the desk the labels of free seats, nearest first,
    blocks of seats that may be taken instead, and whether the buyer came without a token (they may hold the seats
    themselves, as the guest that they became). `wanted` are all seats (ids) that were to be taken.
    """

    code: ClassVar[str] = "seats-unavailable"
    seats: tuple[SeatInTheWay, ...]
    available_seats: tuple[str, ...] = ()
    suggestions: tuple[tuple[str, ...], ...] = ()
    map_version: int | None = field(default=None, repr=False)
    came_without_token: bool = field(default=False, repr=False)
    wanted: tuple[int, ...] = field(default=(), repr=False)
    releases_reserved_places: bool = field(default=False, repr=False)


@dataclass(slots=True, eq=False)
class ReservationExpired(Refusal):
    """The hold has run out, and these of its seats are gone. None is: it is too late to take it again."""

    code: ClassVar[str] = "reservation-expired"
    expired_at: datetime
    seats: tuple[SeatInTheWay, ...]


@dataclass(slots=True, eq=False)
class ReservationEnded(Refusal):
    """The reservation was released or booked before."""

    code: ClassVar[str] = "reservation-ended"
    reservation_status: str


@dataclass(slots=True, eq=False)
class ReservationBooked(ReservationEnded):
    """The reservation was booked before. The booking may be cancelled by now."""

    booking_id: UUID


@dataclass(slots=True, eq=False)
class BookingCancelled(ReservationBooked):
    """The booking is cancelled: nothing of it can be exchanged."""


@dataclass(slots=True, eq=False)
class PriceChanged(Refusal):
    """The hold has run out, and its seats cost something else by now: `total`."""

    code: ClassVar[str] = "price-changed"
    total: Money


@dataclass(slots=True, eq=False)
class ExtensionLimit(Refusal):
    """The hold already ends as late as it may."""

    code: ClassVar[str] = "extension-limit"
    latest_expires_at: datetime


@dataclass(slots=True, eq=False)
class LimitExceeded(Refusal):
    """A limit: its name, how much it allows, and how much was in use before the request."""

    code: ClassVar[str] = "limit-exceeded"
    limit: str
    allowed: int
    current: int


@dataclass(slots=True, eq=False)
class HeldTooOften(LimitExceeded):
    """Seats that callers without an account kept from this address for too long: nobody there holds them at once."""

    labels: tuple[str, ...]
    retry_after_seconds: int


@dataclass(slots=True, eq=False)
class LeavesSingleSeat(Refusal):
    """The orphan rule: the labels of seats that would be left alone, and of blocks that may be taken instead."""

    code: ClassVar[str] = "leaves-single-seat"
    stranded: tuple[str, ...]
    suggestions: tuple[tuple[str, ...], ...]


@dataclass(slots=True, eq=False)
class NotEnoughSeats(Refusal):
    """Nothing fits the wish: how many seats of the kind are free, and how many of them at most are side by side."""

    code: ClassVar[str] = "not-enough-seats"
    requested: int
    available: int
    largest_block: int


@dataclass(slots=True, eq=False)
class SalesClosed(Refusal):
    """Seats cannot be taken now. `opens_at` None: sales were open at once."""

    code: ClassVar[str] = "sales-closed"
    opens_at: datetime | None
    closes_at: datetime


@dataclass(slots=True, eq=False)
class ScreeningCancelled(SalesClosed):
    """Seats cannot be taken any more. `closes_at` is when the screening was cancelled."""


@dataclass(slots=True, eq=False)
class ScreeningRequired(Refusal):
    """It is not clear which screening is meant, and a write never guesses."""

    code: ClassVar[str] = "screening-required"
    screenings: tuple[Candidate, ...]


@dataclass(slots=True, eq=False)
class PaymentDeclined(Refusal):
    """The provider declined the payment. The hold stays, until `expires_at`; None: there was none."""

    code: ClassVar[str] = "payment-declined"
    reason: str
    expires_at: datetime | None = None


@dataclass(slots=True, eq=False)
class PaidInVain(PaymentDeclined):
    """It was paid, when nothing could be done for it any more, or not what was to be paid: the money goes back."""


@dataclass(slots=True, eq=False)
class PaymentPending(Refusal):
    """The seats are being paid for."""

    code: ClassVar[str] = "payment-pending"
    reservation_id: UUID


@dataclass(slots=True, eq=False)
class PaymentsUnavailable(Refusal):
    """The payment provider could not be asked. Nothing was charged."""

    code: ClassVar[str] = "payments-unavailable"
    retry_after_seconds: int = 5


@dataclass(slots=True, eq=False)
class CancellationClosed(Refusal):
    """It is too late for a customer to cancel."""

    code: ClassVar[str] = "cancellation-closed"
    cancel_until: datetime


@dataclass(slots=True, eq=False)
class TransferOver(Refusal):
    """The offer was accepted or withdrawn, or has run out."""

    code: ClassVar[str] = "transfer-over"
    transfer_status: str


@dataclass(slots=True, eq=False)
class KeyReused(Refusal):
    """The idempotency key was used for another request."""

    code: ClassVar[str] = "idempotency-key-reused"


@dataclass(slots=True, eq=False)
class KeyInUse(Refusal):
    """The first request with this idempotency key is still running."""

    code: ClassVar[str] = "idempotency-key-in-use"
    retry_after_seconds: int = 1


@dataclass(slots=True, eq=False)
class KeyInvalid(Refusal):
    """The idempotency key is not valid. `why` is a sentence for a person."""

    code: ClassVar[str] = "idempotency-key-invalid"
    why: str


@dataclass(slots=True, eq=False)
class TheaterInUse(Refusal):
    """A theater with upcoming screenings cannot be removed."""

    code: ClassVar[str] = "theater-in-use"
    screenings: tuple[Candidate, ...]


@dataclass(slots=True, eq=False)
class LayoutInUse(Refusal):
    """The layout does not have these seats, and somebody holds or booked them in a screening that has not begun, or the
    house blocked them there; each says where."""

    code: ClassVar[str] = "layout-in-use"
    seats: tuple[SeatInTheWay, ...]


@dataclass(slots=True, eq=False)
class ChangesGone(Refusal):
    """Changes that old are no longer kept, or too many. `oldest` is the earliest `since` that can be answered."""

    code: ClassVar[str] = "changes-gone"
    oldest: int


@dataclass(slots=True, eq=False)
class PreconditionFailed(Refusal):
    """Somebody else made an edit: the revision is not the one in the caller's If-Match."""

    code: ClassVar[str] = "precondition-failed"
    revision: int


@dataclass(slots=True, eq=False)
class RateLimited(Refusal):
    """Too many requests. The standing says of which bucket, and when more are allowed."""

    code: ClassVar[str] = "rate-limited"
    standing: Standing
    why: str | None = None


@dataclass(slots=True, eq=False)
class Unauthenticated(Refusal):
    """A token is needed, or the one that was sent is not valid. `why` is a sentence for a person."""

    code: ClassVar[str] = "unauthenticated"
    why: str = "A token is needed. Send the header Authorization: Bearer <token>."


@dataclass(slots=True, eq=False)
class Forbidden(Refusal):
    """The caller is known, but may not do this. `why` is a sentence for a person."""

    code: ClassVar[str] = "forbidden"
    why: str = "Your role does not allow this. Sign in as a user whose role does."


@dataclass(slots=True, eq=False)
class UsernameTaken(Refusal):
    """Another account has this username, perhaps in another spelling."""

    code: ClassVar[str] = "username-taken"


@dataclass(slots=True, eq=False)
class Busy(Refusal):
    """PostgreSQL is not reachable or overloaded, or the queue is full. `why` is a sentence for a person.

    `outcome_unknown`: the work may have been done.
    """

    code: ClassVar[str] = "busy"
    why: str = "The service is busy."
    retry_after_seconds: int = 1
    outcome_unknown: bool = False
