"""A booking: seats that are sold, until it is cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.money import Money


class BookingStatus(StrEnum):
    """A booking is confirmed, or it was cancelled."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class PaymentStatus(StrEnum):
    """What happened with the money."""

    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Payment:
    """The status of a payment, and the provider's reference for it."""

    status: PaymentStatus
    reference: str


@dataclass(frozen=True, slots=True)
class Booking:
    """Sold seats. `prices` are its seats, with their prices; `left` are seats that were cancelled one by one."""

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
        """The booking after one seat was cancelled at `now` (UTC).

        If it was the last one, the whole booking is cancelled.
        """
        kept = {kept_id: price for kept_id, price in self.prices.items() if kept_id != seat_id}
        if not kept:
            return self.cancelled(now, version)
        payment = replace(self.payment, status=PaymentStatus.PARTLY_REFUNDED)
        left = {**self.left, seat_id: self.prices[seat_id]}
        return replace(self, prices=kept, left=left, payment=payment, version=version)

    def cancelled(self, now: datetime, version: int) -> "Booking":
        """The booking after it was cancelled at `now` (UTC). It still has the seats that it had."""
        return replace(
            self,
            status=BookingStatus.CANCELLED,
            cancelled_at=now,
            payment=replace(self.payment, status=PaymentStatus.REFUNDED),
            version=version,
        )
