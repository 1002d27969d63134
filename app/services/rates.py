"""Rate limits. When Redis is not reachable there are none: they protect the service, and must never stop it."""

from collections.abc import Mapping
from typing import Final

from app.domain.rates import Bucket, Policy, Standing
from app.domain.refusals import RateLimited
from app.services.ports import Away, RateCounter

ADDRESS_FACTOR: Final = 10
"""How many times the requests of one user an address may send: it may be a household, an office or a mobile network."""


class Rates:
    """One per process; the counts are shared by all."""

    def __init__(self, counter: RateCounter, policies: Mapping[Bucket, Policy]) -> None:
        self._counter = counter
        self._policies = policies

    async def admit(self, bucket: Bucket, address: str, user_id: int | None) -> Standing | None:
        """Count a request, and return where its caller stands: by user or by address, whichever is worse.

        Logins are counted by address only: it is not known yet who the user is. None if Redis is not reachable.
        Raises RateLimited.
        """
        policy = self._policies[bucket]
        try:
            if bucket is Bucket.LOGIN:
                standing = await self._counter.count(policy, f"address:{address}")
            else:
                standing = await self._counter.count(policy.times(ADDRESS_FACTOR), f"address:{address}")
                if user_id is not None and standing.is_allowed:
                    standing = _worse(standing, await self._counter.count(policy, f"user:{user_id}"))
        except Away:
            return None
        if not standing.is_allowed:
            raise RateLimited(standing)
        return standing


def _worse(one: Standing, other: Standing) -> Standing:
    return min(one, other, key=lambda standing: (standing.is_allowed, standing.remaining))
