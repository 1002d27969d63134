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
# statement, so that the version and the events are of one moment. The primary key gives the newest events in their
# order, and only so many are ever looked at.
_SINCE = text(f"""
WITH newest AS MATERIALIZED (
     SELECT i.*, i.expires_at <= statement_timestamp() AS is_over FROM seat_events i
      WHERE i.screening_id = CAST(:screening_id AS bigint) AND i.version > :since
      ORDER BY i.version DESC, i.seat_id DESC LIMIT :at_most + 1),
counted AS MATERIALIZED (SELECT count(*) > :at_most AS too_many, min(version) AS earliest FROM newest)
SELECT s.version, s.theater_id, s.layout_revision, c.too_many, c.earliest,
       (SELECT min(o.version) FROM seat_events o WHERE o.screening_id = CAST(:screening_id AS bigint)) AS oldest,
       ARRAY(SELECT ROW({_RAN_OUT})::usher_seat_change
               FROM (SELECT DISTINCT ON (n.seat_id) n.* FROM newest n
                      WHERE NOT c.too_many ORDER BY n.seat_id, n.version DESC) e
              ORDER BY e.version, e.seat_id) AS events
  FROM screening_states s, counted c WHERE s.screening_id = CAST(:screening_id AS bigint)
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

# Only seats that they ever held: whoever held none here is told so without a look at the events.
_LOST = text("""
WITH theirs AS MATERIALIZED (
     SELECT DISTINCT h.seat_id FROM reservations r
       JOIN reservation_seats h ON h.screening_id = CAST(:screening_id AS bigint) AND h.reservation_id = r.id
      WHERE r.user_id = :user_id AND r.screening_id = CAST(:screening_id AS bigint)),
newest AS MATERIALIZED (
     SELECT i.* FROM seat_events i
      WHERE i.screening_id = CAST(:screening_id AS bigint) AND EXISTS (SELECT FROM theirs)
      ORDER BY i.version DESC, i.seat_id DESC LIMIT :at_most)
SELECT e.seat_id
  FROM (SELECT DISTINCT ON (n.seat_id) n.* FROM newest n
         WHERE n.seat_id IN (SELECT seat_id FROM theirs) ORDER BY n.seat_id, n.version DESC) e
 WHERE e.previous_user_id = :user_id OR (e.user_id = :user_id AND e.expires_at <= clock_timestamp())
""")

MOST_AT_ONCE: Final = 5_000
"""The most events that are looked at for one reader. Whoever missed more reads the map, which costs less."""


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
    """What changed in a screening, up to `version`. `oldest` is the first version that is still known, if any is.

    `cut_at`: there were more changes than are read at once, so no events are here; after this version there are not.
    """

    version: int
    theater_id: int
    layout_revision: int
    oldest: int | None
    events: tuple[SeatChange, ...]
    cut_at: int | None = None

    @property
    def earliest(self) -> int:
        """The earliest version after which everything is still known, and not too much to be read at once."""
        known = self.version if self.oldest is None else self.oldest - 1
        return known if self.cut_at is None else max(known, self.cut_at)

    def reach_back_to(self, version: int) -> bool:
        """Is everything after this version still known, and here?"""
        return version >= min(self.earliest, self.version)


async def since(connection: AsyncConnection, screening_id: int, version: int) -> Changes | None:
    """Everything after a version, unless that is more than MOST_AT_ONCE; None: there is no such screening."""
    given = {"screening_id": screening_id, "since": version, "at_most": MOST_AT_ONCE}
    row = (await connection.execute(_SINCE, given)).one_or_none()
    if row is None:
        return None
    events = tuple(map(seat_change, row.events))
    cut_at = row.earliest if row.too_many else None
    return Changes(row.version, row.theater_id, row.layout_revision, row.oldest, events, cut_at)


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
    """The seats whose last change took them from this user, as far as that is among the last MOST_AT_ONCE changes."""
    given = {"screening_id": screening_id, "user_id": user_id, "at_most": MOST_AT_ONCE}
    return frozenset((await connection.execute(_LOST, given)).scalars())
