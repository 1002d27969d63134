"""The events of a screening's seats, version by version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Of several changes of one seat the last one counts; a hold that ran out since reads available, swept or not. One
# statement, so that the version and the events are of one moment.
_SINCE = text("""
SELECT s.version, s.theater_id, s.layout_revision,
       (SELECT min(o.version) FROM seat_events o WHERE o.screening_id = s.id) AS oldest,
       ARRAY(SELECT CASE WHEN e.expires_at <= clock_timestamp()
                         THEN ROW(e.seat_id, 'available', NULL::timestamptz, NULL::bigint, e.user_id)
                         ELSE ROW(e.seat_id, e.to_status, e.expires_at, e.user_id, e.previous_user_id) END
               FROM (SELECT DISTINCT ON (i.seat_id) i.* FROM seat_events i
                      WHERE i.screening_id = s.id AND i.version > :since ORDER BY i.seat_id, i.version DESC) e
              ORDER BY e.version, e.seat_id) AS events
  FROM screenings s WHERE s.id = :screening_id
""")

# Version by version, for whoever passes each of them on.
_AFTER = text("""
SELECT s.version, s.theater_id, s.layout_revision,
       (SELECT min(o.version) FROM seat_events o WHERE o.screening_id = s.id) AS oldest,
       ARRAY(SELECT ROW(e.version, e.seat_id, e.to_status, e.expires_at, e.user_id, e.previous_user_id)
               FROM seat_events e WHERE e.screening_id = s.id AND e.version > :after
              ORDER BY e.version, e.seat_id LIMIT :at_most) AS changes
  FROM screenings s WHERE s.id = :screening_id
""")

_POSITIONS = text("""
SELECT s.id, s.version, s.theater_id, s.layout_revision, s.revision
  FROM screenings s WHERE s.id = ANY(CAST(:ids AS int[]))
""")

_LOST = text("""
SELECT e.seat_id
  FROM (SELECT DISTINCT ON (i.seat_id) i.* FROM seat_events i
         WHERE i.screening_id = :screening_id ORDER BY i.seat_id, i.version DESC) e
 WHERE e.previous_user_id = :user_id OR (e.user_id = :user_id AND e.expires_at <= clock_timestamp())
""")


@dataclass(frozen=True, slots=True)
class SeatEvent:
    """A seat after its last change: its status, whose it is now, and whose hold the change ended."""

    seat_id: int
    status: str
    expires_at: datetime | None
    user_id: int | None
    previous_user_id: int | None


class SeatChange(NamedTuple):
    """One change of one seat: its status since this version, whose it is now, and whose hold the change ended."""

    version: int
    seat_id: int
    status: str
    expires_at: datetime | None
    user_id: int | None
    previous_user_id: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """The version of a screening, and the revisions of its layout and of the screening itself."""

    screening_id: int
    version: int
    theater_id: int
    layout_revision: int
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a screening up to `version`. `oldest` is the first version that is still kept; None if none is."""

    version: int
    theater_id: int
    layout_revision: int
    oldest: int | None
    events: tuple[SeatEvent, ...]

    @property
    def earliest(self) -> int:
        """The earliest version after which all changes are still kept."""
        return self.version if self.oldest is None else self.oldest - 1

    def reach_back_to(self, version: int) -> bool:
        """Whether all changes after this version are still kept."""
        return version >= min(self.earliest, self.version)


async def since(connection: AsyncConnection, screening_id: int, version: int) -> Changes | None:
    """The changes after a version, with the last one of each seat; None if the screening does not exist."""
    given = {"screening_id": screening_id, "since": version}
    row = (await connection.execute(_SINCE, given)).one_or_none()
    if row is None:
        return None
    events = tuple(SeatEvent(*event) for event in row.events)
    return Changes(row.version, row.theater_id, row.layout_revision, row.oldest, events)


async def after(
    connection: AsyncConnection, screening_id: int, version: int, at_most: int
) -> tuple[int, tuple[SeatChange, ...]] | None:
    """The current version, and all changes after `version` in order.

    None if they are more than `at_most`, or some of them are no longer kept.
    """
    given = {"screening_id": screening_id, "after": version, "at_most": at_most + 1}
    row = (await connection.execute(_AFTER, given)).one_or_none()
    if row is None or len(row.changes) > at_most:
        return None
    known = Changes(row.version, row.theater_id, row.layout_revision, row.oldest, ())
    if not known.reach_back_to(version):
        return None
    return row.version, tuple(SeatChange(*change) for change in row.changes)


async def positions(connection: AsyncConnection, screening_ids: Sequence[int]) -> dict[int, Position]:
    """The position of each of these screenings that exists."""
    rows = await connection.execute(_POSITIONS, {"ids": list(screening_ids)})
    return {row.id: Position(*row) for row in rows}


async def lost_by(connection: AsyncConnection, screening_id: int, user_id: int) -> frozenset[int]:
    """The seats whose last change ended a hold of this user."""
    given = {"screening_id": screening_id, "user_id": user_id}
    return frozenset((await connection.execute(_LOST, given)).scalars())
