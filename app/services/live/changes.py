"""The changes since a version, for callers that have read the map and want only the difference."""

import asyncio
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.seat_maps import seat_events
from app.db.seat_maps.seat_events import Changes
from app.domain.refusals import ChangesGone, NotFound
from app.domain.seats import Layout
from app.schemas.live import changes_json, entry_json
from app.services.layouts import Layouts
from app.services.running.single_flight import SingleFlight

AT_A_TIME: Final = 250
"""Entries that are written before others are served."""


@dataclass(frozen=True, slots=True)
class _Read:
    """Changes as they were read for everybody who asked, and their entries as nobody in particular sees them."""

    changes: Changes
    layout: Layout
    entries: list[bytes]

    def body_for(self, user_id: int | None) -> bytes:
        """A ChangesOut as this user sees it: only what is or was theirs is written anew."""
        entries = self.entries
        if user_id is not None:
            entries = entries.copy()
            for index, change in enumerate(self.changes.events):
                if user_id in (change.user_id, change.previous_user_id):
                    entries[index] = entry_json(change, self.layout, user_id)
        return changes_json(self.changes.version, entries)


class ChangesFeed:
    """Reads the events that every transaction writes with its changes."""

    def __init__(self, engine: AsyncEngine, layouts: Layouts) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._layouts = layouts
        self._readers = SingleFlight(self._read)

    async def lost_by(self, screening_id: int, user_id: int) -> frozenset[int]:
        """The seats whose last change ended a hold of this user: it ran out, or was released. Not what is long ago."""
        async with self._engine.connect() as connection:
            return await seat_events.lost_by(connection, screening_id, user_id)

    async def since(self, screening_id: int, version: int, user_id: int | None) -> bytes:
        """A ChangesOut with all changes after `version`, as this user sees them; empty if there are none.

        Readers who ask for the same at the same time share one query. Raises NotFound; ChangesGone if some of them are
        no longer kept, or if they are so many that the map costs less.
        """
        read = await self._readers.ask((screening_id, version))
        if read is None:
            raise NotFound("screening")
        if not read.changes.reach_back_to(version):
            raise ChangesGone(read.changes.earliest)
        return read.body_for(user_id)

    async def _read(self, asked: tuple[int, int]) -> _Read | None:
        async with self._engine.connect() as connection:
            changes = await seat_events.since(connection, *asked)
        if changes is None:
            return None
        layout = await self._layouts.at(changes.theater_id, changes.layout_revision)
        entries: list[bytes] = []
        for count, change in enumerate(changes.events, 1):
            entries.append(entry_json(change, layout, None))
            if count % AT_A_TIME == 0:
                await asyncio.sleep(0)
        return _Read(changes, layout, entries)
