"""A second look: an invalidation that was lost, to a crash or to a Redis that was away, is made good here.

Nothing correct waits for it while Redis answers. It bounds how long a map can be wrong: two looks.
"""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import occupancy
from app.services.ports import AvailabilityCache, Away

log = logging.getLogger(__name__)


class Reconciler:
    """Compares the states that Redis knows with PostgreSQL's, and repairs."""

    def __init__(self, engine: AsyncEngine, cache: AvailabilityCache, every_seconds: float) -> None:
        self._engine = engine
        self._cache = cache
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except (Away, SQLAlchemyError, OSError):
                log.debug("could not reconcile: PostgreSQL or Redis is away")
            await asyncio.sleep(self._every_seconds)

    async def look(self) -> None:
        """Repair what is stale. Afterwards Redis is trusted again, unless it failed in the meantime.

        Raises Away when Redis does not answer; what PostgreSQL raises.
        """
        trust = self._cache.doubts()
        known = await self._cache.known_states()
        if known:
            async with self._engine.connect() as connection:
                actual = await occupancy.states(connection, list(known))
            stale = {screening_id: state for screening_id, state in actual.items() if state > known[screening_id]}
            gone = [screening_id for screening_id in known if screening_id not in actual]
            if stale:
                await self._cache.move(stale)
            if gone:
                await self._cache.forget(gone)
        self._cache.trust(trust)
