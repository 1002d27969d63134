"""Compares Redis with PostgreSQL, and repairs map versions that Redis has missed (a crash, or Redis was not reachable).

While Redis answers everybody, nothing waits for it: it bounds how long a map can be wrong after a crash, to two looks.
And it keeps processes from trusting a Redis that another process could not reach: Redis is trusted for a while after
each look, and a process that cannot tell Redis of a change writes a warning to PostgreSQL, where the next look finds
it.

A look asks PostgreSQL about all screenings that Redis knows, so one process looks for all. It holds a lease in the
Redis that it compares, and leaves a mark there, which is gone as soon as its look counts no more, or one has found a
warning. The others ask Redis for the mark. A process looks by itself when it has just begun, when Redis has failed it,
when it has something to warn of, and when there is no mark. So nobody trusts Redis for longer than by their own look.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.errors import is_away
from app.db.seat_maps import occupancy
from app.db.seat_maps import redis_mistrust as mistrust
from app.outages import Outage, Seldom, Watch
from app.services.ports import AvailabilityCache
from app.services.running.loops import every
from app.services.seat_maps.clock import Clock

log = logging.getLogger(__name__)


LOOK_SECONDS: Final = 0.5
"""How long a look may take until the next one is late. Late only means that maps are read from PostgreSQL."""

LEASE_SECONDS: Final = 0.2
"""How much later than it should the process that looks for all may look again. After that another one does."""

EARLY_SECONDS: Final = 0.25
"""So long before the look counts no more the others ask again: the lease is over by then, should nobody have looked."""

LATE_SECONDS: Final = 0.1
"""With less time left, everybody looks."""

SHORTEST_SECONDS: Final = 0.02

TIME_SECONDS: Final = 30.0
"""So often those who do not look ask for PostgreSQL's time: clocks drift."""

WARNED_SECONDS: Final = 3.0
"""How long a warning outlasts the time that it takes to be heard by everybody. It is repeated with every look."""


SHARED: Final = Outage(
    "another installation keeps its keys in the same Redis database under the same REDIS_PREFIX",
    "no other installation uses this REDIS_PREFIX in this Redis database any more",
)
AHEAD_SAID_SECONDS: Final = 600.0


class Reconciler:
    """Compares the map versions in Redis with PostgreSQL's, and repairs them."""

    def __init__(self, engine: AsyncEngine, cache: AvailabilityCache, clock: Clock, every_seconds: float) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._cache = cache
        self._clock = clock
        self._every_seconds = every_seconds
        self._believed_seconds = every_seconds + LOOK_SECONDS
        self._me = str(uuid4())
        self._failures = Seldom()
        self._settled: int | None = None
        """The doubts about Redis that a look of our own has settled."""
        self._knows_time_until = float("-inf")
        self._warned_until = float("-inf")
        self._heard_at = float("-inf")
        self._missed = 0
        self._neighbours = Watch()
        self._ahead_said_until = float("-inf")

    async def run(self) -> None:
        """Compare until cancelled."""
        with self._neighbours:
            await every(self._every_seconds, self.look_together, "compare Redis with PostgreSQL")

    async def look_together(self) -> float:
        """Look, if it is this process that does; else trust Redis for as long as another one's look counts.

        Returns in how many seconds to do it again. Raises as `look` does.
        """
        asked_at, doubts = time.monotonic(), self._cache.doubts()
        if doubts == self._settled and not self._missed:
            shared = await self._cache.shared_look(self._me, self._every_seconds + LEASE_SECONDS)
            left = 0.0 if shared.seconds_ago is None else self._believed_seconds - shared.seconds_ago
            if not shared.is_ours and left >= LATE_SECONDS:
                self._cache.trust(doubts, until=asked_at + left)
                await self._know_time()
                return max(min(self._every_seconds, left - EARLY_SECONDS), SHORTEST_SECONDS)
        await self.look()
        return max(asked_at + self._every_seconds - time.monotonic(), SHORTEST_SECONDS)

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
        if any(map_version < known[screening_id] for screening_id, map_version in actual.items()):
            await self._begin_anew()
            return
        gone = [screening_id for screening_id in known if screening_id not in actual and screening_id not in unknown]
        if stale:
            await self._cache.move(stale)
        if gone:
            await self._cache.forget(gone)
        if missed == self._missed:
            self._missed = 0
        self._cache.trust(doubts, until=0.0 if is_mistrusted else began + self._believed_seconds)
        if doubts == self._cache.doubts():
            self._settled = doubts
            if is_mistrusted:
                await self._cache.say_doubtful()
            else:
                await self._cache.say_compared(self._believed_seconds)
        await self._look_around()

    async def _begin_anew(self) -> None:
        """Redis knows of changes that PostgreSQL does not, so it may say anything of those that are still to come."""
        if time.monotonic() >= self._ahead_said_until:
            self._ahead_said_until = time.monotonic() + AHEAD_SAID_SECONDS
            log.warning(
                "Redis knew of later changes than PostgreSQL, and has forgotten all: either PostgreSQL lost some (a "
                "restored backup, a fail-over), or a copy of this installation uses the same Redis database: set "
                "REDIS_PREFIX to another name there"
            )
        await self._cache.begin_anew()

    async def _look_around(self) -> None:
        """Say once if another installation is here, and once when it is gone."""
        if await self._cache.neighbours(self._every_seconds + LEASE_SECONDS):
            self._neighbours.meet(SHARED, "their maps are kept apart, but set REDIS_PREFIX to another name for each")
        else:
            self._neighbours.all_is_well()

    async def warn(self) -> None:
        """Warn all processes that Redis has missed a change. Returns when none of them trusts it any more."""
        self._missed += 1
        if time.monotonic() >= self._warned_until:
            try:
                await self._say_so()
            except Exception as error:  # noqa: BLE001 - whatever it was: nobody can look now, or believe it for long
                if self._failures.is_due(type(error)):
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
            self._learn(now, asked_at)
            return is_mistrusted, *await occupancy.reachable_map_versions(connection, screening_ids)

    async def _know_time(self) -> None:
        """PostgreSQL's, as whoever looks gets to know it by the way."""
        if (asked_at := time.monotonic()) >= self._knows_time_until:
            async with self._engine.connect() as connection:
                self._learn((await mistrust.read(connection))[1], asked_at)

    def _learn(self, now: datetime, asked_at: float) -> None:
        self._clock.learn(now, asked_at)
        self._knows_time_until = asked_at + TIME_SECONDS

    async def _say_so(self) -> None:
        began = time.monotonic()
        seconds = self._believed_seconds + WARNED_SECONDS
        async with self._engine.connect() as connection:
            await mistrust.spread(connection, seconds)
        if (now := time.monotonic()) > self._warned_until:
            self._heard_at = now + self._believed_seconds
        self._warned_until = began + seconds
