"""A booking is permanent, until it is cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.money import Money


class BookingStatus(StrEnum):
    """A booking stands, or it was undone."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class PaymentStatus(StrEnum):
    """What became of the money."""

    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Payment:
    """What the provider said, and how it calls the payment."""

    status: PaymentStatus
    reference: str


@dataclass(frozen=True, slots=True)
class Booking:
    """Seats that are sold. `prices` are its live seats; `left` are those cancelled one by one."""

    id: UUID
    user_id: int
    reservation_id: UUID | None
    status: BookingStatus
    prices: Mapping[int, Money]
    payment: Payment
    created_at: datetime
    cancelled_at: datetime | None = None
    version: int = 0
    left: Mapping[int, Money] = field(default_factory=dict)

    def without(self, seat_id: int, now: datetime, version: int) -> "Booking":
        """The booking after one seat of it was cancelled; cancelling its last seat cancels it."""
        kept = {kept_id: price for kept_id, price in self.prices.items() if kept_id != seat_id}
        if not kept:
            return self.cancelled(now, version)
        payment = replace(self.payment, status=PaymentStatus.PARTLY_REFUNDED)
        left = {**self.left, seat_id: self.prices[seat_id]}
        return replace(self, prices=kept, left=left, payment=payment, version=version)

    def cancelled(self, now: datetime, version: int) -> "Booking":
        """The booking undone as a whole. It goes on naming the seats that it had."""
        return replace(
            self,
            status=BookingStatus.CANCELLED,
            cancelled_at=now,
            payment=replace(self.payment, status=PaymentStatus.REFUNDED),
            version=version,
        )
