"""The customers of programs: an API key that sells for many says for whom, by a reference of its own.

Each reference is a user, kept apart for the user of the key: limits, holds, bookings and idempotency keys are theirs. A
process remembers for a minute who it is; not longer, as a database that was restored may not know them any more.
"""

from typing import Final

from cachetools import TTLCache
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import customers
from app.domain.people.people import Person

REMEMBERED: Final = 50_000
REMEMBERED_SECONDS: Final = 60.0
NOBODYS_ID: Final = 0
"""No user has this id: of a customer for whom nothing was written yet, there is nothing to read."""


class Customers:
    """One per process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._known: TTLCache[tuple[int, str], int] = TTLCache(REMEMBERED, REMEMBERED_SECONDS)

    async def of(self, key: Person, reference: str, *, make: bool) -> Person:
        """The customer whom the user of an API key calls by this reference: a customer, within the key's scopes.

        One who is not known yet is created if `make`; else they are somebody who has nothing.
        """
        user_id = self._known.get((key.id, reference)) or await self._look_up(key.id, reference, make=make)
        return Person(user_id, scopes=key.scopes)

    async def _look_up(self, owner_id: int, reference: str, *, make: bool) -> int:
        async with self._engine.connect() as connection:
            found = await customers.find(connection, owner_id, reference)
            if found is None and make:
                found = await customers.insert(connection, owner_id, reference)
                found = found or await customers.find(connection, owner_id, reference)
        if found is None:
            return NOBODYS_ID
        self._known[owner_id, reference] = found
        return found
