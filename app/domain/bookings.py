"""A booking: seats that are sold, until it is cancelled."""

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.money import Money
from app.domain.values import value


class BookingStatus(StrEnum):
    """A booking is confirmed, or it was cancelled."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class PaidStatus(StrEnum):
    """What happened with the money of a booking."""

    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    REFUND_PENDING = "refund_pending"


@value(frozen=True, slots=True)
class Paid:
    """The money of a booking: all that was paid in for its seats, what went back, and what is on its way back.

    `reference` is the provider's name for the payment.
    """

    provider: str
    reference: str
    amount: Money
    refunded_minor: int = 0
    refunding_minor: int = 0

    @property
    def status(self) -> PaidStatus:
        """How it stands. A refund is pending until the provider has said yes."""
        if self.refunding_minor > 0:
            return PaidStatus.REFUND_PENDING
        if self.refunded_minor > 0:
            is_all = self.refunded_minor >= self.amount.amount_minor
            return PaidStatus.REFUNDED if is_all else PaidStatus.PARTLY_REFUNDED
        return PaidStatus.PAID

    @property
    def refunded(self) -> Money:
        """What went back."""
        return Money(self.refunded_minor, self.amount.currency)


@value(frozen=True, slots=True)
class Booking:
    """Sold seats. `prices` are its seats, with their prices; `left` are seats that were cancelled one by one, or given
    for others. `cancel_reason` is what was said just now, when it was cancelled.
    """

    id: UUID
    user_id: int
    reservation_id: UUID | None
    status: BookingStatus
    prices: Mapping[int, Money]
    payment: Paid
    created_at: datetime
    cancelled_at: datetime | None = None
    version: int = 0
    left: Mapping[int, Money] = field(default_factory=dict)
    cancel_reason: str | None = None

    def without(self, seat_id: int, now: datetime, version: int) -> "Booking":
        """The booking after one seat was cancelled at `now` (UTC).

        If it was the last one, the whole booking is cancelled.
        """
        kept = {kept_id: price for kept_id, price in self.prices.items() if kept_id != seat_id}
        if not kept:
            return self.cancelled(now, version)
        left = {**self.left, seat_id: self.prices[seat_id]}
        return replace(self, prices=kept, left=left, version=version)

    def handing_over(self, seat_ids: Collection[int], now: datetime, version: int) -> "Booking":
        """The booking after these of its seats went to somebody else at `now` (UTC), and what was paid for them too.

        If it has none left, it is cancelled.
        """
        given = {seat_id: self.prices[seat_id] for seat_id in seat_ids}
        kept = {seat_id: price for seat_id, price in self.prices.items() if seat_id not in given}
        along = sum(price.amount_minor for price in given.values())
        amount = Money(self.payment.amount.amount_minor - along, self.payment.amount.currency)
        poorer = replace(self, payment=replace(self.payment, amount=amount))
        if not kept:
            return poorer.cancelled(now, version)
        return replace(poorer, prices=kept, left={**self.left, **given}, version=version)

    def exchanged(self, given: Collection[int], taken: Mapping[int, Money], version: int) -> "Booking":
        """The booking with these seats in the place of the given ones, at these prices."""
        kept = {seat_id: price for seat_id, price in self.prices.items() if seat_id not in given}
        left = {seat_id: price for seat_id, price in self.left.items() if seat_id not in taken}
        left |= {seat_id: self.prices[seat_id] for seat_id in given}
        return replace(self, prices=dict(sorted({**kept, **taken}.items())), left=left, version=version)

    def paying_more(self, amount_minor: int, provider: str, reference: str) -> "Booking":
        """The booking after so much more was paid in. Its payment has the name of what was paid first."""
        paid = self.payment
        amount = Money(paid.amount.amount_minor + amount_minor, paid.amount.currency)
        if paid.amount.amount_minor == 0:
            paid = replace(paid, provider=provider, reference=reference)
        return replace(self, payment=replace(paid, amount=amount))

    def giving_back(self, amount_minor: int) -> "Booking":
        """The booking with so much more of its money on its way back."""
        refunding = self.payment.refunding_minor + amount_minor
        return replace(self, payment=replace(self.payment, refunding_minor=refunding))

    def cancelled(self, now: datetime, version: int, reason: str | None = None) -> "Booking":
        """The booking after it was cancelled at `now` (UTC). It still has the seats that it had. `reason`: why."""
        return replace(self, status=BookingStatus.CANCELLED, cancelled_at=now, version=version, cancel_reason=reason)
