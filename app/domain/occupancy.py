"""Who sits where in one screening: the facts, and what they mean at a moment.

Facts ("held until 12:05:00") may be kept; conclusions ("reserved") are drawn anew when a hold's time is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.domain.money import Money
from app.domain.seats import SeatStatus


@dataclass(frozen=True, slots=True)
class Taken:
    """A seat that somebody has, or had until `expires_at`. `user_id` is known to the box office, never to everybody."""

    seat_id: int
    status: SeatStatus
    expires_at: datetime | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What was true of a screening in one state: every seat that has a claim, the prices, and the layout.

    `state` only grows: with every change of its seats (`version`), its prices, or its layout.
    """

    screening_id: int
    theater_id: int
    layout_revision: int
    state: int
    version: int
    prices: Mapping[str, Money]
    claims: tuple[Taken, ...]

    def at(self, now: datetime) -> "Conclusions":
        """What the facts mean at this moment (UTC)."""
        taken: dict[int, Taken] = {}
        ends: datetime | None = None
        for claim in self.claims:
            end = claim.expires_at
            if end is None:
                taken[claim.seat_id] = claim
            elif end > now:
                taken[claim.seat_id] = claim
                ends = end if ends is None or end < ends else ends
        return Conclusions(taken, run_out=len(self.claims) - len(taken), until=ends)


@dataclass(frozen=True, slots=True)
class Conclusions:
    """The seats that are taken, how many holds ran out unswept, and until when all this is so (None: for good)."""

    taken: Mapping[int, Taken]
    run_out: int
    until: datetime | None

    def hold_at(self, now: datetime) -> bool:
        """Is it still so at this moment?"""
        return self.until is None or self.until > now
