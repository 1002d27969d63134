"""Hears what the program says to PostgreSQL while the tests run, and holds it against the rules.

What counts is what `app` says for a service of many nodes. Not heard are: what tests ask themselves, migrations, which
run before anything is distributed, and an office whose plans are generic (BATCH_PER_SCREENING is off): Citus can plan
nothing there, because it does not see the screening.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg

import app
from app.db.cluster.pooled import PooledConnection
from tests.citus.exceptions import ALL_NODES, NAMES_NO_SCREENING, UNTIL_REWRITTEN
from tests.citus.reading import NoQuery
from tests.citus.rules import violations

ROOT = Path(app.__file__).parents[1]
HERE = Path(__file__)
MIGRATIONS = "app/db/migrations.py"

Connect = Callable[..., Awaitable["asyncpg.Connection[asyncpg.Record]"]]


class Heard:
    """Statements, each with where it was said first: the file and the function."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        """Who said it, by what was said."""
        self._count = 0

    def note(self, said: str) -> None:
        """Called where it is said: the calls that led here tell the origin."""
        if said not in self.said and (origin := _origin()) is not None:
            self.said[said] = origin

    def complaints(self) -> list[str]:
        """What breaks a rule, of all that was said since this was asked before, and is no exception."""
        new = list(self.said.items())[self._count :]
        self._count = len(self.said)
        return [complaint for said, origin in new for complaint in complaints(origin, said)]

    def by(self, connect: Connect) -> Connect:
        """The same as `asyncpg.connect`, over connections that are heard."""

        async def connect_heard(*given: Any, **settings: Any) -> "asyncpg.Connection[asyncpg.Record]":
            kind = settings.get("connection_class", asyncpg.Connection)
            if "force_generic_plan" in (settings.get("server_settings") or {}).values() or (
                issubclass(kind, PooledConnection) and "force_generic_plan" in kind.settings
            ):
                return await connect(*given, **settings)
            connection = await connect(*given, **settings | {"connection_class": _heard(kind)})
            connection.heard = self
            return connection

        return connect_heard


class HeardConnection(asyncpg.Connection):
    """Notes each statement when it is said."""

    heard: Heard | None = None

    def _note(self, said: str) -> None:
        if self.heard is not None:
            self.heard.note(said)

    async def execute(self, query: str, *given: Any, **how: Any) -> str:
        self._note(query)
        return await super().execute(query, *given, **how)

    async def executemany(self, command: str, *given: Any, **how: Any) -> None:
        self._note(command)
        return await super().executemany(command, *given, **how)

    async def fetch(self, query: str, *given: Any, **how: Any) -> Any:
        self._note(query)
        return await super().fetch(query, *given, **how)

    async def fetchrow(self, query: str, *given: Any, **how: Any) -> Any:
        self._note(query)
        return await super().fetchrow(query, *given, **how)

    async def fetchval(self, query: str, *given: Any, **how: Any) -> Any:
        self._note(query)
        return await super().fetchval(query, *given, **how)

    async def prepare(self, query: str, **how: Any) -> Any:
        self._note(query)
        return await super().prepare(query, **how)


@cache
def _heard(kind: type[Any]) -> type[Any]:
    """Connections of this kind that are heard."""
    if issubclass(kind, HeardConnection):
        return kind
    return type("HeardConnection", (HeardConnection, kind), {}) if kind is not asyncpg.Connection else HeardConnection


def complaints(origin: str, said: str) -> list[str]:
    """What breaks a rule here, unless the exceptions say that it may; with the origin and the statement."""
    if origin in UNTIL_REWRITTEN:
        return []
    try:
        found = violations(said)
    except NoQuery:
        return []
    broken = [each for each in found if origin not in ALL_NODES or each.rule.name != NAMES_NO_SCREENING]
    return [f"{origin} says what many nodes do not serve.\n  {each}\n{said}" for each in broken]


def _origin() -> str | None:
    """The innermost function of the program that led here; None if it is not one of `app`."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path != HERE and path.is_relative_to(ROOT) and ".venv" not in path.parts:
            name = path.relative_to(ROOT).as_posix()
            is_heard = name.startswith("app/") and name != MIGRATIONS
            return f"{name} {frame.f_code.co_qualname}" if is_heard else None
        frame = frame.f_back
    return None
