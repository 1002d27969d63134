"""The availability cache in Redis or Valkey.

One sorted set has the map version of every screening as its score. ZADD GT only moves a score forward, so announcements
that overtake each other, or a slow reader with an old map, can never bring an old version back. The facts of a
screening are a key of their own, with the map version in which they were true.

Redis is trusted for a while after it was compared with PostgreSQL, and no longer once it has failed: it may have missed
an announcement. One process compares for all, which holds a lease, and leaves a mark for as long as that counts. A
Redis that has lost its memory begins a new life, and each life has a sorted set of its own: what a process still writes
into an old life has no effect in the new one.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from app.adapters.redis_servers import Names, has_moved, open_redis
from app.services.ports import Away, CacheState, SharedLook, Unwritable

T = TypeVar("T")

REST_SECONDS: Final = 0.5
"""For this time after a failure only the reconciler asks Redis."""

FACTS_LIVE_SECONDS: Final = 3600

NEIGHBOURS_LIVE_SECONDS: Final = 5.0
"""So much longer than its next look an installation counts as one that is here."""

TRIED_SECONDS: Final = 60

_MS: Final = 1000
_NAMES: Final = Names()

# One command and one answer for a whole batch, however many screenings it changed (*measured*, with 20 of them: a third
# of the time of a pipeline). Arguments: how many map versions there are, each with its screening, then channels
# with news.
_MOVE: Final = """
local last = 2 * tonumber(ARGV[1]) + 1
redis.call('ZADD', KEYS[1], 'GT', unpack(ARGV, 2, last))
for told = last + 1, #ARGV, 2 do
  redis.pcall('PUBLISH', ARGV[told], ARGV[told + 1]) -- who listens notices what was missed
