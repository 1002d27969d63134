"""What limits count, read only where a screening has such a limit: who is one buyer, and what they have everywhere."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from app.db.connections import OfficeConnection

# A guest is one buyer with all guests of the same email. Whoever counts them locks them, in the order of their ids, so
# that two screenings, each under its own lock, cannot both find the last place free.
_BUYERS = """
SELECT asked.id AS user_id, same.id AS member_id
  FROM users asked JOIN users same
    ON same.id = asked.id OR (asked.is_guest AND same.is_guest AND lower(same.email) = lower(asked.email))
 WHERE asked.id = ANY($1::bigint[])
"""
_LOCK = "SELECT id FROM users WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"

_HOLDS = """
SELECT user_id, id, expires_at FROM reservations WHERE user_id = ANY($1::bigint[]) AND status IN ('held', 'paying')
"""
# A day of any time zone is over within two of ours.
_BOOKINGS = """
SELECT user_id, id, created_at FROM bookings
 WHERE user_id = ANY($1::bigint[]) AND status = 'confirmed' AND created_at > clock_timestamp() - interval '2 days'
"""


async def lock_buyers(connection: OfficeConnection, user_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """For each of these users, all who are the same buyer; nobody else counts them until the transaction ends."""
    members: dict[int, set[int]] = {user_id: {user_id} for user_id in user_ids}
    for user_id, member_id in await connection.fetch(_BUYERS, list(user_ids)):
        members[user_id].add(member_id)
    await connection.fetch(_LOCK, sorted({member for group in members.values() for member in group}))
    return {user_id: frozenset(group) for user_id, group in members.items()}


async def holds_of(connection: OfficeConnection, user_ids: Collection[int]) -> list[tuple[int, UUID, datetime]]:
    """User, id and end of each of their holds, run out or not."""
    return [(row[0], row[1], row[2]) for row in await connection.fetch(_HOLDS, list(user_ids))]


async def bookings_of(connection: OfficeConnection, user_ids: Collection[int]) -> list[tuple[int, UUID, datetime]]:
    """User, id and time of each of their standing bookings of the last two days."""
    return [(row[0], row[1], row[2]) for row in await connection.fetch(_BOOKINGS, list(user_ids))]
