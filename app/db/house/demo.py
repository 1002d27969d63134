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
_ON_SALE = text("""
    SELECT id, theater_id FROM screenings
     WHERE cancelled_at IS NULL AND (sales_open_at IS NULL OR sales_open_at <= now())
       AND now() < coalesce(sales_close_at, starts_at)
     ORDER BY theater_id = 1 DESC, starts_at, id LIMIT 10
""")
_TAKEN = text("""
    SELECT seat_id FROM seat_claims
     WHERE screening_id = CAST(:screening_id AS bigint) AND (expires_at IS NULL OR expires_at > statement_timestamp())
""")
_FREE = text("""
    SELECT label FROM seats
     WHERE theater_id = :theater_id AND removed_at IS NULL AND id <> ALL(CAST(:taken AS bigint[]))
     ORDER BY "row" = 'B' DESC, "row" IN ('A', 'C'), position LIMIT 1
""")


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Take the lock for loading the demo, after waiting if necessary. It is released when the transaction ends."""
    await connection.execute(_LOCK)


async def move_identities_on(connection: AsyncConnection) -> None:
    """Let the next theater, seat and screening get an id after the highest that exists."""
    await connection.execute(_MOVE_ON)


async def seat_to_try(connection: AsyncConnection) -> tuple[int, str] | None:
    """A screening on sale and the label of a free seat there; None if there is none."""
    for screening_id, theater_id in (await connection.execute(_ON_SALE)).all():
        taken = list(await connection.scalars(_TAKEN, {"screening_id": screening_id}))
        label = await connection.scalar(_FREE, {"theater_id": theater_id, "taken": taken})
        if label is not None:
            return screening_id, label
    return None
