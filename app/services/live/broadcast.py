"""One screening that somebody watches in this process: its changes, in the order of versions, for every listener.

A gap (lost news, Redis not reachable, the time before the subscription) shows in the versions, and is filled from the
events that every transaction writes.
"""

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.errors import refusal_for
from app.db.seat_maps import seat_events
from app.db.seat_maps.seat_events import Position, SeatChange
from app.domain.seats import Layout
from app.outages import Seldom
from app.services.layouts import Layouts
from app.services.live.listeners import Listener
from app.services.live.telling import Telling, confirmation, resync, updates_for
from app.services.news import News, Update, merged
from app.services.running.measures import Histogram
from app.services.running.single_flight import SingleFlight

log = logging.getLogger(__name__)


MERGED_SECONDS: Final = 0.2
"""So long may updates wait to be told together."""
SHARE: Final = 4
"""After telling everybody there is a pause this many times as long as it took to, and longer the more there was to be
told: selling seats comes first."""
SOON_SECONDS: Final = 0.4
"""In a great crowd the pause is shorter than that. A change waits while the one before it is told, and is then told
itself: all of this is to take less than half a second."""
GRACE_SECONDS: Final = 0.05
"""What overtook another process's news waits so long for it before the events are read."""
KEPT: Final = 4_000
"""Changes in memory for those who come back."""
MOST_MISSED: Final = 20_000
"""Changes that are read to fill a gap; whoever missed more reads the map again."""
MOST_AHEAD: Final = 200


