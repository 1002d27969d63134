"""Refusals: a rule said no. Expected, never logged as an error. `code` names the problem of docs/api.md, section 3."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from app.domain.rates import Standing


class Refusal(Exception):
    """A rule said no, and nothing changed."""

    code: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SeatInTheWay:
    """A seat that could not be taken: what it is, and why in words for a person."""

    seat_id: int
    label: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A screening that might have been meant."""

    id: int
    title: str
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a plan and where: the path into it, a word for programs, a sentence for people."""

    loc: tuple[str | int, ...]
    code: str
    message: str


@dataclass(slots=True, eq=False)
class Flawed(Refusal):
    """What an organizer wrote can be read, but makes no sense; every flaw is named."""

    code: ClassVar[str] = "validation"
    errors: tuple[Flaw, ...]


@dataclass(slots=True, eq=False)
class NotFound(Refusal):
    """There is no such thing, or it belongs to somebody else; `what` is the noun: "reservation"."""

    code: ClassVar[str] = "not-found"
    what: str


@dataclass(slots=True, eq=False)
class UnknownSeats(Refusal):
    """Seats that the theater does not have, as the caller wrote them.

    The box office adds the screening's map version after the batch; the desk, labels that are free.
    """

    code: ClassVar[str] = "unknown-seats"
    unknown: tuple[int | str, ...]
    available_seats: tuple[str, ...] = ()
    map_version: int | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class SeatsUnavailable(Refusal):
    """Every seat that stood in the way, with its reason.

    The box office adds the screening's map version after the batch; the desk, labels that are free, nearest first.
    """

    code: ClassVar[str] = "seats-unavailable"
    seats: tuple[SeatInTheWay, ...]
    available_seats: tuple[str, ...] = ()
    map_version: int | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class ReservationExpired(Refusal):
    """The hold ended and these of its seats are gone."""

    code: ClassVar[str] = "reservation-expired"
    expired_at: datetime
    seats: tuple[SeatInTheWay, ...]


@dataclass(slots=True, eq=False)
class ReservationEnded(Refusal):
    """The reservation was released, cancelled or booked before; nothing more can be done with it."""

    code: ClassVar[str] = "reservation-ended"
    reservation_status: str


@dataclass(slots=True, eq=False)
class ExtensionLimit(Refusal):
    """The hold already ends as late as a hold may."""

    code: ClassVar[str] = "extension-limit"
    latest_expires_at: datetime


@dataclass(slots=True, eq=False)
class LimitExceeded(Refusal):
    """A policy of the house: which, how much is allowed, and how much was used before the request."""

    code: ClassVar[str] = "limit-exceeded"
    limit: str
    allowed: int
    current: int


@dataclass(slots=True, eq=False)
class SalesClosed(Refusal):
    """Seats cannot be taken at this moment. `opens_at` None: sales had opened."""

    code: ClassVar[str] = "sales-closed"
    opens_at: datetime | None
    closes_at: datetime


@dataclass(slots=True, eq=False)
class ScreeningRequired(Refusal):
    """It is not clear which screening is meant, and a write never guesses."""

    code: ClassVar[str] = "screening-required"
    screenings: tuple[Candidate, ...]


@dataclass(slots=True, eq=False)
class PaymentDeclined(Refusal):
    """The provider said no; the hold stays."""

    code: ClassVar[str] = "payment-declined"
    reason: str


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
    """The idempotency key is not one; `why` is a sentence for a person."""

    code: ClassVar[str] = "idempotency-key-invalid"
    why: str


@dataclass(slots=True, eq=False)
class TheaterInUse(Refusal):
    """A theater cannot be taken away while screenings are to come."""

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
    """Changes that old are no longer kept. `oldest` is the earliest `since` that can be answered."""

    code: ClassVar[str] = "changes-gone"
    oldest: int


@dataclass(slots=True, eq=False)
class PreconditionFailed(Refusal):
    """Somebody else edited it in the meantime: it has another revision than the caller's If-Match says."""

    code: ClassVar[str] = "precondition-failed"
    revision: int


@dataclass(slots=True, eq=False)
class RateLimited(Refusal):
    """Too many requests: the standing says of what, and when there may be more."""

    code: ClassVar[str] = "rate-limited"
    standing: Standing


@dataclass(slots=True, eq=False)
class Unauthenticated(Refusal):
    """No token where one is needed, or one that is not believed."""

    code: ClassVar[str] = "unauthenticated"
    why: str = "Send a bearer token."


@dataclass(slots=True, eq=False)
class Forbidden(Refusal):
    """The caller is known and may not do this."""

    code: ClassVar[str] = "forbidden"
    why: str = "Your role does not allow this."


@dataclass(slots=True, eq=False)
class UsernameTaken(Refusal):
    """Somebody else has this username, perhaps written otherwise."""

    code: ClassVar[str] = "username-taken"


@dataclass(slots=True, eq=False)
class Busy(Refusal):
    """PostgreSQL is away or saturated, or the queue is full. `outcome_unknown`: the work may have been done."""

    code: ClassVar[str] = "busy"
    why: str = "Usher is busy."
    retry_after_seconds: int = 1
    outcome_unknown: bool = False
