"""PostgreSQL's clock decides. Whoever reads without asking PostgreSQL tells the time by this copy of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# After so long a sample counts as old, and a worse one replaces it: clocks drift.
_FRESH_SECONDS = 60.0


class Clock:
    """Our clock, corrected by how far PostgreSQL's is from it."""

    def __init__(self, our_time: Callable[[], float] = time.time) -> None:
        self._our_time = our_time
        self._ahead = timedelta(0)
        self._round_trip = float("inf")
        self._learned_at = float("-inf")

    def now(self) -> datetime:
        """The time in UTC, as PostgreSQL would tell it."""
        return datetime.fromtimestamp(self._our_time(), UTC) + self._ahead

    def learn(self, theirs: datetime, asked_at: float) -> None:
        """Compare with PostgreSQL's time in an answer to a question put at `asked_at` (our time, in seconds).

        The shortest round trip of the last minute counts: the shorter it was, the less is unknown.
        """
        answered_at = self._our_time()
        round_trip = answered_at - asked_at
        if round_trip <= self._round_trip or answered_at - self._learned_at > _FRESH_SECONDS:
            midway = datetime.fromtimestamp((asked_at + answered_at) / 2, UTC)
            self._ahead, self._round_trip, self._learned_at = theirs - midway, round_trip, answered_at
