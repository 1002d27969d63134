"""Checks what Usher needs: can seats be sold? Without PostgreSQL, one that can be written, and its schema it is down.

Without Redis, or with one that cannot be told of changes, it is only slower.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from app.db.fitness import Fitness
from app.services.ports import CacheState

T = TypeVar("T")

PATIENCE_SECONDS: Final = 1.0

_NO_OFFICE: Final = (
    "PostgreSQL answers, but not over a new connection of the box office: look at max_connections, at the pooler and "
    "at the password."
)
_OFFICE_READS: Final = (
    "The box office is connected to a server that is read-only: set DATABASE_URL to the primary, or add "
    "target_session_attrs=read-write."
)


class Condition(StrEnum):
    """The state of the whole, or of one part.

    Only the whole is degraded, and only the schema is newer. PostgreSQL and Redis may be there and be of no use: they
    are read-only, or forbid us what we must do; Redis may be full.
    """

    OK = "ok"
    NEWER = "newer"
    DEGRADED = "degraded"
    READ_ONLY = "read-only"
    FORBIDDEN = "forbidden"
    FULL = "full"
    DOWN = "down"


_OF_THE_CACHE: Final = {
    CacheState.OK: Condition.OK,
    CacheState.AWAY: Condition.DOWN,
    CacheState.REPLICA: Condition.READ_ONLY,
    CacheState.FULL: Condition.FULL,
    CacheState.FORBIDDEN: Condition.FORBIDDEN,
    CacheState.REFUSING: Condition.FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class Database:
    """What PostgreSQL says: the revision of its schema, and whether it can serve."""

    revision: str | None
    fitness: Fitness


@dataclass(frozen=True, slots=True)
class Office:
    """What the connection says over which seats are sold."""

    is_read_only: bool


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
    advice: Mapping[str, str] = field(default_factory=dict)
    """What to do about a part that is there and of no use."""

    @property
    def status(self) -> Condition:
        """Down if bookings cannot be made, degraded if they are only slower, or cannot be made in some screenings."""
        if self.postgresql is not Condition.OK or self.migrations is Condition.DOWN:
            return Condition.DOWN
        is_whole = self.redis is Condition.OK and Condition.DOWN not in self.nodes.values()
        return Condition.OK if is_whole else Condition.DEGRADED


class Health:
    """Checks everything at once. The timeout is one second."""

    def __init__(
        self,
        database: Callable[[], Awaitable[Database]],
        office: Callable[[], Awaitable[Office]],
        newest_revision: str | None,
        known_revisions: Collection[str],
        cache: Callable[[], Awaitable[CacheState]],
        nodes: Callable[[], Awaitable[Mapping[str, bool]]] | None = None,
    ) -> None:
        """`nodes`: which nodes there are, by their addresses, and whether they answer."""
        self._database = database
        self._office = office
        self._nodes = nodes or _no_nodes
        self._newest_revision = newest_revision
        self._known_revisions = known_revisions
        self._cache = cache

    async def report(self) -> Report:
        """The state now."""
        database, office, cache, nodes = await asyncio.gather(
            _within_patience(self._database()),
            _within_patience(self._office()),
            _within_patience(self._cache()),
            _within_patience(self._nodes()),
        )
        cache = cache or CacheState.AWAY
        advice = {"postgresql": _problem(database, office)} | {
            "redis": cache.advice if cache is not CacheState.AWAY else None
        }
        return Report(
            postgresql=_of_postgresql(database, office),
            redis=_OF_THE_CACHE[cache],
            migrations=self._schema(database.revision) if database else Condition.DOWN,
            nodes={each: Condition.OK if is_there else Condition.DOWN for each, is_there in (nodes or {}).items()},
            advice={name: said for name, said in advice.items() if said},
        )

    def _schema(self, revision: str | None) -> Condition:
        if revision is not None and revision not in self._known_revisions:
            return Condition.NEWER
        return Condition.OK if revision == self._newest_revision else Condition.DOWN


def _of_postgresql(database: Database | None, office: Office | None) -> Condition:
    """Down if it does not answer, or takes no connection over which seats could be sold."""
    if database is None or office is None:
        return Condition.DOWN
    if database.fitness.is_read_only or office.is_read_only:
        return Condition.READ_ONLY
    return Condition.OK if database.fitness.problem is None else Condition.FORBIDDEN


def _problem(database: Database | None, office: Office | None) -> str | None:
    if database is None:
        return None
    if office is None:
        return _NO_OFFICE
    return database.fitness.problem or (_OFFICE_READS if office.is_read_only else None)


async def _no_nodes() -> Mapping[str, bool]:
    return {}


async def _within_patience(asked: Awaitable[T]) -> T | None:
    """The answer; None if there was none in time."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asked
    except Exception:  # noqa: BLE001 - whatever it was, it is not there; the report says so
        return None
