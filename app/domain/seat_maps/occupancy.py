"""Who sits where in one screening: the facts, and what they mean as time goes by.

Facts ("held until 12:05:00") may be kept; conclusions ("reserved") are drawn anew when a hold's time is over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final

from app.domain.money import Money
from app.domain.seats import SeatStatus

_ENDS_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Taken:
    """A seat that somebody has, or had until `expires_at`. `user_id` is known to the box office, never to everybody."""

    seat_id: int
    status: SeatStatus
    expires_at: datetime | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What was true of a screening in one map version: every seat that has a claim, the prices, and the layout.

    `map_version` only grows: with every change of its seats (`version`), its prices, or its layout.
    """

    screening_id: int
    theater_id: int
    layout_revision: int
    map_version: int
    version: int
    prices: Mapping[str, Money]
    claims: tuple[Taken, ...]


class Seating:
    """Who sits where now. It goes on with every change and with time, at the cost of what changes.

    A hold whose time is over is taken no more; until it is swept its seat is in `run_out`.
    """

    def __init__(self, claims: Iterable[Taken], now: datetime) -> None:
        self.taken = {claim.seat_id: claim for claim in claims}
        self.run_out: set[int] = set()
        self._ends: list[tuple[datetime, int]] = []
        self._note_ends()
        self.pass_until(now)

    def change(self, seat_id: int, claim: Taken | None) -> None:
        """The seat has this claim from now on, or none."""
        self.run_out.discard(seat_id)
        if claim is None:
            self.taken.pop(seat_id, None)
            return
        self.taken[seat_id] = claim
        if claim.expires_at is not None:
            heappush(self._ends, (claim.expires_at, seat_id))
            if len(self._ends) > 2 * len(self.taken) + _ENDS_KEPT:
                self._note_ends()

    def pass_until(self, now: datetime) -> list[int]:
        """It is so late (UTC): the seats whose holds have ended since it was asked last."""
        ended: list[int] = []
        while self._ends and self._ends[0][0] <= now:
            _, seat_id = heappop(self._ends)
            claim = self.taken.get(seat_id)
            if claim is not None and claim.expires_at is not None and claim.expires_at <= now:
                del self.taken[seat_id]
                self.run_out.add(seat_id)
                ended.append(seat_id)
        return ended

    def _note_ends(self) -> None:
        """The ends of the holds that there are, without those of holds that are gone."""
        self._ends = [(claim.expires_at, claim.seat_id) for claim in self.taken.values() if claim.expires_at]
        heapify(self._ends)
