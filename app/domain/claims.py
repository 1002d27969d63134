"""A claim is the row that says who has a seat of a screening. No claim means available."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.domain.seats import SeatStatus


class ClaimStatus(StrEnum):
    """How a seat is taken."""

    HELD = "held"
    BOOKED = "booked"
    BLOCKED = "blocked"


SEEN_AS = {
    ClaimStatus.HELD: SeatStatus.RESERVED,
    ClaimStatus.BOOKED: SeatStatus.BOOKED,
    ClaimStatus.BLOCKED: SeatStatus.BLOCKED,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a seat, and until when. Only a hold has an end, only a blocked seat a reason."""

    seat_id: int
    status: ClaimStatus
    user_id: int | None = None
    reservation_id: UUID | None = None
    booking_id: UUID | None = None
    expires_at: datetime | None = None
    reason: str | None = None

    def is_live(self, now: datetime) -> bool:
        """A hold whose time is over is no hold at that very moment, swept or not."""
        return self.expires_at is None or self.expires_at > now

    def is_held_by(self, user_id: int) -> bool:
        """Held, run out or not, by this user."""
        return self.status is ClaimStatus.HELD and self.user_id == user_id

    @property
    def seen_as(self) -> SeatStatus:
        """What everybody sees of a live claim."""
        return SEEN_AS[self.status]
