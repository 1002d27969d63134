"""Limits of passwords, per account and per address. When Redis is not reachable, each process counts for itself."""

import math
import time
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache

from app.domain.people.logins import KNOWN_SECONDS, REMEMBERED_SECONDS, pauses
from app.domain.people.rates import Bucket, Policy, Standing
from app.domain.refusals import RateLimited
from app.schemas.problems import reasons
from app.services.ports import Away, LoginTries, Wait

REMEMBERED: Final = 50_000


class LoginLimits:
    """One per process; the counts are shared by all."""

    def __init__(self, tries: LoginTries, allowed: Policy) -> None:
        """`allowed`: so many wrong passwords of an address, for whatever accounts."""
        self._tries = tries
        self._here = TriesHere()
        self._allowed = allowed

    async def begin(self, account: str, address: str) -> None:
        """Somebody is about to try a password. It counts as a wrong one until it is taken back. Raises RateLimited."""
        try:
            wait = await self._tries.begin(account, address, self._allowed)
        except Away:
            wait = await self._here.begin(account, address, self._allowed)
        if wait is not None:
            policy = Policy(Bucket.LOGIN, 1, wait.seconds) if wait.is_for_account else self._allowed
            raise RateLimited(Standing(policy, False, 0, wait.seconds), reasons.WRONG_PASSWORDS)

    async def take_back(self, account: str, address: str, *, was_right: bool) -> None:
        """It was right, or was not looked at."""
        await self._here.take_back(account, address, was_right=was_right)
        try:
            await self._tries.take_back(account, address, was_right=was_right)
        except Away:
            return


@dataclass(slots=True)
class _Count:
    """`until`, in monotonic seconds: when the count of an address ends; when a pause of an account is over."""

    count: int = 0
    until: float = 0.0


class TriesHere:
    """Implements ports.LoginTries for one process. The oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._tries: TTLCache[tuple[str, str], _Count] = TTLCache(REMEMBERED, REMEMBERED_SECONDS)
        self._everywhere: TTLCache[str, _Count] = TTLCache(REMEMBERED, REMEMBERED_SECONDS)
        self._known: TTLCache[tuple[str, str], bool] = TTLCache(REMEMBERED, KNOWN_SECONDS)
        self._addresses: TTLCache[str, _Count] = TTLCache(REMEMBERED, REMEMBERED_SECONDS)

    async def begin(self, account: str, address: str, allowed: Policy) -> Wait | None:
        now = time.monotonic()
        here = self._tries.get((account, address)) or _Count()
        if here.until > now:
            return Wait(math.ceil(here.until - now), is_for_account=True)
        is_known = (account, address) in self._known
        if not is_known and (wait := self._of_address(address, allowed, now)):
            return wait
        everywhere = self._everywhere.get(account) or _Count()
        everywhere.count += 1
        here.count += 1
        here.until = now + pauses(everywhere.count, is_known=is_known).after(here.count)
        self._everywhere[account] = everywhere
        self._tries[account, address] = here
        return None

    async def take_back(self, account: str, address: str, *, was_right: bool) -> None:
        for count in (self._addresses.get(address), self._everywhere.get(account), self._tries.get((account, address))):
            if count is not None and count.count > 0:
                count.count -= 1
        if (here := self._tries.get((account, address))) is not None:
            here.until = 0.0
        if was_right:
            self._tries.pop((account, address), None)
            self._known[account, address] = True

    def _of_address(self, address: str, allowed: Policy, now: float) -> Wait | None:
        """Count a try of the address, unless it has had enough of them."""
        tries = self._addresses.get(address)
        if tries is None or tries.until <= now:
            tries = self._addresses[address] = _Count(until=now + allowed.seconds)
        if tries.count >= allowed.amount:
            return Wait(math.ceil(tries.until - now), is_for_account=False)
        tries.count += 1
        return None