end
return redis.call('GET', KEYS[2])
"""


# A mark of another life says nothing of this one. Arguments: who asks, and for how many ms they would compare.
_SHARED_LOOK: Final = """
local life, mark, ago, ours = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), false, 0
if life and mark and string.sub(mark, 1, #life + 1) == life .. ' ' then
  local now = redis.call('TIME')
  ago = math.ceil(now[1] * 1000 + now[2] / 1000 - string.sub(mark, #life + 2))
end
local comparer = redis.call('GET', KEYS[3])
if not comparer or comparer == ARGV[1] then
  redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
  ours = 1
end
return {life, ago, ours}
"""


# Arguments: which installation says that it is here, and for how many ms. How many others are?
_NEIGHBOURS: Final = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], ms + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms)
return redis.call('ZCARD', KEYS[1]) - 1
"""

# If this life is still the one that is lived, it is over.
_END: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

_UNWRITABLE: Final[dict[type[RedisError], CacheState]] = {
    ReadOnlyError: CacheState.REPLICA,
    OutOfMemoryError: CacheState.FULL,
    NoPermissionError: CacheState.FORBIDDEN,
    ResponseError: CacheState.REFUSING,  # scripts say so little when a command in them is forbidden
}
"""By what it answers; the first that fits."""


class RedisCache:
    """Implements ports.AvailabilityCache."""

    def __init__(self, url: str, timeout_seconds: float, names: Names = _NAMES) -> None:
        """`timeout_seconds`: of each question (REDIS_TIMEOUT_SECONDS). A write waits for its announcement so long."""
        self._timeout_seconds = timeout_seconds
        self._redis = open_redis(url, connect_seconds=timeout_seconds, answer_seconds=timeout_seconds)
        self.names = names
        self._database = database_of(self._redis)
        self._life_key, self._compared, self._comparer = map(names.of, ("life", "compared", "comparer"))
        self._states, self._facts = names.of("states:").encode(), names.of("facts:").encode()
        self._neighbours = self._redis.register_script(_NEIGHBOURS)
        self._end = self._redis.register_script(_END)
        self._move = self._redis.register_script(_MOVE)
        self._shared_look = self._redis.register_script(_SHARED_LOOK)
        self._life = b""
        self._compared_from = 0.0
        """When the map versions were asked for, by Redis's own time."""
        self._failures = 0
        self._trusted_until = 0.0
        self._rests_until = 0.0

    async def map_versions(self, screening_ids: Sequence[int]) -> list[int | None]:
        self._must_be_trusted()
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zmscore(self._map_versions, [str(each) for each in screening_ids])
            pipeline.get(self._life_key)
            scores, life = await self._ask(pipeline.execute())
        if life != self._life:
            self._doubt()
        self._must_be_trusted()
        return [None if score is None else int(score) for score in scores]

    async def known_map_versions(self) -> dict[int, int]:
        await self._follow()
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.get(self._life_key)
            pipeline.zrange(self._map_versions, 0, -1, withscores=True)
            (seconds, microseconds), life, pairs = await self._ask(pipeline.execute())
        if life is None:
            await self._ask(self._redis.set(self._life_key, secrets.token_hex(8), nx=True))
            return await self.known_map_versions()
        if life != self._life:
            self._begin(life)
            return await self.known_map_versions()
        self._compared_from = float(seconds) + float(microseconds) / 1_000_000
        return {int(member): int(score) for member, score in pairs}

    async def move(self, map_versions: Mapping[int, int], news: Sequence[tuple[int, bytes]] = ()) -> None:
        if time.monotonic() < self._rests_until:
            raise Away
        arguments: list[int | str | bytes] = [len(map_versions)]
        for screening_id, map_version in map_versions.items():
            arguments += (map_version, screening_id)
        for screening_id, published in news:
            arguments += (channel_of(self.names, self._database, screening_id), published)
        life: bytes | None = await self._ask(self._move(keys=[self._map_versions, self._life_key], args=arguments))
        # None: it has forgotten everything, and whoever begins its new life asks PostgreSQL before they believe it.
        if life is not None and life != self._life:
            self._begin(life)
            await self.move(map_versions)

    async def facts(self, screening_id: int) -> bytes | None:
        self._must_be_trusted()
        kept: bytes | None = await self._ask(cast(Awaitable[Any], self._redis.get(self._facts_key(screening_id))))
        return kept

    async def keep(self, screening_id: int, map_version: int, facts: bytes, doubts: int) -> None:
        self._must_be_trusted()
        if doubts != self._failures:
            raise Away
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._facts_key(screening_id), facts, ex=FACTS_LIVE_SECONDS)
            pipeline.zadd(self._map_versions, {str(screening_id): map_version}, gt=True)
            await self._ask(pipeline.execute())

    async def forget(self, screening_ids: Sequence[int]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(self._map_versions, *(str(each) for each in screening_ids))
            pipeline.delete(*(self._facts_key(each) for each in screening_ids))
            await self._ask(pipeline.execute())

    def doubts(self) -> int:
        return self._failures

    def trust(self, doubts: int, until: float) -> None:
        if doubts == self._failures:
            self._trusted_until = until
            self._rests_until = 0.0

    def go_on_trusting(self, until: float) -> None:
        if self._trusted_until:
            self._trusted_until = until

    async def say_compared(self, seconds: float) -> None:
        mark = b"%b %d" % (self._life, int(self._compared_from * _MS))
        await self._ask(self._redis.set(self._compared, mark, pxat=int((self._compared_from + seconds) * _MS)))

    async def say_doubtful(self) -> None:
        await self._ask(cast(Awaitable[Any], self._redis.delete(self._compared)))

    async def shared_look(self, who: str, seconds: float) -> SharedLook:
        await self._follow()
        asked = self._shared_look(keys=[self._life_key, self._compared, self._comparer], args=[who, int(seconds * _MS)])
        life, ago, is_ours = await self._ask(asked)
        if life is not None:
            self._begin(life)
        return SharedLook(bool(is_ours), None if ago is None else max(ago, 0) / _MS)

    async def neighbours(self, seconds: float) -> int:
        here_ms = int((seconds + NEIGHBOURS_LIVE_SECONDS) * _MS)
        return int(await self._ask(self._neighbours(keys=[self.names.shared], args=[self.names.installation, here_ms])))

    async def begin_anew(self) -> None:
        await self._ask(self._end(keys=[self._life_key], args=[self._life]))
        self._doubt()

    async def state(self) -> CacheState:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(self.names.of("tried"), b"", ex=TRIED_SECONDS)
                pipeline.zadd(self.names.of("tried:states"), {"": 0})
                pipeline.expire(self.names.of("tried:states"), TRIED_SECONDS)
                pipeline.eval("return 1", 0)
                await self._ask(pipeline.execute())
        except Unwritable as told:
            return told.state
        except Away:
            return CacheState.AWAY
        return CacheState.OK

    @property
    def client(self) -> Redis:
        """Who speaks to Redis."""
        return self._redis

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @property
    def _map_versions(self) -> bytes:
        return self._states + self._life

    def _facts_key(self, screening_id: int) -> bytes:
        """Of this life: what one kept that knew of other changes is no fact here."""
        return b"%b%b:%d" % (self._facts, self._life, screening_id)

    async def _follow(self) -> None:
        """Sentinels may have promoted another server, and nobody says so: the former one goes on for seconds."""
        if await self._ask(has_moved(self._redis)):
            self._doubt()

    def _must_be_trusted(self) -> None:
        if time.monotonic() >= self._trusted_until:
            raise Away

    def _begin(self, life: bytes) -> None:
        """Begin this life."""
        if self._life and life != self._life:
            self._doubt()
        self._life = life

    def _doubt(self) -> None:
        self._failures += 1
        self._trusted_until = 0.0

    async def _ask(self, question: Awaitable[T]) -> T:
        """The answer to a question. Raises Away on a timeout or an error; Unwritable if it may only be read."""
        try:
            async with asyncio.timeout(2 * self._timeout_seconds):
                return await question
        except (RedisError, OSError, TimeoutError) as error:
            self._doubt()
            self._rests_until = time.monotonic() + REST_SECONDS
            state = next((state for kind, state in _UNWRITABLE.items() if isinstance(error, kind)), None)
            raise (Away() if state is None else Unwritable(state)) from error


def database_of(redis: Redis) -> int:
    """The number of the database. Keys belong to a database, channels do not."""
    return int(redis.connection_pool.connection_kwargs.get("db") or 0)


def channel_of(names: Names, database: int, screening_id: int) -> str:
    """The name of the channel with the news of a screening."""
    return names.of(f"{database}:news:{screening_id}")
