"""SQL for loading the demo: only one process at a time, and new ids that follow the demo's fixed ones."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('usher demo'))")

_MOVE_ON = text("""
    SELECT setval(pg_get_serial_sequence('theaters', 'id'), (SELECT max(id) FROM theaters)),
           setval(pg_get_serial_sequence('seats', 'id'), (SELECT max(id) FROM seats)),
           setval(pg_get_serial_sequence('screenings', 'id'), (SELECT max(id) FROM screenings))
""")

# A seat for the banner: on sale and free now, in theater 1 and row B if they have one. The tour of the README
# takes seats of row A, the examples of /docs those of row C.
_TO_TRY = text("""
    SELECT s.id, seats.label
      FROM screenings s JOIN seats ON seats.theater_id = s.theater_id AND seats.removed_at IS NULL
     WHERE s.cancelled_at IS NULL AND (s.sales_open_at IS NULL OR s.sales_open_at <= now())
       AND now() < coalesce(s.sales_close_at, s.starts_at)
       AND NOT EXISTS (SELECT FROM seat_claims c WHERE c.screening_id = s.id AND c.seat_id = seats.id
                          AND (c.expires_at IS NULL OR c.expires_at > now()))
     ORDER BY s.theater_id = 1 DESC, seats.row = 'B' DESC, seats.row IN ('A', 'C'), s.starts_at, s.id, seats.position
     LIMIT 1
""")


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Take the lock for loading the demo, after waiting if necessary. It is released when the transaction ends."""
    await connection.execute(_LOCK)


async def move_identities_on(connection: AsyncConnection) -> None:
    """Let the next theater, seat and screening get an id after the highest that exists."""
    await connection.execute(_MOVE_ON)


async def seat_to_try(connection: AsyncConnection) -> tuple[int, str] | None:
    """A screening on sale and the label of a free seat there; None if there is none."""
    row = (await connection.execute(_TO_TRY)).one_or_none()
    return None if row is None else (row.id, row.label)
