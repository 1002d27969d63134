"""The availability cache in Redis or Valkey.

One sorted set holds the state of every screening as its score, because ZADD GT moves a score forward only: announcements
that overtake each other, and a slow reader who keeps an old map, can never bring an old state back. The facts of a
screening are kept beside it, marked with the state in which they were true.

A Redis that failed may have missed an announcement. From then on it answers no reader, until the reconciler has compared
it with PostgreSQL.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.services.ports import Away

T = TypeVar("T")

PATIENCE_SECONDS: Final = 0.25
"""Whoever takes longer is away: a write waits for its announcement, and must not wait for a dead Redis."""

REST_SECONDS: Final = 0.5
"""After a failure nobody but the reconciler tries for so long."""

FACTS_LIVE_SECONDS: Final = 3600

_STATES: Final = "usher:states"


class RedisCache:
    """As ports.AvailabilityCache."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            protocol=3,
            legacy_responses=False,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 1),
            max_connections=64,
        )
        self._failures = 0
        self._is_trusted = True
        self._rests_until = 0.0

    async def states(self, screening_ids: Sequence[int]) -> list[int | None]:
        self._must_be_trusted()
        scores = await self._ask(self._redis.zmscore(_STATES, [str(each) for each in screening_ids]))
        return [None if score is None else int(score) for score in scores]

    async def known_states(self) -> dict[int, int]:
        pairs: Sequence[tuple[bytes, float]] = await self._ask(
            cast(Awaitable[Any], self._redis.zrange(_STATES, 0, -1, withscores=True))
        )
        return {int(member): int(score) for member, score in pairs}

    async def move(self, states: Mapping[int, int]) -> None:
        if time.monotonic() < self._rests_until:
            raise Away
        await self._ask(self._redis.zadd(_STATES, {str(each): state for each, state in states.items()}, gt=True))

    async def facts(self, screening_id: int) -> bytes | None:
        self._must_be_trusted()
        kept: bytes | None = await self._ask(cast(Awaitable[Any], self._redis.get(_facts_key(screening_id))))
        return kept

    async def keep(self, screening_id: int, state: int, facts: bytes) -> None:
        self._must_be_trusted()
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(_facts_key(screening_id), facts, ex=FACTS_LIVE_SECONDS)
            pipeline.zadd(_STATES, {str(screening_id): state}, gt=True)
            await self._ask(pipeline.execute())

    async def forget(self, screening_ids: Sequence[int]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(_STATES, *(str(each) for each in screening_ids))
            pipeline.delete(*(_facts_key(each) for each in screening_ids))
            await self._ask(pipeline.execute())

    def doubts(self) -> int:
        return self._failures

    def trust(self, doubts: int) -> None:
        if doubts == self._failures:
            self._is_trusted = True
            self._rests_until = 0.0

    async def ping(self) -> bool:
        try:
            return bool(await self._ask(self._redis.ping()))
        except Away:
            return False

    async def close(self) -> None:
        """Hang up."""
        await self._redis.aclose()

    def _must_be_trusted(self) -> None:
        if not self._is_trusted:
            raise Away

    async def _ask(self, question: Awaitable[T]) -> T:
        """Raises Away when there is no answer in time."""
        try:
            async with asyncio.timeout(2 * PATIENCE_SECONDS):
                return await question
        except (RedisError, OSError, TimeoutError) as error:
            self._failures += 1
            self._is_trusted = False
            self._rests_until = time.monotonic() + REST_SECONDS
            raise Away from error


def _facts_key(screening_id: int) -> str:
    return f"usher:facts:{screening_id}"

