"""What the stories need from the outside. The adapters implement these protocols; `main` passes them in."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from app.domain.people.rates import Policy, Standing
from app.request_log import Mark


class Away(Exception):
    """The outside is not reachable, or did not answer in time. Everything goes on without it."""


class CacheState(StrEnum):
    """Whether the cache can be told of changes; if not, why."""

    OK = "ok"
    AWAY = "away"
    REPLICA = "replica"
    FULL = "full"
    FORBIDDEN = "forbidden"
    REFUSING = "refusing"

    @property
    def advice(self) -> str:
        """What an operator can do about it."""
        return _ADVICE[self]


_ADVICE: Final = {
    CacheState.OK: "",
    CacheState.AWAY: "Redis does not answer: start it, or correct REDIS_URL.",
    CacheState.REPLICA: "Redis is a replica: set REDIS_URL to the primary, or to its sentinels (redis+sentinel://).",
    CacheState.FULL: "Redis is full (maxmemory): give it more, or set maxmemory-policy allkeys-lru.",
    CacheState.FORBIDDEN: "Redis forbids its user to write: ACL SETUSER ... ~PREFIX:* &PREFIX:* +@all (REDIS_PREFIX).",
    CacheState.REFUSING: "Redis refuses to be written (its own log says why): look at its user's rights and its disk.",
}


class Unwritable(Away):
    """It answers, but cannot be told of changes: it is of no use."""

    def __init__(self, state: CacheState) -> None:
        super().__init__(state.value)
        self.state = state


@dataclass(frozen=True, slots=True)
class SharedLook:
    """What the processes know together of comparisons of a cache with PostgreSQL.

    Attributes:
        is_ours: it is for this process to compare it next.
        seconds_ago: when the last comparison that still counts began, whoever made it; None: there is none.
    """

    is_ours: bool
    seconds_ago: float | None


class AvailabilityCache(Protocol):
    """Keeps the map version of each screening, and facts that were true in one. Every call may raise Away.

    A map version only grows: with every change of a screening's seats, prices or layout.
    """

    async def map_versions(self, screening_ids: Sequence[int]) -> list[int | None]:
        """The map version of each of these screenings; None where it is not known."""
        ...

    async def known_map_versions(self) -> dict[int, int]:
        """All screenings whose map version is known, with it."""
        ...

    async def move(self, map_versions: Mapping[int, int], news: Sequence[tuple[int, bytes]] = ()) -> None:
        """Set these map versions, except where a higher one is known. Facts of earlier versions are stale then.

        In the same round trip, the news of screenings is published to all feeds; it may get lost.
        """
        ...

    async def facts(self, screening_id: int) -> bytes | None:
        """The facts that were kept last; None if there are none."""
        ...

    async def keep(self, screening_id: int, map_version: int, facts: bytes, doubts: int) -> None:
        """Keep facts that were true in this map version, unless the cache has failed since `doubts` was read.

        If no map version was known, this one is known then.
        """
        ...

    async def forget(self, screening_ids: Sequence[int]) -> None:
        """Forget everything about these screenings."""
        ...

    def doubts(self) -> int:
        """How often the cache has failed or lost its memory.

        After each time it answers no reader until it is trusted again.
        """
        ...

    def trust(self, doubts: int, until: float) -> None:
        """Answer readers until then (monotonic seconds), if the cache has not failed since `doubts` was read.

        Call it after a comparison with PostgreSQL. 0 ends the trust at once.
        """
        ...

    def go_on_trusting(self, until: float) -> None:
        """If it is trusted, trust it until then (monotonic seconds).

        For when PostgreSQL is not reachable for a comparison.
        """
        ...

    async def say_compared(self, seconds: float) -> None:
        """Tell all processes that a comparison counts, for so many seconds from when `known_map_versions` was asked."""
        ...

    async def say_doubtful(self) -> None:
        """Tell all processes that no comparison counts."""
        ...

    async def shared_look(self, who: str, seconds: float) -> SharedLook:
        """What is said of comparisons. If nobody else compares, this process does for so many seconds."""
        ...

    async def neighbours(self, seconds: float) -> int:
        """Say that this installation uses it, and will say so again in so many seconds. How many others do?"""
        ...

    async def begin_anew(self) -> None:
        """Forget everything about everything: what it knows is not of this database."""
        ...

    async def state(self) -> CacheState:
        """Whether it could be told of a change now. Never raises Away."""
        ...


class SeatFeed(Protocol):
    """The news of screenings from all processes. Some may get lost; versions show it."""

    def watch(self, screening_id: int) -> None:
        """Begin to receive the news of this screening."""
        ...

    def unwatch(self, screening_id: int) -> None:
        """Stop receiving it."""
        ...

    async def run(self, hear: Callable[[int, bytes | None], None]) -> None:
        """Pass on news until cancelled; None whenever some may be lost, because the subscription has (again) begun."""
        ...


class RateCounter(Protocol):
    """Counts requests for all processes together."""

    async def count(self, policy: Policy, who: str) -> Standing:
        """Count one request of this caller, and return where they stand. Raises Away."""
        ...


@dataclass(frozen=True, slots=True)
class Wait:
    """So many seconds until the next password: for this account, or for any from this address."""

    seconds: int
    is_for_account: bool


class LoginTries(Protocol):
    """Counts wrong passwords for all processes together. Every call may raise Away."""

    async def begin(self, account: str, address: str, allowed: Policy) -> Wait | None:
        """Count one for this account from this address; if it is too early for another one, count nothing.

        `allowed` is how many an address may have for whatever accounts.
        """
        ...

    async def take_back(self, account: str, address: str, *, was_right: bool) -> None:
        """Count one less. If it was right, the account knows the address from now on."""
        ...


class Waiting(Protocol):
    """A command that has waited in the queue of the box office."""

    screening_id: int
    waits_since: float
    """In the event loop's time."""
    mark: object
    """What it belongs to, as `Tracing.current` has it."""

    @property
    def command(self) -> object: ...


class RequestSpan(Protocol):
    """A request that is being traced."""

    @property
    def mark(self) -> Mark:
        """Its ids, for log lines."""
        ...

    def end(self, route: str, status: int, user_id: int | None) -> None:
        """It was answered; status 0 if there was no answer. Call it exactly once, in the task that began."""
        ...


class Tracing(Protocol):
    """Tells a tracing system what took how long. It never raises, and never waits for that system."""

    def request(self, method: str, headers: Mapping[bytes, bytes], request_id: str) -> RequestSpan:
        """A request has come. What this task does belongs to it until it ends."""
        ...

    def current(self) -> object | None:
        """A mark of what this task does; None if that is not traced."""
        ...

    def batch(self, served: Sequence[Waiting]) -> AbstractContextManager[None]:
        """These commands are served while the block lasts, and so are those that are added to them meanwhile."""
        ...

    def part(self, name: str, of: Sequence[object]) -> AbstractContextManager[None]:
        """What the block does, belongs to all of these marks. None among them are ignored."""
        ...
