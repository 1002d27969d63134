"""The sweeper: expires holds that have run out, announces their seats, and deletes old keys and events.

Nothing waits for it: a hold that has run out does not count, swept or not. Several processes may sweep.
"""

import asyncio
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.box_office import sweeping
from app.db.people import emails, sessions
from app.domain.box_office.commands import Expire
from app.services.box_office.office import BoxOffice
from app.services.closing import Closing
from app.services.loops import every

AT_ONCE: Final = 100
"""The most holds that are expired at once, so that buyers do not wait long."""

RESTS: Final = 2.0
"""While buyers wait, it rests for so many times as long as it swept: seats that ran out are theirs already."""

LOOK_SECONDS: Final = 0.5
"""It looks at least so often, with one question: somebody may have made a hold that ends sooner than all that it knows.
No hold is shorter than a second, so every end is known before it comes, and slept until."""

SHORTEST_SECONDS: Final = 0.02

TIDY_SECONDS: Final = 60.0


class Sweeper:
    """One per process."""

    def __init__(
        self, engine: AsyncEngine, box_office: BoxOffice, closing: Closing, keys_hours: int, events_hours: int
    ) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._box_office = box_office
        self._closing = closing
        self._keys_hours = keys_hours
        self._events_hours = events_hours

    async def run(self) -> None:
        """Sweep whenever holds run out, until cancelled."""
        await every(LOOK_SECONDS, self._sweep_and_look_ahead, "sweep")

    async def keep_tidy(self) -> None:
        """Delete old rows from time to time, until cancelled.

        It is a loop of its own, so that sweeping never waits for it.
        """
        await every(TIDY_SECONDS, self.tidy, "clean up")

    async def sweep(self) -> int:
        """Expire all holds that have run out, and return how many. Raises what the box office raises."""
        count = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            async with self._engine.connect() as connection:
                run_out = await sweeping.run_out(connection, AT_ONCE)
            # All at once, so that one screening that somebody keeps locked does not keep the others waiting.
            await asyncio.gather(
                *(self._box_office.ask(each, Expire(holds)) for each, holds in _by_screening(run_out).items())
            )
            count += len(run_out)
            if len(run_out) < AT_ONCE:
                return count
            if self._box_office.has_waiting:
                await asyncio.sleep(min(RESTS * (loop.time() - began), LOOK_SECONDS))

    async def tidy(self) -> None:
        """Continue interrupted closings; delete what is too old: keys, events, addresses, sessions, past emails."""
        await self._closing.finish_all()
        async with self._engine.connect() as connection:
            await sweeping.forget_keys(connection, self._keys_hours)
            await sweeping.forget_events(connection, self._events_hours)
            await sweeping.forget_addresses(connection)
            await sessions.forget(connection)
            await emails.forget(connection)

    async def _sweep_and_look_ahead(self) -> float:
        """Sweep if holds have run out. Returns the seconds until the next one does."""
        seconds = await self._seconds_to_next_end()
        if seconds <= 0:
            await self.sweep()
            seconds = await self._seconds_to_next_end()
        return min(max(seconds, SHORTEST_SECONDS), LOOK_SECONDS)

    async def _seconds_to_next_end(self) -> float:
        async with self._engine.connect() as connection:
            seconds = await sweeping.seconds_to_next_end(connection)
        return float("inf") if seconds is None else seconds


def _by_screening(run_out: Iterable[tuple[int, UUID]]) -> dict[int, tuple[UUID, ...]]:
    holds: dict[int, list[UUID]] = {}
    for screening_id, reservation_id in run_out:
        holds.setdefault(screening_id, []).append(reservation_id)
    return {screening_id: tuple(reservation_ids) for screening_id, reservation_ids in holds.items()}
