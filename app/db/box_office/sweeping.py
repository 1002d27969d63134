"""The sweeper's questions: which holds end soon, who asks that, and which rows are too old to keep."""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PORTION: Final = 10_000
"""How many rows one statement deletes at most, but for those of one moment: none runs long, and no lock is held long.
"""

# statement_timestamp() stands still while a statement runs, so that an index can find what is older; clock_timestamp()
# does not, and every row is read (*measured*: of a million keys, again for each portion).
_ENDING = """
SELECT screening_id, id,
       CAST(extract(epoch FROM expires_at - statement_timestamp()) AS double precision) AS seconds FROM reservations
 WHERE {of_it} AND status = 'held'
   AND expires_at <= statement_timestamp() + make_interval(secs => :seconds)
 ORDER BY expires_at LIMIT :at_most
"""
_ENDING_ANYWHERE = text(_ENDING.format(of_it="screening_id <> ALL(CAST(:but AS bigint[]))"))
_ENDING_THERE = text(_ENDING.format(of_it="screening_id = CAST(:screening_id AS bigint)"))
_TAKE_LEASE = text("""
UPDATE sweeper_lease SET holder = :holder, until = statement_timestamp() + make_interval(secs => :seconds)
 WHERE holder = :holder OR until <= statement_timestamp() RETURNING true
""")
_GIVE_UP_LEASE = text("UPDATE sweeper_lease SET until = '-infinity' WHERE holder = :holder")

# Rows go by their age and not by where they lie, because they may lie on several nodes: a portion is what is no younger
# than the last row of it.
_LIMIT = text("SELECT statement_timestamp() - make_interval(hours => :hours)")
_LAST_OF_PORTION = "SELECT {at} FROM {table} WHERE {at} < :limit ORDER BY {at} OFFSET :others LIMIT 1"
_UP_TO = "DELETE FROM {table} WHERE {at} <= :moment"
_BEFORE = "DELETE FROM {table} WHERE {at} < :moment"


_FORGET_ADDRESSES = text("""
DELETE FROM anonymous_holds a USING reservations r
 WHERE r.screening_id = a.screening_id AND r.id = a.reservation_id AND r.status NOT IN ('held', 'paying')
""")


async def forget_addresses(connection: AsyncConnection) -> None:
    """Delete from where holds were made that have ended."""
    await connection.execute(_FORGET_ADDRESSES)


class Ending(NamedTuple):
    """A hold that ends in so many seconds, or ended before, and is not expired yet."""

    screening_id: int
    id: UUID
    seconds: float


async def ending(connection: AsyncConnection, seconds: float, at_most: int, but: Collection[int] = ()) -> list[Ending]:
    """At most `at_most` holds that end within `seconds`, the soonest first; none of the screenings `but`.

    This asks every node, and fails if one of them is away.
    """
    given = {"seconds": seconds, "at_most": at_most, "but": list(but)}
    return [Ending(*row) for row in await connection.execute(_ENDING_ANYWHERE, given)]


async def ending_in(connection: AsyncConnection, screening_id: int, seconds: float, at_most: int) -> list[Ending]:
    """As `ending`, in one screening."""
    given = {"screening_id": screening_id, "seconds": seconds, "at_most": at_most}
    return [Ending(*row) for row in await connection.execute(_ENDING_THERE, given)]


async def take_lease(connection: AsyncConnection, holder: UUID, seconds: float) -> bool:
    """Whether this process is the one that asks for the whole installation, for so many seconds from now."""
    return (await connection.execute(_TAKE_LEASE, {"holder": holder, "seconds": seconds})).first() is not None


async def give_up_lease(connection: AsyncConnection, holder: UUID) -> None:
    """Another process may ask from now on."""
    await connection.execute(_GIVE_UP_LEASE, {"holder": holder})


async def forget_keys(connection: AsyncConnection, hours: int) -> int:
    """Delete idempotency keys that are older than these hours, and return how many."""
    return await _in_portions(connection, "idempotency_keys", "created_at", hours)


async def forget_events(connection: AsyncConnection, hours: int) -> int:
    """Delete events that are older than these hours, and return how many."""
    return await _in_portions(connection, "seat_events", "at", hours)


async def _in_portions(connection: AsyncConnection, table: str, at: str, hours: int) -> int:
    """Rows that become too old meanwhile are left for the next time."""
    last, up_to, before = (text(each.format(table=table, at=at)) for each in (_LAST_OF_PORTION, _UP_TO, _BEFORE))
    limit = await connection.scalar(_LIMIT, {"hours": hours})
    count = 0
    while moment := await connection.scalar(last, {"limit": limit, "others": PORTION - 1}):
        count += (await connection.execute(up_to, {"moment": moment})).rowcount
    return count + (await connection.execute(before, {"moment": limit})).rowcount
