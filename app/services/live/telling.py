"""Messages about changes of a screening: one for everybody, and one for each user whom a change concerns.

Nobody gets another user's id.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from app.db.seat_maps.seat_events import SeatChange
from app.domain.seats import Layout
from app.schemas.live import bulk_json, confirmed_json, entry_json, resync_json
from app.services.live.listeners import Listener, Message
from app.services.news import Update, merged

AT_A_TIME: Final = 200
"""Listeners who are told before others are served."""


def confirmation(screening_id: int, version: int, user_id: int | None) -> Message:
    """The listener gets changes from this version on, as this user."""
    return Message("connection_confirmed", version, confirmed_json(screening_id, version, user_id))


def resync(screening_id: int, version: int, reason: str) -> Message:
    """The listener must read the map again."""
    return Message("resync", version, resync_json(screening_id, version, reason))


def updates_for(
    user_id: int | None, screening_id: int, version: int, updates: Iterable[Update], layout: Layout
) -> Message:
    """The updates up to this version, as one user sees them."""
    entries = [entry_json(update.seen_by(user_id), layout, user_id) for update in updates]
    return _bulk(screening_id, version, entries)


class Telling:
    """The same changes, from one version to another, for many listeners."""

    def __init__(self, screening_id: int, after: int, version: int, changes: list[SeatChange], layout: Layout) -> None:
        self._screening_id = screening_id
        self._after = after
        self._version = version
        self._changes = changes
        self._layout = layout
        self._updates = list(merged(changes).values())
        self._entries = [entry_json(update.seen_by(None), layout, None) for update in self._updates]
        self._of: dict[int, list[int]] = {}
        for index, update in enumerate(self._updates):
            for user_id in (update.change.user_id, *update.lost_by):
                if user_id is not None:
                    self._of.setdefault(user_id, []).append(index)
        self._everybodys = _bulk(screening_id, version, self._entries)
        self._owners: dict[int, Message] = {}

    async def tell_all(self, listeners: Iterable[Listener]) -> None:
        """Send to all, in portions, so that other work is done in between."""
        for count, listener in enumerate(tuple(listeners), 1):
            self._tell(listener)
            if count % AT_A_TIME == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    def _tell(self, listener: Listener) -> None:
        """Send a listener what they do not know yet."""
        if listener.version >= self._version:
            return
        if listener.version > self._after:
            message = self._rest_for(listener)
        elif (owner_id := listener.user_id) is not None and owner_id in self._of:
            message = self._owners.get(owner_id) or self._for_owner(owner_id)
        else:
            message = self._everybodys
        listener.version = self._version
        if message is not None:
            listener.tell(message)

    def _for_owner(self, user_id: int) -> Message:
        entries = self._entries.copy()
        for index in self._of[user_id]:
            entries[index] = entry_json(self._updates[index].seen_by(user_id), self._layout, user_id)
        message = self._owners[user_id] = _bulk(self._screening_id, self._version, entries)
        return message

    def _rest_for(self, listener: Listener) -> Message | None:
        updates = merged(change for change in self._changes if change.version > listener.version)
        if not updates:
            return None
        return updates_for(listener.user_id, self._screening_id, self._version, updates.values(), self._layout)


def _bulk(screening_id: int, version: int, entries: list[bytes]) -> Message:
    return Message("bulk_seat_update", version, bulk_json(screening_id, version, entries))
