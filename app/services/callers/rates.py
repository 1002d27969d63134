"""Rate limits. They protect the service, and must never stop it: without Redis each process counts for itself."""

import math
import time
from collections.abc import Mapping
from typing import Final

from cachetools import TTLCache

from app.domain.people.rates import Bucket, Policy, Standing
from app.domain.refusals import RateLimited
from app.services.ports import Away, RateCounter

ADDRESS_FACTOR: Final = 10
"""How many times the requests of one user an address may send: it may be a household, an office or a mobile network."""

REMEMBERED: Final = 50_000

ANONYMOUS_SHARE: Final = 2
"""An address sends so many times fewer requests without a token than one user with theirs."""


class Rates:
    """One per process; the counts are shared by all."""

    def __init__(self, counter: RateCounter, policies: Mapping[Bucket, Policy]) -> None:
        self._counter = counter
        self._here = RatesHere()
        self._policies = policies

    async def admit(self, bucket: Bucket, address: str, user_id: int | None, *, shows_secret: bool = False) -> Standing:
        """Count a request, and return where its caller stands: by user or by address, whichever is worse.

        All callers of an address without a token count as one, who may do less than a user, unless the request
        `shows_secret`: a password or a refresh token. Registrations are counted by address only: it is not known yet
        who the user is. Raises RateLimited.
        """
        policy = self._policies[bucket]
        if bucket is Bucket.LOGIN:
            standing = await self._count(policy, f"address:{address}")
        else:
            standing = await self._count(policy.times(ADDRESS_FACTOR), f"address:{address}")
            if standing.is_allowed and not shows_secret:
                standing = _worse(standing, await self._of_caller(policy, address, user_id))
        if not standing.is_allowed:
            raise RateLimited(standing)
        return standing

    async def _of_caller(self, policy: Policy, address: str, user_id: int | None) -> Standing:
        if user_id is not None:
            return await self._count(policy, f"user:{user_id}")
        return await self._count(policy.shared_by(ANONYMOUS_SHARE), f"anonymous:{address}")

    async def _count(self, policy: Policy, who: str) -> Standing:
        try:
            return await self._counter.count(policy, who)
        except Away:
            return await self._here.count(policy, who)


class RatesHere:
    """Implements ports.RateCounter for one process. The oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._seen: dict[Policy, TTLCache[str, tuple[float, list[None]]]] = {}

    async def count(self, policy: Policy, who: str) -> Standing:
        now = time.monotonic()
        seen = self._seen.get(policy)
        if seen is None:
            seen = self._seen[policy] = TTLCache(REMEMBERED, policy.seconds)
        first_at, requests = seen.get(who) or seen.setdefault(who, (now, []))
        is_allowed = len(requests) < policy.amount
        if is_allowed:
            requests.append(None)
        reset_seconds = max(1, math.ceil(first_at + policy.seconds - now))
        return Standing(policy, is_allowed, policy.amount - len(requests), reset_seconds)


def _worse(one: Standing, other: Standing) -> Standing:
    return min(one, other, key=lambda standing: (standing.is_allowed, standing.remaining))
