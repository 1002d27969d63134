"""Checks what Usher needs. Without PostgreSQL and its schema it is down; without Redis it is only slower."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS: Final = 1.0


class Condition(StrEnum):
    """The state of the whole, or of one part. Only the whole is degraded, and only the schema is newer."""

    OK = "ok"
    NEWER = "newer"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Report:
    """The state of each part.

    `migrations` is newer if a newer version of Usher has upgraded the schema: an upgrade is under way, and this process
    serves on until it is replaced. It is down if the schema is older than this version needs, or missing.
    """

    postgresql: Condition
    redis: Condition
    migrations: Condition
    nodes: Mapping[str, Condition] = field(default_factory=dict)
    """Those of a PostgreSQL that has many, by their addresses."""

    @property
    def status(self) -> Condition:
        """Down if bookings cannot be made, degraded if they are only slower, or cannot be made in some screenings."""
        if Condition.DOWN in (self.postgresql, self.migrations):
            return Condition.DOWN
        return Condition.DEGRADED if Condition.DOWN in (self.redis, *self.nodes.values()) else Condition.OK


class Health:
    """Checks everything at once. The timeout is one second."""

    def __init__(
        self,
        revision: Callable[[], Awaitable[str | None]],
        newest_revision: str | None,
        known_revisions: Collection[str],
        ping_cache: Callable[[], Awaitable[bool]],
        nodes: Callable[[], Awaitable[Mapping[str, bool]]] | None = None,
    ) -> None:
        """`nodes`: which nodes there are, by their addresses, and whether they answer."""
        self._nodes = nodes or _no_nodes
        self._revision = revision
        self._newest_revision = newest_revision
        self._known_revisions = known_revisions
        self._ping_cache = ping_cache

    async def report(self) -> Report:
        """The state now."""
        revision, cache, (_, nodes) = await asyncio.gather(
            _within_patience(self._revision()), _within_patience(self._ping_cache()), _within_patience(self._nodes())
        )
        answered, found = revision
        return Report(
            postgresql=_condition(answered),
            redis=_condition(cache == (True, True)),
            migrations=self._schema(found) if answered else Condition.DOWN,
            nodes={each: _condition(is_there) for each, is_there in (nodes or {}).items()},
        )

    def _schema(self, revision: str | None) -> Condition:
        if revision is not None and revision not in self._known_revisions:
            return Condition.NEWER
        return _condition(revision == self._newest_revision)


async def _no_nodes() -> Mapping[str, bool]:
    return {}


async def _within_patience(asked: Awaitable[T]) -> tuple[bool, T | None]:
    """Whether there was an answer in time, and the answer."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return True, await asked
    except Exception:  # noqa: BLE001 - whatever it was, it is not there; the report says so
        return False, None


def _condition(is_well: bool) -> Condition:
    return Condition.OK if is_well else Condition.DOWN
