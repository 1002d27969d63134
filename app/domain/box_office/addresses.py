"""From where somebody without an account holds seats, how many may be held from there, and how soon again.

Counted for each screening: its seats are what one caller could keep from all others. The same seats, again and again,
are paused for a while that grows. What counts is for how long a seat was kept from everybody else and not booked: a
click and its regret cost next to nothing. It is forgotten when nobody there has held the seat for a while.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.domain.screenings import Screening
from app.domain.values import value

NETWORK_FACTOR: Final = 4
"""How many times as many seats may be held from all addresses of a network (IPv4 /24, IPv6 /56)."""

FREE: Final = 2
"""So many hold times a seat is kept from an address before the first pause: nobody waits after their first hold."""

FIRST_PAUSE: Final = timedelta(seconds=30)
"""Each hold time more doubles it, up to the longest hold."""

FORGOTTEN_AFTER: Final = 2
"""So many longest holds after the last hold of a seat from there, nothing of it counts."""

_MOST_DOUBLINGS: Final = 20


@value(frozen=True, slots=True)
class Address:
    """Keyed hashes of a client address and of its network. `allowed` seats are held and unpaid at a time from it."""

    address: bytes
    network: bytes
    allowed: int


@value(frozen=True, slots=True)
class HeldFrom:
    """The same of a hold that was made from there."""

    address: bytes
    network: bytes


@value(frozen=True, slots=True)
class KeptSeat:
    """The last hold of a seat from an address: when it began, and when it ended or will (UTC; None: it was booked).

    `before`: for how long the holds before it lasted.
    """

    reservation_id: UUID
    before: timedelta
    began_at: datetime
    ended_at: datetime | None

    @property
    def in_all(self) -> timedelta:
        """For how long the seat was kept. What is booked was kept from nobody."""
        return self.before if self.ended_at is None else self.before + (self.ended_at - self.began_at)

    def counted(self, screening: Screening, now: datetime) -> timedelta:
        """The same, unless that is forgotten at `now`."""
        last = self.ended_at or self.began_at
        return self.in_all if now < last + FORGOTTEN_AFTER * screening.longest_hold else timedelta()

    def free_again(self, screening: Screening) -> datetime:
        """From when on the seat may be held from there."""
        return (self.ended_at or self.began_at) + pause_after(self.in_all, screening)

    def forget_at(self, screening: Screening) -> datetime:
        """When nothing of it counts any more, however often the hold is extended."""
        return screening.latest_end(self.began_at) + FORGOTTEN_AFTER * screening.longest_hold


def pause_after(kept: timedelta, screening: Screening) -> timedelta:
    """How long a seat cannot be held from where it was kept for so long."""
    times = kept // screening.hold_time - FREE
    if times < 0:
        return timedelta()
    doubled: int = 2 ** min(times, _MOST_DOUBLINGS)
    return min(FIRST_PAUSE * doubled, screening.longest_hold)
