"""The occupancy of a screening: facts, and what they mean as time goes by.

Facts ("held until 12:05:00") can be cached. Conclusions ("reserved") are computed again when a hold's time is over.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final

from app.domain.money import Money
from app.domain.seats import SeatStatus
from app.domain.values import value

_ENDS_KEPT: Final = 100


@value(frozen=True, slots=True)
class Taken:
    """A seat that somebody has, or had until `expires_at` (UTC). Only the owner may see `user_id`."""

    seat_id: int
    status: SeatStatus
    expires_at: datetime | None = None
    user_id: int | None = None


@value(frozen=True, slots=True)
class Occupancy:
    """The facts of a screening in one map version: every claim, the prices, and the revision of the layout.

    `map_version` only grows: with every change of the seats (`version`), the prices or the layout.
    """

    screening_id: int
    theater_id: int
    layout_revision: int
    map_version: int
    version: int
    prices: Mapping[str, Money]
    claims: tuple[Taken, ...]


class Seating:
    """Which seats are taken now. It follows each change and the time; only what changes costs work.

    A hold whose time is over is not taken any more. Until it is swept, its seat is in `run_out`.
    """

    def __init__(self, claims: Iterable[Taken], now: datetime) -> None:
        self.taken = {claim.seat_id: claim for claim in claims}
        self.run_out: set[int] = set()
        self._ends: list[tuple[datetime, int]] = []
        self._note_ends()
        self.pass_until(now)

    def change(self, seat_id: int, claim: Taken | None) -> None:
        """The seat has this claim now; None: it has none."""
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
        """Let the time be `now` (UTC). Returns the seats whose holds have run out since the last call."""
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
        """Keep the ends of current holds only."""
        self._ends = [(claim.expires_at, claim.seat_id) for claim in self.taken.values() if claim.expires_at]
        heapify(self._ends)
