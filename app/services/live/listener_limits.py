"""How many may listen at a time: one client address, and one process."""

from collections import Counter

from app.domain.rates import Bucket, Policy, Standing
from app.domain.refusals import Busy, RateLimited
from app.schemas.problems import reasons

COME_AGAIN_SECONDS = 5


class ListenerLimits:
    """One per process. `per_address` None: as many as there is room for."""

    def __init__(self, per_address: int | None, per_process: int) -> None:
        self._per_address = per_address
        self._per_process = per_process
        self._count = 0
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str) -> None:
        """One more. Raises RateLimited when it is one too many of this address, Busy when there is no room at all."""
        if self._count >= self._per_process:
            raise Busy(reasons.TOO_MANY_LISTENERS, retry_after_seconds=COME_AGAIN_SECONDS)
        if self._per_address is not None and self._of_address[address] >= self._per_address:
            raise RateLimited(Standing(Policy(Bucket.LIVE, self._per_address, 1), False, 0, COME_AGAIN_SECONDS))
        self._count += 1
        self._of_address[address] += 1

    def leave(self, address: str) -> None:
        """One less; exactly once for each who entered."""
        self._count -= 1
        self._of_address[address] -= 1
        if self._of_address[address] <= 0:
            del self._of_address[address]
