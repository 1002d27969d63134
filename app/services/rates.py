"""Rate limits. When Redis is not reachable there are none: they protect the service, and must never stop it."""

from collections.abc import Mapping
from typing import Final

from app.domain.rates import Bucket, Policy, Standing
from app.domain.refusals import RateLimited
from app.services.ports import Away, RateCounter

ADDRESS_FACTOR: Final = 10
"""How many times the requests of one user an address may send: it may be a household, an office or a mobile network."""

ANONYMOUS_SHARE: Final = 2
"""An address sends so many times fewer requests without a token than one user with theirs."""


class Rates:
    """One per process; the counts are shared by all."""

    def __init__(self, counter: RateCounter, policies: Mapping[Bucket, Policy]) -> None:
        self._counter = counter
        self._policies = policies

    async def admit(self, bucket: Bucket, address: str, user_id: int | None) -> Standing | None:
        """Count a request, and return where its caller stands: by user or by address, whichever is worse.

        All callers of an address without a token count as one, who may do less than a user. Logins are counted by
        address only: it is not known yet who the user is. None if Redis is not reachable. Raises RateLimited.
        """
        policy = self._policies[bucket]
        try:
            if bucket is Bucket.LOGIN:
                standing = await self._counter.count(policy, f"address:{address}")
            else:
                standing = await self._counter.count(policy.times(ADDRESS_FACTOR), f"address:{address}")
                if standing.is_allowed:
                    standing = _worse(standing, await self._of_caller(policy, address, user_id))
        except Away:
            return None
        if not standing.is_allowed:
            raise RateLimited(standing)
        return standing

    async def _of_caller(self, policy: Policy, address: str, user_id: int | None) -> Standing:
        if user_id is not None:
            return await self._counter.count(policy, f"user:{user_id}")
        return await self._counter.count(policy.shared_by(ANONYMOUS_SHARE), f"anonymous:{address}")


def _worse(one: Standing, other: Standing) -> Standing:
    return min(one, other, key=lambda standing: (standing.is_allowed, standing.remaining))
