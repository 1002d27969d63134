"""What happened to the seats of a screening, version by version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.cluster.asking import ask, question
from app.db.rows import columns, maker


class SeatChange(NamedTuple):
    """A seat changed: what it became with this version, whose it is since, and whose hold it was before."""

    version: int
    seat_id: int
    status: str
    expires_at: datetime | None
    user_id: int | None
    previous_user_id: int | None

    def later(self, shift: int) -> "SeatChange":
        """The same when so many changes came before this one."""
        return self._replace(version=self.version + shift)


CHANGE: Final = f"ROW({columns(SeatChange, 'e', status='e.to_status')})::usher_seat_change"
"""A SeatChange as one value, from `seat_events e`."""

_RAN_OUT = columns(
    SeatChange,
    "e",
    status="CASE WHEN e.is_over THEN 'available' ELSE e.to_status END",
    expires_at="CASE WHEN e.is_over THEN NULL ELSE e.expires_at END",
    user_id="CASE WHEN e.is_over THEN NULL ELSE e.user_id END",
    previous_user_id="CASE WHEN e.is_over THEN e.user_id ELSE e.previous_user_id END",
)

seat_change = maker(SeatChange)

# Of several changes of one seat the last one counts; a hold that ran out since reads available, swept or not. One
# statement, so that the version and the events are of one moment.
_SINCE = text(f"""
SELECT s.version, s.theater_id, s.layout_revision,
       (SELECT min(o.version) FROM seat_events o WHERE o.screening_id = CAST(:screening_id AS bigint)) AS oldest,
       ARRAY(SELECT ROW({_RAN_OUT})::usher_seat_change
               FROM (SELECT DISTINCT ON (i.seat_id) i.*, i.expires_at <= statement_timestamp() AS is_over
                       FROM seat_events i
                      WHERE i.screening_id = CAST(:screening_id AS bigint) AND i.version > :since
                      ORDER BY i.seat_id, i.version DESC) e
              ORDER BY e.version, e.seat_id) AS events
  FROM screening_states s WHERE s.screening_id = CAST(:screening_id AS bigint)
""")  # noqa: S608 - our own names

# Version by version, for whoever passes each of them on.
_AFTER = text(f"""
SELECT s.version, s.theater_id, s.layout_revision,
       (SELECT min(o.version) FROM seat_events o WHERE o.screening_id = CAST(:screening_id AS bigint)) AS oldest,
       ARRAY(SELECT {CHANGE}
               FROM seat_events e WHERE e.screening_id = CAST(:screening_id AS bigint) AND e.version > :after
              ORDER BY e.version, e.seat_id LIMIT :at_most) AS changes
  FROM screening_states s WHERE s.screening_id = CAST(:screening_id AS bigint)
""")  # noqa: S608

_POSITIONS = question("""
SELECT s.screening_id, s.version, s.theater_id, s.layout_revision, s.revision FROM screening_states s WHERE {of_them}
""")

_LOST = text("""
SELECT e.seat_id
  FROM (SELECT DISTINCT ON (i.seat_id) i.* FROM seat_events i
         WHERE i.screening_id = :screening_id ORDER BY i.seat_id, i.version DESC) e
 WHERE e.previous_user_id = :user_id OR (e.user_id = :user_id AND e.expires_at <= clock_timestamp())
""")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a screening is: its version, and the revisions of its house and of itself."""

    screening_id: int
    version: int
    theater_id: int
    layout_revision: int
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a screening, up to `version`. `oldest` is the first version that is still known, if any is."""

    version: int
    theater_id: int
    layout_revision: int
    oldest: int | None
    events: tuple[SeatChange, ...]

    @property
    def earliest(self) -> int:
        """The earliest version after which everything is still known."""
        return self.version if self.oldest is None else self.oldest - 1

    def reach_back_to(self, version: int) -> bool:
        """Is everything after this version still known?"""
        return version >= min(self.earliest, self.version)


async def since(connection: AsyncConnection, screening_id: int, version: int) -> Changes | None:
    """Everything after a version; None: there is no such screening."""
    given = {"screening_id": screening_id, "since": version}
    row = (await connection.execute(_SINCE, given)).one_or_none()
    if row is None:
        return None
    events = tuple(map(seat_change, row.events))
    return Changes(row.version, row.theater_id, row.layout_revision, row.oldest, events)


async def after(
    connection: AsyncConnection, screening_id: int, version: int, at_most: int
) -> tuple[int, tuple[SeatChange, ...]] | None:
    """The present version, and every change after `version` in order.

    None when that cannot be told: they are more than `at_most`, or some of them are no longer kept.
    """
    given = {"screening_id": screening_id, "after": version, "at_most": at_most + 1}
    row = (await connection.execute(_AFTER, given)).one_or_none()
    if row is None or len(row.changes) > at_most:
        return None
    known = Changes(row.version, row.theater_id, row.layout_revision, row.oldest, ())
    if not known.reach_back_to(version):
        return None
    return row.version, tuple(map(seat_change, row.changes))


async def positions(connection: AsyncConnection, screening_ids: Sequence[int]) -> dict[int, Position]:
    """How far each of these screenings is, as far as they exist, and their nodes can be reached.

    The connection must be in AUTOCOMMIT, because a question that fails ends a transaction.
    """
    answers = await ask(connection, _POSITIONS, screening_ids)
    return {row.screening_id: Position(*row) for row in answers.rows}


async def position(connection: AsyncConnection, screening_id: int) -> Position | None:
    """How far this screening is; None if it does not exist."""
    row = (await connection.execute(_POSITIONS.of_one, {"id": screening_id})).one_or_none()
    return None if row is None else Position(*row)


async def present(connection: AsyncConnection, screening_id: int) -> Position:
    """As `position`, of a screening that there is."""
    return Position(*(await connection.execute(_POSITIONS.of_one, {"id": screening_id})).one())


async def lost_by(connection: AsyncConnection, screening_id: int, user_id: int) -> frozenset[int]:
    """The seats whose last change took them from this user."""
    given = {"screening_id": screening_id, "user_id": user_id}
    return frozenset((await connection.execute(_LOST, given)).scalars())
