"""The counter of rate limits in Redis or Valkey: a sliding window, by the `limits` library."""

import asyncio
import math
import time
from functools import cache
from typing import Final

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis_cache import REST_SECONDS
from app.adapters.redis_servers import Names, connections
from app.domain.people.rates import Policy, Standing
from app.services.ports import Away

_NAMES: Final = Names()


class RedisRateCounter:
    """Implements ports.RateCounter. After a failure it does not ask Redis for a moment, so that nobody waits for it."""

    def __init__(self, url: str, timeout_seconds: float, names: Names = _NAMES) -> None:
        """`timeout_seconds`: of each question (REDIS_TIMEOUT_SECONDS)."""
        self._timeout_seconds = timeout_seconds
        self._connections = connections(url, connect_seconds=timeout_seconds, answer_seconds=timeout_seconds)
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=names.of("rates"),
            connection_pool=self._connections,  # type: ignore[arg-type]  # as it documents
        )
        self.client: Redis = storage.bridge.storage  # type: ignore[attr-defined]  # of redis-py's bridge
        """Who speaks to Redis."""
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._rests_until = 0.0

    async def count(self, policy: Policy, who: str) -> Standing:
        if time.monotonic() < self._rests_until:
            raise Away
        item = _item(policy)
        try:
            async with asyncio.timeout(2 * self._timeout_seconds):
                is_allowed = await self._limiter.hit(item, policy.bucket, who)
                left = await self._limiter.get_window_stats(item, policy.bucket, who)
        except (RedisError, StorageError, OSError, TimeoutError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise Away from error
        reset_seconds = max(1, math.ceil(left.reset_time - time.time()))
        return Standing(policy, is_allowed, left.remaining if is_allowed else 0, reset_seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.aclose()


@cache
def _item(policy: Policy) -> RateLimitItem:
    return RateLimitItemPerSecond(policy.amount, policy.seconds)
