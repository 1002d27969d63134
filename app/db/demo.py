"""SQL for loading the demo: only one process at a time, and new ids that follow the demo's fixed ones."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('usher demo'))")

_MOVE_ON = text("""
    SELECT setval(pg_get_serial_sequence('theaters', 'id'), (SELECT max(id) FROM theaters)),
           setval(pg_get_serial_sequence('seats', 'id'), (SELECT max(id) FROM seats)),
           setval(pg_get_serial_sequence('screenings', 'id'), (SELECT max(id) FROM screenings))
""")


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Take the lock for loading the demo, after waiting if necessary. It is released when the transaction ends."""
    await connection.execute(_LOCK)


async def move_identities_on(connection: AsyncConnection) -> None:
    """Let the next theater, seat and screening get an id after the highest that exists."""
    await connection.execute(_MOVE_ON)
