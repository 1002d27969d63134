"""Creates guests for callers without a token.

Those who come while others are being inserted share the next statement.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import users
from app.domain.people import Person


@dataclass(slots=True, eq=False)
class _Arrival:
    """A guest to create, and the outcome."""

    email: str | None
    person: Person | None = None
    error: Exception | None = None


class Guests:
    """One per process. One statement at a time, for all who wait: a crowd of buyers costs a handful of statements."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._clerk = asyncio.Lock()
        self._waiting: list[_Arrival] = []

    async def welcome(self, email: str | None = None) -> Person:
        """Create a guest. The row is only durable with the next commit, that of the seats that they take."""
        arrival = _Arrival(email)
        self._waiting.append(arrival)
        try:
            async with self._clerk:
                while arrival.person is None and arrival.error is None:
                    await self._write_down()
        finally:
            if arrival in self._waiting:
                self._waiting.remove(arrival)
        if arrival.person is None:
            raise arrival.error or AssertionError("a guest was not inserted")
        return arrival.person

    async def _write_down(self) -> None:
        """Insert all who wait.

        An error is raised for all of them; if the task is cancelled, they wait for the next one.
        """
        arrivals, self._waiting = self._waiting, []
        try:
            async with self._engine.connect() as connection:
                made = await users.insert_passing_guests(connection, [arrival.email for arrival in arrivals])
        except asyncio.CancelledError:
            self._waiting = arrivals + self._waiting
            raise
        except Exception as error:  # noqa: BLE001 - every one of them raises it
            for arrival in arrivals:
                arrival.error = error
        else:
            for arrival, user_id in zip(arrivals, made, strict=True):
                arrival.person = Person(user_id, is_guest=True)
