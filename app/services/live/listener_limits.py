"""Limits the live connections of a client address and of a process."""

from collections import Counter

from app.domain.people.rates import Bucket, Policy, Standing
from app.domain.refusals import Busy, RateLimited
from app.schemas.problems import reasons

COME_AGAIN_SECONDS = 5


class ListenerLimits:
    """One per process. `per_address` None: no limit per address."""

    def __init__(self, per_address: int | None, per_process: int) -> None:
        self._per_address = per_address
        self._per_process = per_process
        self._count = 0
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str) -> None:
        """Count a listener. Raises RateLimited if the address has too many, Busy if the process has no room."""
        if self._count >= self._per_process:
            raise Busy(reasons.TOO_MANY_LISTENERS, retry_after_seconds=COME_AGAIN_SECONDS)
        if self._per_address is not None and self._of_address[address] >= self._per_address:
            raise RateLimited(Standing(Policy(Bucket.LIVE, self._per_address, 1), False, 0, COME_AGAIN_SECONDS))
        self._count += 1
        self._of_address[address] += 1

    def leave(self, address: str) -> None:
        """Stop counting a listener. Call it exactly once for each that has entered."""
        self._count -= 1
        self._of_address[address] -= 1
        if self._of_address[address] <= 0:
            del self._of_address[address]
