"""Availability as PostgreSQL knows it: every claim of a screening, and its state, all of one moment."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.screenings import prices_of
from app.domain.claims import SEEN_AS, ClaimStatus
from app.domain.occupancy import Occupancy, Taken

# Columns as arrays: a house of 40,000 seats is four values, not 40,000 rows.
_OCCUPANCY = text("""
SELECT s.id, s.theater_id, s.layout_revision, s.revision, s.version, s.prices, clock_timestamp() AS at,
       c.seat_ids, c.statuses, c.ends, c.user_ids
  FROM screenings s, LATERAL (
       SELECT array_agg(i.seat_id) AS seat_ids, array_agg(i.status) AS statuses, array_agg(i.expires_at) AS ends,
              array_agg(i.user_id) AS user_ids
         FROM seat_claims i WHERE i.screening_id = s.id) c
 WHERE s.id = :screening_id
""")

_STATES = text("""
SELECT s.id, s.version + s.revision + s.layout_revision
  FROM screenings s WHERE s.id = ANY(CAST(:ids AS int[]))
""")


async def read(connection: AsyncConnection, screening_id: int) -> tuple[Occupancy, datetime] | None:
    """The occupancy of a screening and PostgreSQL's time of reading it; None: there is no such screening."""
    row = (await connection.execute(_OCCUPANCY, {"screening_id": screening_id})).one_or_none()
    if row is None:
        return None
    columns = (row.seat_ids or (), row.statuses or (), row.ends or (), row.user_ids or ())
    claims = tuple(
        Taken(seat_id, SEEN_AS[ClaimStatus(status)], end, user_id)
        for seat_id, status, end, user_id in zip(*columns, strict=True)
    )
    occupancy = Occupancy(
        screening_id=row.id,
        theater_id=row.theater_id,
        layout_revision=row.layout_revision,
        state=row.version + row.revision + row.layout_revision,
        version=row.version,
        prices=prices_of(row.prices),
        claims=claims,
    )
    return occupancy, row.at


async def states(connection: AsyncConnection, screening_ids: Sequence[int]) -> dict[int, int]:
    """The state of each of these screenings that exists."""
    rows = await connection.execute(_STATES, {"ids": list(screening_ids)})
    return {row[0]: row[1] for row in rows}
