"""The feed in Redis or Valkey: one connection per process, subscribed to the screenings that somebody watches here.

When it fails it connects again, and reports that news may be lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.adapters.redis_cache import channel_of, database_of
from app.adapters.redis_servers import Names, open_redis
from app.outages import REDIS, Watch

T = TypeVar("T")

_NAMES: Final = Names()

REST_SECONDS: Final = 0.25
CONNECT_SECONDS: Final = 1.0
PING_SECONDS: Final = 4.0
SILENCE_SECONDS: Final = 10.0
"""A connection that says nothing for so long, though it was asked, is dead."""


class _Never(Retry):
    """A connection that broke stays broken until `run` makes another one.

    A Retry of redis-py mends it before it raises. Two tasks use it here: both would, and one of two new ones would be
    left open.
    """

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[T]],
        fail: object,
        is_retryable: object = None,
        with_failure_count: bool = False,
    ) -> T:
        return await do()


class RedisFeed:
    """Implements ports.SeatFeed."""

    def __init__(self, url: str, names: Names = _NAMES) -> None:
        self._redis = open_redis(
            url,
            connect_seconds=CONNECT_SECONDS,
            answer_seconds=None,
            retry=_Never(NoBackoff(), 0),
            max_connections=2,
        )
        self._names = names
        self._database = database_of(self._redis)
        # Somebody is always subscribed to this one, so that there is always a connection to be read from.
        self._own_channel = channel_of(self._names, self._database, 0)
        self._wanted: dict[str, int] = {}
        self._changed = asyncio.Event()

    def watch(self, screening_id: int) -> None:
        self._wanted[channel_of(self._names, self._database, screening_id)] = screening_id
        self._changed.set()

    def unwatch(self, screening_id: int) -> None:
        self._wanted.pop(channel_of(self._names, self._database, screening_id), None)
        self._changed.set()

    async def run(self, hear: Callable[[int, bytes | None], None]) -> None:
        # Not `loops.every`: all is well as long as this does not end.
        with Watch() as watch:
            while True:
                try:
                    async with self._redis.pubsub() as calls:
                        await calls.subscribe(self._own_channel)
                        await _until_one_breaks(self._subscribe(calls), self._listen(calls, hear, watch))
                except (RedisError, OSError, TimeoutError) as away:
                    watch.meet(REDIS, type(away).__name__)
                await asyncio.sleep(REST_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _subscribe(self, calls: PubSub) -> None:
        """Subscribe and unsubscribe as wanted, and check the connection from time to time."""
        subscribed: set[str] = set()
        while True:
            self._changed.clear()
            wanted = set(self._wanted)
            if gone := subscribed - wanted:
                await calls.unsubscribe(*gone)
            if new := wanted - subscribed:
                await calls.subscribe(*new)
            subscribed = wanted
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await calls.ping()

    async def _listen(self, calls: PubSub, hear: Callable[[int, bytes | None], None], watch: Watch) -> None:
        while True:
            said: dict[str, Any] | None
            said = await calls.get_message(ignore_subscribe_messages=False, timeout=SILENCE_SECONDS)
            if said is None:
                raise TimeoutError
            watch.all_is_well()
            if said["type"] not in ("message", "subscribe"):
                continue
            screening_id = self._wanted.get(said["channel"].decode())
            if screening_id is not None:
                hear(screening_id, said["data"] if said["type"] == "message" else None)


async def _until_one_breaks(*stories: Coroutine[Any, Any, None]) -> None:
    """Raises what one of them raises, once all have ended.

    No TaskGroup: one that is cancelled while a task of its own breaks raises what broke, and the cancellation is lost.
    """
    tasks = [asyncio.create_task(story) for story in stories]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
