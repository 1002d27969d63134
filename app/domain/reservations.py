"""A reservation names a hold: seats of one screening, for one user, until a moment."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from app.domain.money import Money
from app.domain.refusals import PaymentPending
from app.domain.values import value


class ReservationStatus(StrEnum):
    """The status of a reservation. The last three are final."""

    HELD = "held"
    PAYING = "paying"
    BOOKED = "booked"
    RELEASED = "released"
    EXPIRED = "expired"


HOLDING = (ReservationStatus.HELD, ReservationStatus.PAYING)

PAYING_MARGIN: Final = timedelta(days=1)
"""So much later than its reservation a claim ends that is being paid for: it ends by a decision, not by time."""


@value(frozen=True, slots=True)
class Reservation:
    """A hold and its history. `prices` are its seats, by id, each at the price of the hold.

    `left` are seats that it had before: released one by one, or moved into a newer reservation or a booking.
    While a reservation is held or paying, each of its seats has a claim that names it. While it is paying, `expires_at`
    is the provider's deadline.
    """

    id: UUID
    user_id: int
    status: ReservationStatus
    prices: Mapping[int, Money]
    created_at: datetime
    first_held_at: datetime
    expires_at: datetime
    booking_id: UUID | None = None
    version: int = 0
    left: Mapping[int, Money] = field(default_factory=dict)

    def is_holding(self, now: datetime) -> bool:
        """Whether it keeps its seats from others at `now`. While it is paid for, it does, whatever its end."""
        return self.status is ReservationStatus.PAYING or (
            self.status is ReservationStatus.HELD and self.expires_at > now
        )

    def status_at(self, now: datetime) -> ReservationStatus:
        """The status at `now`. A hold that has run out is expired, whether it was swept or not."""
        if self.status is ReservationStatus.HELD and self.expires_at <= now:
            return ReservationStatus.EXPIRED
        return self.status

    def without(self, seat_ids: frozenset[int], version: int) -> "Reservation":
        """The reservation after it gave up some seats.

        If it gives up all, it ends, and still has the seats that it had.
        """
        kept = {seat_id: price for seat_id, price in self.prices.items() if seat_id not in seat_ids}
        if not kept:
            return self.ended(ReservationStatus.RELEASED, version)
        given = {seat_id: price for seat_id, price in self.prices.items() if seat_id in seat_ids}
        return replace(self, prices=kept, left={**self.left, **given}, version=version)

    def must_not_be_paying(self) -> None:
        """Raises PaymentPending while it is being paid for."""
        if self.status is ReservationStatus.PAYING:
            raise PaymentPending(self.id)

    @property
    def claims_end_at(self) -> datetime:
        """The end of the claims of its seats, as long as it has them."""
        is_paying = self.status is ReservationStatus.PAYING
        return self.expires_at + PAYING_MARGIN if is_paying else self.expires_at

    def ended(self, status: ReservationStatus, version: int, booking_id: UUID | None = None) -> "Reservation":
        """The reservation with this final status. It still has the seats that it had."""
        return Reservation(
            id=self.id,
            user_id=self.user_id,
            status=status,
            prices=self.prices,
            created_at=self.created_at,
            first_held_at=self.first_held_at,
            expires_at=self.expires_at,
            booking_id=booking_id,
            version=version,
            left=self.left,
        )
