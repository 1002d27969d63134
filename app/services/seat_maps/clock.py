"""PostgreSQL's clock decides. Readers that do not ask PostgreSQL use this copy of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# After so long a sample counts as old, and a worse one replaces it: clocks drift.
_FRESH_SECONDS = 60.0


class Clock:
    """PostgreSQL's time when it was last read, and the seconds since, by a monotonic clock."""

    def __init__(self, our_time: Callable[[], float] = time.monotonic) -> None:
        self._our_time = our_time
        self._at_zero = datetime.now(UTC) - timedelta(seconds=our_time())
        self._round_trip = float("inf")
        self._learned_at = float("-inf")

    def now(self) -> datetime:
        """The time in UTC. Never behind PostgreSQL's, and ahead by at most the round trip of a question."""
        return self._at_zero + timedelta(seconds=self._our_time())

    def learn(self, theirs: datetime, asked_at: float) -> None:
        """Set it by PostgreSQL's time in an answer to a question put at `asked_at` (our time, in seconds).

        The shortest round trip of the last minute counts: the shorter it was, the less is unknown. When PostgreSQL
        looked at its clock is not known, so the beginning counts: a hold that ran out reads available at that very
        moment, and whoever then asks for the seat takes a round trip, too.
        """
        answered_at = self._our_time()
        round_trip = answered_at - asked_at
        if round_trip <= self._round_trip or answered_at - self._learned_at > _FRESH_SECONDS:
            self._at_zero = theirs - timedelta(seconds=asked_at)
            self._round_trip, self._learned_at = round_trip, answered_at
