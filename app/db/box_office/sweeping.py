"""The sweeper's questions: which holds have run out, when the next one ends, and which rows are too old to keep."""

from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

PORTION: Final = 10_000
"""How many rows one statement deletes at most: none runs long, and no lock is held long."""

# statement_timestamp() stands still while a statement runs, so that an index can find what is older; clock_timestamp()
# does not, and every row is read (*measured*: of a million keys, again for each portion).
_RUN_OUT = text("""
SELECT screening_id, id FROM reservations
 WHERE status IN ('held', 'paying') AND expires_at <= statement_timestamp()
 ORDER BY expires_at LIMIT :at_most
""")

_NEXT_END = text("""
SELECT CAST(extract(epoch FROM min(expires_at) - clock_timestamp()) AS double precision) FROM reservations
 WHERE status IN ('held', 'paying')
""")

_FORGET_KEYS = text("""
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
       SELECT ctid FROM idempotency_keys WHERE created_at < statement_timestamp() - make_interval(hours => :hours)
        ORDER BY created_at LIMIT :at_most))
""")
_FORGET_EVENTS = text("""
DELETE FROM seat_events WHERE ctid = ANY(ARRAY(
       SELECT ctid FROM seat_events WHERE at < statement_timestamp() - make_interval(hours => :hours)
        ORDER BY at LIMIT :at_most))
""")


_FORGET_ADDRESSES = text("""
DELETE FROM anonymous_holds a USING reservations r
 WHERE r.screening_id = a.screening_id AND r.id = a.reservation_id AND r.status NOT IN ('held', 'paying')
""")


async def forget_addresses(connection: AsyncConnection) -> None:
    """Delete from where holds were made that have ended."""
    await connection.execute(_FORGET_ADDRESSES)


async def run_out(connection: AsyncConnection, at_most: int) -> list[tuple[int, UUID]]:
    """Screening and id of at most `at_most` holds that have run out and are not expired yet, the oldest end first."""
    return [(screening_id, each) for screening_id, each in await connection.execute(_RUN_OUT, {"at_most": at_most})]


async def seconds_to_next_end(connection: AsyncConnection) -> float | None:
    """The seconds until the next hold ends; None if there is no hold."""
    seconds: float | None = await connection.scalar(_NEXT_END)
    return seconds


async def forget_keys(connection: AsyncConnection, hours: int) -> int:
    """Delete idempotency keys that are older than these hours, and return how many."""
    return await _in_portions(connection, _FORGET_KEYS, hours)


async def forget_events(connection: AsyncConnection, hours: int) -> int:
    """Delete events that are older than these hours, and return how many."""
    return await _in_portions(connection, _FORGET_EVENTS, hours)


async def _in_portions(connection: AsyncConnection, statement: TextClause, hours: int) -> int:
    """Stops after the first portion that is not full: rows that become too old meanwhile are left for the next time."""
    count = 0
    while True:
        deleted = (await connection.execute(statement, {"hours": hours, "at_most": PORTION})).rowcount
        count += deleted
        if deleted < PORTION:
            return count
