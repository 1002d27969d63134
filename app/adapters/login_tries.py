"""Wrong passwords in Redis or Valkey: counted for an account, for an address, and for both together.

Each try counts as a wrong one when it begins, so that many at the same time are no way around the pauses. A right one
is taken back. Names and addresses are stored as hashes.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence
from hashlib import blake2b
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.adapters.redis_cache import REST_SECONDS
from app.adapters.redis_servers import Names, open_redis
from app.domain.people.logins import CALM, GUESSED, GUESSED_AT, KNOWN, KNOWN_SECONDS, REMEMBERED_SECONDS
from app.domain.people.rates import Policy
from app.services.ports import Away, Wait

_NAMES: Final = Names()

# The pause, the tries from here, those from everywhere, whether they know each other, the tries of the address.
_BEGIN: Final = """
local waits = redis.call('PTTL', KEYS[1])
if waits > 0 then return {waits, 1} end
local is_known = redis.call('EXISTS', KEYS[4]) == 1
if not is_known then
    if tonumber(redis.call('GET', KEYS[5]) or '0') >= tonumber(ARGV[1]) then
        return {redis.call('PTTL', KEYS[5]), 0}
    end
    if redis.call('INCR', KEYS[5]) == 1 then redis.call('EXPIRE', KEYS[5], ARGV[2]) end
end
local here = redis.call('INCR', KEYS[2])
local everywhere = redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
local pauses = cjson.decode(ARGV[5])
local which = is_known and pauses[1] or (everywhere > tonumber(ARGV[4]) and pauses[2] or pauses[3])
local pause = which[math.min(here, #which)]
if pause > 0 then redis.call('SET', KEYS[1], '', 'EX', pause) end
return {0, 0}
"""

_TAKE_BACK: Final = """
redis.call('DEL', KEYS[1])
for each = 2, 5 do
    if each ~= 4 and tonumber(redis.call('GET', KEYS[each]) or '0') > 0 then redis.call('DECR', KEYS[each]) end
end
if ARGV[1] ~= '0' then
    redis.call('DEL', KEYS[2])
    redis.call('SET', KEYS[4], '', 'EX', ARGV[1])
end
"""


class RedisLoginTries:
    """Implements ports.LoginTries. After a failure it does not ask Redis for a moment."""

    def __init__(self, url: str, timeout_seconds: float, names: Names = _NAMES) -> None:
        """`timeout_seconds`: of each question (REDIS_TIMEOUT_SECONDS)."""
        self._timeout_seconds = timeout_seconds
        self._redis = open_redis(url, connect_seconds=timeout_seconds, answer_seconds=timeout_seconds)
        self._names = names
        self._begin = self._redis.register_script(_BEGIN)
        self._take_back = self._redis.register_script(_TAKE_BACK)
        self._pauses = json.dumps([each.seconds for each in (KNOWN, GUESSED, CALM)])
        self._rests_until = 0.0

    async def begin(self, account: str, address: str, allowed: Policy) -> Wait | None:
        arguments: list[int | str] = [allowed.amount, allowed.seconds, REMEMBERED_SECONDS, GUESSED_AT, self._pauses]
        waits_ms, is_for_account = await self._ask(self._begin(keys=self._keys(account, address), args=arguments))
        return Wait(max(1, -(-waits_ms // 1000)), is_for_account=bool(is_for_account)) if waits_ms else None

    async def take_back(self, account: str, address: str, *, was_right: bool) -> None:
        known_seconds = KNOWN_SECONDS if was_right else 0
        await self._ask(self._take_back(keys=self._keys(account, address), args=[known_seconds]))

    @property
    def client(self) -> Redis:
        """Who speaks to Redis."""
        return self._redis

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _keys(self, account: str, address: str) -> Sequence[str]:
        both, of_account, of_address = _hash(f"{account}\0{address}"), _hash(account), _hash(address)
        names = (
            f"pause:{both}",
            f"here:{both}",
            f"everywhere:{of_account}",
            f"known:{both}",
            f"address:{of_address}",
        )
        return [self._names.of(f"logins:{name}") for name in names]

    async def _ask(self, question: Awaitable[Any]) -> Any:
        if time.monotonic() < self._rests_until:
            cast(Any, question).close()
            raise Away
        try:
            async with asyncio.timeout(2 * self._timeout_seconds):
                return await question
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise Away from error


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
