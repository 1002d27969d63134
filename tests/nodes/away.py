"""A node that is away, without nodes: whatever asks for the rows of one screening fails as Citus then fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.order import Connection

TABLES = ("screening_states", "reservations", "bookings", "seat_claims", "seat_events", "idempotency_keys")


@asynccontextmanager
async def away(database: Connection, screening_id: int) -> AsyncIterator[None]:
    """The node of this screening cannot be reached until the block ends. Other screenings are on another one."""
    await database.execute(f"""
        CREATE FUNCTION is_there(id bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN
            IF id = {screening_id} THEN
                RAISE EXCEPTION 'connection to the remote node 10.0.0.2:5432 failed' USING ERRCODE = '08006';
            END IF;
            RETURN true;
        END $$
    """)
    for table in TABLES:
        await database.execute(f"ALTER TABLE {table} RENAME TO {table}_there")
        await database.execute(
            f"CREATE VIEW {table} AS SELECT * FROM {table}_there WHERE is_there(screening_id)"  # noqa: S608
        )
    yield
    for table in TABLES:
        await database.execute(f"DROP VIEW {table}")
        await database.execute(f"ALTER TABLE {table}_there RENAME TO {table}")
    await database.execute("DROP FUNCTION is_there")
