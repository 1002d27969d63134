"""Guests for callers without a token: an id for each, before anything is written.

The box office writes a guest down together with what they take: whoever gets nothing leaves no row. An id that nobody
used is lost, which is no harm.
"""

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import users
from app.domain.people import Person

IDS_AT_ONCE: Final = 200


class Guests:
    """One per process. Has ids at hand, and asks for the next ones when they are used up: once for all who wait."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._asking = asyncio.Lock()
        self._ids: list[int] = []

    async def newcomer(self) -> Person:
        """A guest who is not written down yet. Raises what PostgreSQL raises."""
        while not self._ids:
            async with self._asking:
                if not self._ids:
                    self._ids = await self._next_ids()
        return Person(self._ids.pop(), is_guest=True, is_new=True)

    async def _next_ids(self) -> list[int]:
        """The smallest one last: it is taken first."""
        async with self._engine.connect() as connection:
            return sorted(await users.next_ids(connection, IDS_AT_ONCE), reverse=True)
