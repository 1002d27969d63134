"""A transfer: seats of a booking that are offered to whoever has its code, and what became of that."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.bookings import Booking, BookingStatus
from app.domain.money import Money
from app.domain.screenings import Screening
from app.domain.values import value

OFFERED_FOR: Final = timedelta(hours=72)


class TransferStatus(StrEnum):
    """The status of a transfer. All but the first are final."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class TransferSide(StrEnum):
    """Who offered the seats, and who accepted them."""

    GIVER = "giver"
    TAKER = "taker"


@value(frozen=True, slots=True)
class Transfer:
    """An offer. `status` is what was written down; time expires an offer by itself, and is not written down.

    `accepted_as` is the taker's booking. Of the code there is a hash only.
    """

    id: UUID
    booking_id: UUID
    seat_ids: tuple[int, ...]
    code_hash: bytes
    status: TransferStatus
    created_at: datetime
    accepted_as: UUID | None = None

    def expires_at(self, screening: Screening) -> datetime:
        """Until when it may be accepted: for 72 hours, but not when the screening has begun."""
        return min(self.created_at + OFFERED_FOR, screening.starts_at)

    def is_open(self, screening: Screening, now: datetime) -> bool:
        """Whether it was neither accepted nor withdrawn, and has not run out at `now` (UTC)."""
        return self.status is TransferStatus.OFFERED and now < self.expires_at(screening)

    def is_all_in(self, booking: Booking) -> bool:
        """Whether its booking has all of its seats."""
        return booking.status is BookingStatus.CONFIRMED and booking.prices.keys() >= set(self.seat_ids)

    def status_at(self, booking: Booking, screening: Screening, now: datetime) -> TransferStatus:
        """The status at `now`. `booking` is its booking as it is then: what that has lost is offered no more."""
        if self.status is not TransferStatus.OFFERED:
            return self.status
        if not self.is_open(screening, now):
            return TransferStatus.EXPIRED
        is_there = self.is_all_in(booking) and screening.cancelled_at is None
        return TransferStatus.OFFERED if is_there else TransferStatus.WITHDRAWN

    def prices(self, booking: Booking) -> dict[int, Money]:
        """What its seats cost in its booking, or did when they were in it."""
        prices: Mapping[int, Money] = {**booking.left, **booking.prices}
        return {seat_id: prices[seat_id] for seat_id in self.seat_ids}

    def withdrawn(self) -> "Transfer":
        """The same, withdrawn."""
        return replace(self, status=TransferStatus.WITHDRAWN)

    def accepted(self, booking_id: UUID) -> "Transfer":
        """The same, accepted: the seats are in this booking now."""
        return replace(self, status=TransferStatus.ACCEPTED, accepted_as=booking_id)
