"""Guests for callers without a token: an id for each, before anything is written.

The box office writes a guest down together with what they take: whoever gets nothing leaves no row. An id that nobody
used is lost, which is no harm. Where each screening's rows live on a node of their own (BATCH_PER_SCREENING), guests
are written before, so that users are in no transaction of a screening; and deleted again, if they get nothing.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import users
from app.db.people.user_ids import new_ids
from app.domain.people.people import Person


class Guests:
    """One per process. Its ids come in blocks, so that the index of users grows in a few places only."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._ids: Iterator[int] = iter(())
        self._writing = asyncio.Lock()
        self._unwritten: list[int] = []

    def newcomer(self) -> Person:
        """A guest who is not written down yet."""
        user_id = next(self._ids, None)
        if user_id is None:
            self._ids = iter(new_ids())
            user_id = next(self._ids)
        return Person(user_id, is_guest=True, is_new=True)

    async def written(self) -> Person:
        """A guest who is written down, durably. Whoever comes while others are written is written with the next ones.

        Raises what PostgreSQL raises.
        """
        guest = self.newcomer()
        self._unwritten.append(guest.id)
        async with self._writing:
            if guest.id in self._unwritten:
                await self._write()
        return replace(guest, is_new=False)

    async def _write(self) -> None:
        ids, self._unwritten = self._unwritten, []
        try:
            async with self._engine.connect() as connection:
                await users.insert_guests(connection, ids)
        except BaseException:
            self._unwritten += ids  # whoever of them still waits tries it again
            raise
