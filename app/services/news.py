"""News: what one batch has changed in one screening, as processes tell each other.

It has the ids of all users and must not leave the service; `broadcast` makes messages from it.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import orjson

from app.db.seat_maps.seat_events import SeatChange


@dataclass(frozen=True, slots=True)
class News:
    """All changes of a screening between two versions, in their order."""

    after: int
    version: int
    changes: tuple[SeatChange, ...]
    at: float | None = field(default=None, compare=False)
    """When it was published, in seconds of the wall clock; only for those who watch how long news take."""


def news_json(news: News) -> bytes:
    """Compact, because it is made for every batch, whether somebody listens or not."""
    return orjson.dumps((news.after, news.version, news.changes, time.time()), default=tuple)


def news_from(published: bytes) -> News:
    """The news that `news_json` wrote. Raises ValueError for anything else."""
    try:
        after, version, changes, *at = orjson.loads(published)  # an earlier release does not say when
        return News(after, version, tuple(_change(*change) for change in changes), *at)
    except (TypeError, orjson.JSONDecodeError) as error:
        raise ValueError("no news") from error


def _change(
    version: int, seat_id: int, status: str, ends: str | None, user_id: int | None, previous_user_id: int | None
) -> SeatChange:
    expires_at = None if ends is None else datetime.fromisoformat(ends)
    return SeatChange(version, seat_id, status, expires_at, user_id, previous_user_id)


class Update(NamedTuple):
    """The last change of a seat, and the users whose holds have ended on the way."""

    change: SeatChange
    lost_by: frozenset[int]

    def seen_by(self, listener_id: int | None) -> SeatChange:
        """The change without any user id but the owner's and the listener's."""
        was_mine = listener_id if listener_id in self.lost_by else None
        return (
            self.change if self.change.previous_user_id == was_mine else self.change._replace(previous_user_id=was_mine)
        )


_NOBODY: frozenset[int] = frozenset()


def merged(changes: Iterable[SeatChange], onto: dict[int, Update] | None = None) -> dict[int, Update]:
    """One update for each seat: its last change, and all users whose holds of it have ended for good."""
    updates = {} if onto is None else onto
    for change in changes:
        before = updates.get(change.seat_id)
        lost_by = before.lost_by if before else _NOBODY
        if change.previous_user_id is not None:
            lost_by |= {change.previous_user_id}
        if change.user_id in lost_by:
            lost_by -= {change.user_id}
        updates[change.seat_id] = Update(change, lost_by)
    return updates
