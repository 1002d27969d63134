"""The occupancy of a screening at one moment: all its claims, or those that have changed, with the map version."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.cluster.asking import ask, question
from app.db.screenings import prices_of
from app.db.seat_maps.seat_events import CHANGE, SeatChange, seat_change
from app.domain.claims import SEEN_AS
from app.domain.seat_maps.occupancy import Occupancy, Taken
from app.domain.seats import SeatStatus

# Columns as arrays: a house of 40,000 seats is four values, not 40,000 rows. Each table is asked for the one screening
# by its parameter (docs/architecture.md, past one machine).
_OCCUPANCY = text("""
SELECT s.screening_id, s.theater_id, s.layout_revision, s.revision, s.version, s.prices, clock_timestamp() AS at,
       c.seat_ids, c.statuses, c.ends, c.user_ids
  FROM screening_states s, (
       SELECT array_agg(i.seat_id) AS seat_ids, array_agg(i.status) AS statuses, array_agg(i.expires_at) AS ends,
              array_agg(i.user_id) AS user_ids
         FROM seat_claims i WHERE i.screening_id = CAST(:screening_id AS bigint)) c
 WHERE s.screening_id = CAST(:screening_id AS bigint)
""")

# Young events only: one that is about to be deleted for its age is not counted on.
_CHANGED = text(f"""
SELECT s.version + s.revision + s.layout_revision AS map_version, s.version,
       ARRAY(SELECT {CHANGE}
               FROM seat_events e
              WHERE e.screening_id = CAST(:screening_id AS bigint) AND e.version > :after
                AND e.at > clock_timestamp() - interval '30 minutes'
              ORDER BY e.version, e.seat_id LIMIT :at_most) AS changes
  FROM screening_states s WHERE s.screening_id = CAST(:screening_id AS bigint)
""")  # noqa: S608 - our own names

_STATES = question("""
SELECT s.screening_id, s.version + s.revision + s.layout_revision FROM screening_states s WHERE {of_them}
""")

_SEEN_AS: Final[dict[str, SeatStatus]] = {status.value: seen_as for status, seen_as in SEEN_AS.items()}
_AT_ONCE: Final = 2_000
"""So many claims are made of their rows within milliseconds; more of them in a thread."""


async def read(connection: AsyncConnection, screening_id: int) -> tuple[Occupancy, datetime] | None:
    """The occupancy of a screening, and PostgreSQL's time (UTC) of reading it; None if the screening does not exist."""
    row = (await connection.execute(_OCCUPANCY, {"screening_id": screening_id})).one_or_none()
    if row is None:
        return None
    columns = (row.seat_ids or (), row.statuses or (), row.ends or (), row.user_ids or ())
    claims = _claims(columns) if len(columns[0]) <= _AT_ONCE else await asyncio.to_thread(_claims, columns)
    occupancy = Occupancy(
        screening_id=row.screening_id,
        theater_id=row.theater_id,
        layout_revision=row.layout_revision,
        map_version=row.version + row.revision + row.layout_revision,
        version=row.version,
        prices=prices_of(row.prices),
        claims=claims,
    )
    return occupancy, row.at


def _claims(columns: Sequence[Sequence[Any]]) -> tuple[Taken, ...]:
    return tuple(
        Taken(seat_id, _SEEN_AS[status], end, user_id) for seat_id, status, end, user_id in zip(*columns, strict=True)
    )


async def map_versions(connection: AsyncConnection, screening_ids: Sequence[int]) -> dict[int, int]:
    """The map version of each of these screenings that exists."""
    rows = await connection.execute(_STATES.of_many, {"ids": list(screening_ids)})
    return {row[0]: row[1] for row in rows}


async def reachable_map_versions(
    connection: AsyncConnection, screening_ids: Sequence[int]
) -> tuple[dict[int, int], frozenset[int]]:
    """As `map_versions`; and which of them are on a node that is away, so that nothing is known of them."""
    answers = await ask(connection, _STATES, screening_ids)
    return {row[0]: row[1] for row in answers.rows}, frozenset(answers.unknown)


async def changed(
    connection: AsyncConnection, screening_id: int, after: int, at_most: int
) -> tuple[int, int, tuple[SeatChange, ...]] | None:
    """The map version and the version of a screening, and all changes after the version `after`, in order.

    None if they are more than `at_most`, or some of them are no longer kept.
    """
    given = {"screening_id": screening_id, "after": after, "at_most": at_most + 1}
    row = (await connection.execute(_CHANGED, given)).one_or_none()
    if row is None or len(row.changes) > at_most:
        return None
    changes = tuple(map(seat_change, row.changes))
    if row.version - after != len({change.version for change in changes}):
        return None
    return row.map_version, row.version, changes
