"""The live feed (docs/api.md, section 9): who watches which screening in this process, and the loops behind it.

News from all processes comes by one feed. Once a second PostgreSQL is asked for the versions of the watched screenings,
so that no map stays wrong for long if news are lost. An open live connection uses no connection to PostgreSQL.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.seat_maps import seat_events
from app.domain.refusals import Busy, NotFound, Refusal
from app.outages import Seldom
from app.schemas.live import PING
from app.schemas.problems import reasons
from app.services.layouts import Layouts
from app.services.live.broadcast import Broadcast
from app.services.live.listener_limits import ListenerLimits
from app.services.live.listeners import Ending, Listener, Message
from app.services.news import news_from
from app.services.ports import SeatFeed
from app.services.running.loops import every
from app.services.running.measures import Measures
from app.services.running.single_flight import SingleFlight

log = logging.getLogger(__name__)


LOOK_SECONDS: Final = 1.0
PING_SECONDS: Final = 20.0
CHECKED_AT_A_TIME: Final = 500


class Live:
    """One per process."""

    def __init__(
        self,
        engine: AsyncEngine,
        layouts: Layouts,
        feed: SeatFeed,
        limits: ListenerLimits,
        measures: Measures | None = None,
    ) -> None:
        self.limits = limits
        self._measures = measures or Measures()
        self._by_door: Counter[str] = Counter()
        self._measures.watch(
            "usher_live_listeners", lambda: [((door,), float(count)) for door, count in self._by_door.items()]
        )
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts
        self._feed = feed
        self._malformed = Seldom()
        self._broadcasts: dict[int, Broadcast] = {}
        self._telling: dict[int, asyncio.Task[None]] = {}
        self._opened = SingleFlight(self._open)
        self._loops: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def watching(
        self, screening_id: int, listener: Listener, since: int | None, address: str
    ) -> AsyncIterator[Broadcast]:
        """While the block lasts, the listener gets all changes after `since`, or from now on.

        Raises NotFound; RateLimited if the address has too many live connections; Busy if the process has no room.
        """
        self.limits.enter(address)
        self._by_door[listener.door] += 1
        try:
            broadcast = await self._enter(screening_id)
            try:
                await broadcast.join(listener, since)
                yield broadcast
            finally:
                broadcast.leave(listener)
                self._leave(broadcast)
        finally:
            self._by_door[listener.door] -= 1
            self.limits.leave(address)

    async def run(self) -> None:
        """Receive, send and check, until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._loops:
                self._loops.create_task(self._feed.run(self._hear))
                self._loops.create_task(every(LOOK_SECONDS, self._look_and_check, "check watched screenings"))
                self._loops.create_task(every(PING_SECONDS, self.ping, "ping listeners"))
        finally:
            self.stop()

    def stop(self) -> None:
        """Disconnect all listeners, and accept no more."""
        self._loops = None
        for listener in self._listeners():
            listener.end(Ending.STOPPING)

    async def look(self) -> None:
        """Compare with PostgreSQL, and check all tokens. Raises what PostgreSQL raises."""
        if not self._broadcasts:
            return
        async with self._engine.connect() as connection:
            positions = await seat_events.positions(connection, list(self._broadcasts))
        for screening_id, position in positions.items():
            if (broadcast := self._broadcasts.get(screening_id)) is not None:
                broadcast.behind(position)

    async def check(self) -> None:
        """Disconnect listeners whose token is not valid any more."""
        known = [listener for listener in self._listeners() if listener.user_id is not None]
        for count, listener in enumerate(known, 1):
            try:
                await listener.check()
            except (Refusal, SQLAlchemyError, OSError) as away:
                log.debug("could not check a token: %s", type(away).__name__)
            if count % CHECKED_AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def ping(self) -> None:
        """Send all listeners a ping."""
        message = Message("ping", None, PING)
        for count, listener in enumerate(self._listeners(), 1):
            listener.tell(message)
            if count % CHECKED_AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _enter(self, screening_id: int) -> Broadcast:
        """The broadcast of a screening. The first listener opens it, and it stays until the last has left."""
        broadcast = await self._opened.ask(screening_id, lambda: self._broadcasts.get(screening_id))
        broadcast.joining += 1  # at once, before anybody else may leave as the last one
        return broadcast

    async def _open(self, screening_id: int) -> Broadcast:
        async with self._engine.connect() as connection:
            position = await seat_events.position(connection, screening_id)
        if position is None:
            raise NotFound("screening")
        layout = await self._layouts.at(position.theater_id, position.layout_revision)
        if self._loops is None:
            raise Busy(reasons.STOPPING)
        broadcast = Broadcast(position, layout, self._engine, self._layouts, self._measures.live_seconds)
        self._broadcasts[screening_id] = broadcast
        self._telling[screening_id] = self._loops.create_task(broadcast.run())
        self._feed.watch(screening_id)
        return broadcast

    def _leave(self, broadcast: Broadcast) -> None:
        broadcast.joining -= 1
        if broadcast.joining == 0:
            del self._broadcasts[broadcast.screening_id]
            self._telling.pop(broadcast.screening_id).cancel()
            self._feed.unwatch(broadcast.screening_id)

    def _hear(self, screening_id: int, published: bytes | None) -> None:
        """News from the feed; None: some may be lost."""
        broadcast = self._broadcasts.get(screening_id)
        if broadcast is None:
            return
        if published is None:
            broadcast.missed_something()
            return
        try:
            broadcast.hear(news_from(published))
        except ValueError:
            if self._malformed.is_due(screening_id):
                log.warning("malformed news of screening %d", screening_id)
            broadcast.missed_something()

    def _listeners(self) -> list[Listener]:
        return [listener for broadcast in self._broadcasts.values() for listener in broadcast.listeners]

    async def _look_and_check(self) -> None:
        await self.look()
        await self.check()
