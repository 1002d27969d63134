"""A claim is the row that says who has a seat of a screening. No claim means available."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.seats import SeatStatus
from app.domain.values import value


class ClaimStatus(StrEnum):
    """Why a seat is not available."""

    HELD = "held"
    BOOKED = "booked"
    BLOCKED = "blocked"


SEEN_AS = {
    ClaimStatus.HELD: SeatStatus.RESERVED,
    ClaimStatus.BOOKED: SeatStatus.BOOKED,
    ClaimStatus.BLOCKED: SeatStatus.BLOCKED,
}


@value(frozen=True, slots=True)
class Claim:
    """Who has a seat, and until when. Only a held seat has an end.

    `reason` is why it is blocked; of a held seat, that it will be as soon as the hold ends ("": nobody said why).
    """

    seat_id: int
    status: ClaimStatus
    user_id: int | None = None
    reservation_id: UUID | None = None
    booking_id: UUID | None = None
    expires_at: datetime | None = None
    reason: str | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it counts at `now`. A hold whose time is over does not, whether it was swept or not."""
        return self.expires_at is None or self.expires_at > now

    def is_held_by(self, user_id: int) -> bool:
        """Whether this user holds the seat, or did until the hold ran out."""
        return self.status is ClaimStatus.HELD and self.user_id == user_id

    @property
    def will_be_blocked(self) -> bool:
        """Whether the house takes the seat off sale the moment that its hold ends."""
        return self.status is ClaimStatus.HELD and self.reason is not None

    @property
    def seen_as(self) -> SeatStatus:
        """The status of the seat that everybody sees while the claim is live."""
        return SEEN_AS[self.status]
