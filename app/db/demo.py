"""What loading the demo needs of PostgreSQL: one loader at a time, and ids that go on behind the given ones."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('usher demo'))")

_MOVE_ON = text("""
    SELECT setval(pg_get_serial_sequence('theaters', 'id'), (SELECT max(id) FROM theaters)),
           setval(pg_get_serial_sequence('seats', 'id'), (SELECT max(id) FROM seats)),
           setval(pg_get_serial_sequence('screenings', 'id'), (SELECT max(id) FROM screenings))
""")


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Wait until no other process is loading the demo; the next one waits until this transaction ends."""
    await connection.execute(_LOCK)


async def move_identities_on(connection: AsyncConnection) -> None:
    """The next theater, seat and screening get ids behind all that are there."""
    await connection.execute(_MOVE_ON)
