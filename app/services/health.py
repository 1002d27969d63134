"""Is everything there that Usher needs? PostgreSQL and its schema must be; without Redis it is only slower."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS: Final = 1.0


class Condition(StrEnum):
    """How the whole is, or one part of it; a part is never degraded."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `migrations` is down when the schema is not the one that this program was made for."""

    postgresql: Condition
    redis: Condition
    migrations: Condition

    @property
    def status(self) -> Condition:
        """Down when bookings cannot be made, degraded when they are slower."""
        if Condition.DOWN in (self.postgresql, self.migrations):
            return Condition.DOWN
        return Condition.DEGRADED if self.redis is Condition.DOWN else Condition.OK


class Health:
    """Asks everybody at once, and waits for no answer longer than a second."""

    def __init__(
        self,
        revision: Callable[[], Awaitable[str | None]],
        newest_revision: str | None,
        ping_cache: Callable[[], Awaitable[bool]],
    ) -> None:
        self._revision = revision
        self._newest_revision = newest_revision
        self._ping_cache = ping_cache

    async def report(self) -> Report:
        """How it is at this moment."""
        revision, cache = await asyncio.gather(_within_patience(self._revision()), _within_patience(self._ping_cache()))
        answered, found = revision
        return Report(
            postgresql=_condition(answered),
            redis=_condition(cache == (True, True)),
            migrations=_condition(answered and found == self._newest_revision),
        )


async def _within_patience(asked: Awaitable[T]) -> tuple[bool, T | None]:
    """Did it answer in time, and what."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return True, await asked
    except Exception:  # noqa: BLE001 - whatever it was, it is not there; the report says so
        return False, None


def _condition(is_well: bool) -> Condition:
    return Condition.OK if is_well else Condition.DOWN
