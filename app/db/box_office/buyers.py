"""What limits count. It is only read if a screening has such a limit: which users are one buyer, and what they have."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.db.connections import OfficeConnection
from app.db.people.emails import SAME_BUYERS
from app.db.rows import columns, maker
from app.domain.reservations import PAYING_MARGIN

# Whoever counts buyers locks them, in the order of their ids, so that two screenings, each under its own lock, cannot
# both find the last place free.
_BUYERS = SAME_BUYERS.format(ids="$1::bigint[]")
_LOCK = """
SELECT id, is_guest AND email IS NULL AS is_nameless FROM users
 WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""


class BuyersHold(NamedTuple):
    """A hold of a buyer, run out or not. While it is being paid for, `expires_at` is far off."""

    user_id: int
    id: UUID
    expires_at: datetime
    is_paying: bool


class BuyersBooking(NamedTuple):
    """A confirmed booking of a buyer."""

    user_id: int
    id: UUID
    created_at: datetime


_ENDS = f"CASE r.status WHEN 'paying' THEN r.expires_at + interval '{PAYING_MARGIN.days} days' ELSE r.expires_at END"
_HOLDS = f"""
SELECT {columns(BuyersHold, "r", expires_at=_ENDS, is_paying="r.status = 'paying'")} FROM reservations r
 WHERE r.user_id = ANY($1::bigint[]) AND r.status IN ('held', 'paying')
"""  # noqa: S608 - our own names
# A day of any time zone is over within two of ours.
_BOOKINGS = f"""
SELECT {columns(BuyersBooking, "b")} FROM bookings b
 WHERE b.user_id = ANY($1::bigint[]) AND b.status = 'confirmed' AND b.created_at > clock_timestamp() - interval '2 days'
"""  # noqa: S608


class Buyers(NamedTuple):
    """For each user who asks, all users who are the same buyer; and which of them are guests without an email."""

    same: dict[int, frozenset[int]]
    nameless: frozenset[int]


async def lock_buyers(connection: OfficeConnection, user_ids: Collection[int]) -> Buyers:
    """Who these users are one buyer with. Nobody else counts them until the transaction ends."""
    members: dict[int, set[int]] = {user_id: set() for user_id in user_ids}
    for user_id, member_id in await connection.fetch(_BUYERS, list(user_ids)):
        members[user_id].add(member_id)
    rows = await connection.fetch(_LOCK, sorted({member for group in members.values() for member in group}))
    named = {user_id for user_id, is_nameless in rows if not is_nameless}
    return Buyers(
        {user_id: frozenset(group) for user_id, group in members.items()}, frozenset(user_ids).difference(named)
    )


async def holds_of(connection: OfficeConnection, user_ids: Collection[int]) -> list[BuyersHold]:
    """All holds of these users."""
    return list(map(maker(BuyersHold), await connection.fetch(_HOLDS, list(user_ids))))


async def bookings_of(connection: OfficeConnection, user_ids: Collection[int]) -> list[BuyersBooking]:
    """The confirmed bookings of these users, of the last two days."""
    return list(map(maker(BuyersBooking), await connection.fetch(_BOOKINGS, list(user_ids))))
