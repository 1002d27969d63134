"""Payments: attempts to pay for seats, what happened with the money, and what goes back.

One payment is one attempt. Money that was taken and is not needed goes back: refunds are asked for where the decision
is made, and carried out later.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.idempotency import Key
from app.domain.money import Money
from app.domain.values import value


class PaymentState(StrEnum):
    """How a payment stands. The first two are open: the provider is asked until they are not."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"


OPEN = (PaymentState.PENDING, PaymentState.REQUIRES_ACTION)


class PaymentStatus(StrEnum):
    """How a payment stands, and how much of it went back, as organizers read it."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    REFUND_PENDING = "refund_pending"


class RefundCause(StrEnum):
    """Why money goes back."""

    CANCELLED = "cancelled"
    EXCHANGED = "exchanged"
    SCREENING_CANCELLED = "screening_cancelled"
    TOO_LATE = "too_late"
    WRONG_AMOUNT = "wrong_amount"


class EntryKind(StrEnum):
    """What happened with a payment."""

    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    FAIL = "fail"


@value(frozen=True, slots=True)
class Giving:
    """What an exchange gives for the seats that are paid for: seats of a booking, by id, at what they were sold for."""

    booking_id: UUID
    prices: Mapping[int, Money]


@value(frozen=True, slots=True)
class Plan:
    """What is to be done when an open payment is decided.

    `held_until`: when the hold would have ended. `is_direct`: the seats were not held by this reservation before;
    `returns` says from which hold of the buyer a seat came. `adjacent` and `key`: what the final answer has, and the
    idempotency key under which it is stored. `giving`: the seats are exchanged, not booked anew.
    """

    held_until: datetime
    is_direct: bool = False
    returns: Mapping[int, UUID] = field(default_factory=dict)
    adjacent: bool | None = None
    key: Key | None = None
    giving: Giving | None = None


@value(frozen=True, slots=True)
class Payment:
    """One attempt to pay. Amounts are in minor units of `amount`'s currency.

    `deadline`: so long the provider has time. `ask_at`: when it is asked for the first time, if nobody hears before.
    """

    id: UUID
    user_id: int
    reservation_id: UUID | None
    provider: str
    status: PaymentState
    amount: Money
    created_at: datetime
    booking_id: UUID | None = None
    reference: str | None = None
    captured_minor: int = 0
    refunded_minor: int = 0
    refunding_minor: int = 0
    cause: RefundCause | None = None
    decline_reason: str | None = None
    redirect_url: str | None = None
    client_secret: str | None = None
    deadline: datetime | None = None
    ask_at: datetime | None = None
    plan: Plan | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet."""
        return self.status in OPEN

    @property
    def left_minor(self) -> int:
        """What was taken and neither went back nor is on its way back."""
        return self.captured_minor - self.refunded_minor - self.refunding_minor

    def giving_back(self, amount_minor: int, cause: RefundCause) -> "Payment":
        """The payment with so much more on its way back."""
        return replace(self, refunding_minor=self.refunding_minor + amount_minor, cause=cause)


@value(frozen=True, slots=True)
class Refund:
    """Money that goes back. `booking_id`: for which booking; None: nothing was booked for it."""

    id: UUID
    payment_id: UUID
    booking_id: UUID | None
    amount: Money
    cause: RefundCause


@value(frozen=True, slots=True)
class Entry:
    """What happened with a payment. A capture has the id of its payment, a refund that of the refund."""

    id: UUID
    payment_id: UUID
    kind: EntryKind
    amount: Money
    reference: str | None = None
    cause: RefundCause | None = None


def status_of(state: PaymentState, captured_minor: int, refunded_minor: int, refunding_minor: int) -> PaymentStatus:
    """How a payment stands."""
    if refunding_minor > 0:
        return PaymentStatus.REFUND_PENDING
    if refunded_minor > 0:
        return PaymentStatus.REFUNDED if refunded_minor == captured_minor else PaymentStatus.PARTLY_REFUNDED
    return PaymentStatus(state)


def shares(payments: Iterable[Payment], amount_minor: int) -> Iterator[tuple[Payment, int]]:
    """From which of these payments so much goes back, and how much from each: from the newest first."""
    for payment in sorted(payments, key=lambda each: (each.created_at, each.id), reverse=True):
        share = min(payment.left_minor, amount_minor)
        if share > 0:
            amount_minor -= share
            yield payment, share