class Broadcast:
    """`hear` and `behind` may be called at any time. `run` sends until it is cancelled."""

    def __init__(
        self, position: Position, layout: Layout, engine: AsyncEngine, layouts: Layouts, lags: Histogram | None = None
    ) -> None:
        """`lags` gets how long it took from a commit until everybody was told."""
        self._lags = lags
        self._committed_at: float | None = None
        self.screening_id = position.screening_id
        self.joining = 0
        self.listeners: set[Listener] = set()
        self._engine = engine
        self._layouts = layouts
        self._layout = layout
        self._position = position
        self._is_other_house = False
        self._mistakes = Seldom()
        # Everything after `_floor` and up to `_known` is in `_changes`; up to `_told` everybody was told.
        self._floor = self._told = self._known = position.version
        self._changes: list[SeatChange] = []
        self._ahead: dict[int, News] = {}
        self._target = position.version
        self._may_have_missed = False
        self._woken = asyncio.Event()
        self._reading = asyncio.Lock()
        self._missed: SingleFlight[int, seat_events.Changes | None] = SingleFlight(lambda at: self._read_since(at))

    def hear(self, news: News) -> None:
        """Take news of a commit."""
        if news.version <= self._known:
            return
        if self._committed_at is None:
            self._committed_at = news.at
        if news.after > self._known:
            if len(self._ahead) < MOST_AHEAD:
                self._ahead[news.after] = news
            self._target = max(self._target, news.version)
        else:
            self._take(news.version, news.changes)
        self._woken.set()

    def missed_something(self) -> None:
        """News may be lost: check PostgreSQL at once."""
        self._may_have_missed = True
        self._woken.set()

    def behind(self, position: Position) -> None:
        """PostgreSQL is at this position: read what is missing."""
        house = (position.layout_revision, position.revision)
        if house != (self._position.layout_revision, self._position.revision):
            self._position = position
            self._is_other_house = True
            self._woken.set()
        if position.version > self._known:
            self._target = max(self._target, position.version)
            self._woken.set()

    async def join(self, listener: Listener, since: int | None) -> None:
        """Confirm the listener, send the changes after `since`, and from then on all changes: no gap, nothing twice."""
        at = self._told if since is None else since
        is_of_ours = since is None
        missed: dict[int, Update] = {}
        is_too_old = False
        while not is_too_old and (at < self._floor or (at > self._known and not is_of_ours)):
            changes = await self._missed.ask(at)
            if changes is None or changes.version < at or not changes.reach_back_to(at):
                is_too_old = True
            else:
                merged(changes.events, missed)
                at, is_of_ours = changes.version, True
        # From here to the end nothing waits: what is told to the others meanwhile cannot be missed.
        if is_too_old:
            at = self._told
        merged(self._between(at, self._told), missed)
        listener.version = max(at, self._told)
        self.listeners.add(listener)
        self._confirm(listener, listener.version if since is None or is_too_old else since)
        if is_too_old:
            listener.tell(resync(self.screening_id, listener.version, "too_old"))
        elif missed:
            version, user_id = listener.version, listener.user_id
            listener.tell(updates_for(user_id, self.screening_id, version, missed.values(), self._layout))

    def leave(self, listener: Listener) -> None:
        """Send the listener nothing more. If they have not joined, nothing happens."""
        self.listeners.discard(listener)

    def authenticate(self, listener: Listener, user_id: int | None) -> None:
        """The listener has sent another token: this is their user now. They get a new confirmation."""
        listener.user_id = user_id
        self._confirm(listener, listener.version)

    async def run(self) -> None:
        """Send what comes, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._catch_up()
                if self._is_other_house:
                    await self._move_house()
            except Exception as error:
                if refusal_for(error) is not None:
                    log.debug("could not read what was missed: %s", type(error).__name__)
                elif self._mistakes.is_due(type(error)):
                    log.exception("could not follow screening %d", self.screening_id)
            if self._known > self._told:
                await self._tell_everybody()

    async def _catch_up(self) -> None:
        """Read what is missing. Raises what PostgreSQL raises: the next look retries."""
        if self._may_have_missed:
            self._may_have_missed = False
        elif self._target > self._known:
            if self._known > self._told:
                await self._tell_everybody()
            await asyncio.sleep(GRACE_SECONDS)
            if self._target <= self._known:
                return
        else:
            return
        self._target = self._known  # once for each sign that something is missing
        async with self._reading, self._engine.connect() as connection:
            found = await seat_events.after(connection, self.screening_id, self._known, MOST_MISSED)
            position = await seat_events.present(connection, self.screening_id)
        if found is None:
            self._give_up(position.version)
        else:
            self._take(*found)

    async def _read_since(self, version: int) -> "seat_events.Changes | None":
        """The changes for newcomers who know the same version; one query at a time, so that buyers and readers are not
        kept from PostgreSQL.
        """
        async with self._reading, self._engine.connect() as connection:
            return await seat_events.since(connection, self.screening_id, version)

    def _take(self, version: int, changes: Iterable[SeatChange]) -> None:
        """Everything up to `version` is known now, and what follows it without a gap."""
        self._add(version, changes)
        while self._ahead and (after := min(self._ahead)) <= self._known:
            news = self._ahead.pop(after)
            self._add(news.version, news.changes)

    def _add(self, version: int, changes: Iterable[SeatChange]) -> None:
        known = self._known
        self._changes += [change for change in changes if change.version > known]
        self._known = max(known, version)

    def _give_up(self, version: int) -> None:
        """Too many changes are missing, or they are no longer kept: all listeners must read the map again."""
        self._changes.clear()
        self._ahead.clear()
        self._floor = self._told = self._known = max(version, self._known)
        self._everybody_reads_again("too_old")

    async def _move_house(self) -> None:
        """An organizer has edited the layout, prices or times: all listeners must read the map again."""
        self._is_other_house = False
        self._layout = await self._layouts.at(self._position.theater_id, self._position.layout_revision)
        if self._known > self._told:
            await self._tell_everybody()
        self._everybody_reads_again("house_changed")

    def _everybody_reads_again(self, reason: str) -> None:
        message = resync(self.screening_id, self._told, reason)
        for listener in tuple(self.listeners):
            listener.version = max(listener.version, self._told)
            listener.tell(message)

    async def _tell_everybody(self) -> None:
        """Send what was not sent yet, to many listeners in portions; then pause in proportion."""
        after, version = self._told, self._known
        changes = self._between(after, version)
        layout = self._layout
        if any(change.seat_id not in layout.by_id and change.seat_id not in layout.former for change in changes):
            self._layout = await self._newest_layout()
        worked_before = time.thread_time()
        # Whoever joins from here on is told by `join`.
        self._told = version
        if changes:
            committed_at, self._committed_at = self._committed_at, None
            await Telling(self.screening_id, after, version, changes, self._layout).tell_all(self.listeners)
            if committed_at is not None and self._lags is not None:
                self._lags.add(max(time.time() - committed_at, 0.0))
        self._forget()
        worked = time.thread_time() - worked_before
        await asyncio.sleep(pause_after(worked, version - after))

    async def _newest_layout(self) -> Layout:
        """The newest layout, because a seat is not in the known one."""
        try:
            async with self._engine.connect() as connection:
                position = await seat_events.present(connection, self.screening_id)
            return await self._layouts.at(position.theater_id, position.layout_revision)
        except (SQLAlchemyError, OSError):
            return self._layout

    def _between(self, after: int, version: int) -> list[SeatChange]:
        start = bisect_right(self._changes, after, key=_version_of)
        end = bisect_right(self._changes, version, start, key=_version_of)
        return self._changes[start:end]

    def _forget(self) -> None:
        """Keep only the last changes, and those that were not sent yet."""
        if len(self._changes) <= 2 * KEPT:
            return
        floor = min(self._changes[-KEPT].version, self._told)
        del self._changes[: bisect_right(self._changes, floor, key=_version_of)]
        self._floor = floor

    def _confirm(self, listener: Listener, version: int) -> None:
        listener.tell(confirmation(self.screening_id, version, listener.user_id))


def pause_after(worked: float, versions: int) -> float:
    """How long the next telling waits: `worked` are the processor's seconds of the last one, of so many versions."""
    shortest = worked / 2
    return min(worked * (SHARE + versions), MERGED_SECONDS, max(SOON_SECONDS - 2 * worked, shortest))


def _version_of(change: SeatChange) -> int:
    return change.version
