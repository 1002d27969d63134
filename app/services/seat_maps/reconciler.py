"""Compares Redis with PostgreSQL, and repairs map versions that Redis has missed (a crash, or Redis was not reachable).

While Redis answers everybody, nothing waits for it: it bounds how long a map can be wrong after a crash, to two looks.
And it keeps processes from trusting a Redis that another process could not reach: Redis is trusted for a while after
each look, and a process that cannot tell Redis of a change writes a warning to PostgreSQL, where the others look.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.errors import is_away
from app.db.seat_maps import occupancy
from app.db.seat_maps import redis_mistrust as mistrust
from app.services.loops import every
from app.services.ports import AvailabilityCache
from app.services.seat_maps.clock import Clock

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.5
"""How long a look may take until the next one is late. Late only means that maps are read from PostgreSQL."""

WARNED_SECONDS: Final = 3.0
"""How long a warning outlasts the time that it takes to be heard by everybody. It is repeated with every look."""


class Reconciler:
    """Compares the map versions in Redis with PostgreSQL's, and repairs them."""

    def __init__(self, engine: AsyncEngine, cache: AvailabilityCache, clock: Clock, every_seconds: float) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._cache = cache
        self._clock = clock
        self._every_seconds = every_seconds
        self._believed_seconds = every_seconds + LOOK_SECONDS
        self._warned_until = float("-inf")
        self._heard_at = float("-inf")
        self._missed = 0

    async def run(self) -> None:
        """Compare until cancelled."""
        await every(self._every_seconds, self.look, "compare Redis with PostgreSQL")

    async def look(self) -> None:
        """Repair what is stale. Then trust Redis until the next look, unless it fails or there is a warning.

        Raises Away if Redis is not reachable, and what PostgreSQL raises.
        """
        began, missed = time.monotonic(), self._missed
        if missed:
            await self._say_so()
        known = await self._cache.known_map_versions()
        doubts = self._cache.doubts()
        try:
            is_mistrusted, actual, unknown = await self._ask_postgresql(list(known))
        except Exception as error:
            if is_away(error):  # nobody sells anything now that Redis would have to be told
                self._cache.go_on_trusting(until=began + self._believed_seconds)
            raise
        stale = {
            screening_id: map_version
            for screening_id, map_version in actual.items()
            if map_version > known[screening_id]
        }
        gone = [screening_id for screening_id in known if screening_id not in actual and screening_id not in unknown]
        if stale:
            await self._cache.move(stale)
        if gone:
            await self._cache.forget(gone)
        if missed == self._missed:
            self._missed = 0
        self._cache.trust(doubts, until=0.0 if is_mistrusted else began + self._believed_seconds)

    async def warn(self) -> None:
        """Warn all processes that Redis has missed a change. Returns when none of them trusts it any more."""
        self._missed += 1
        if time.monotonic() >= self._warned_until:
            try:
                await self._say_so()
            except Exception as error:  # noqa: BLE001 - whatever it was: nobody can look now, or believe it for long
                log.warning("could not warn other processes that Redis missed a change: %s", type(error).__name__)
                self._heard_at = time.monotonic() + self._believed_seconds
        await asyncio.sleep(self._heard_at - time.monotonic())

    async def _ask_postgresql(self, screening_ids: Sequence[int]) -> tuple[bool, dict[int, int], frozenset[int]]:
        """Whether there is a warning, and the map versions, in this order: they have what a warning is about.

        Last, the screenings of which nothing is known, because their node is away. Nobody sells them meanwhile.
        """
        async with self._engine.connect() as connection:
            asked_at = time.monotonic()
            is_mistrusted, now = await mistrust.read(connection)
            self._clock.learn(now, asked_at)
            return is_mistrusted, *await occupancy.reachable_map_versions(connection, screening_ids)

    async def _say_so(self) -> None:
        began = time.monotonic()
        seconds = self._believed_seconds + WARNED_SECONDS
        async with self._engine.connect() as connection:
            await mistrust.spread(connection, seconds)
        if (now := time.monotonic()) > self._warned_until:
            self._heard_at = now + self._believed_seconds
        self._warned_until = began + seconds
