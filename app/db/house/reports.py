"""What an organizer's report of a screening is made from: what stands on its seats, what was sold, and its entries.

Each is asked in one transaction that sees one moment (REPEATABLE READ): the parts of a report add up.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_CLAIMS = text("""
SELECT c.seat_id, c.status FROM seat_claims c
 WHERE c.screening_id = :screening_id AND (c.expires_at IS NULL OR c.expires_at > now())
""")

_SOLD = text("""
SELECT s.seat_id, s.amount_minor, s.currency, b.created_at, b.id AS booking_id, b.user_id, b.status,
       s.cancelled_at, b.payment_reference, b.cancel_reason
  FROM booking_seats s JOIN bookings b ON b.screening_id = :screening_id AND b.id = s.booking_id
 WHERE s.screening_id = :screening_id ORDER BY b.id, s.seat_id
""")

_ENTRIES = text("""
SELECT coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = 'capture'), 0)::bigint AS taken,
       coalesce(sum(CASE e.kind WHEN 'refund' THEN e.amount_minor WHEN 'fail' THEN -e.amount_minor END)
                    FILTER (WHERE e.cause IS NOT NULL), 0)::bigint AS given_back
  FROM payment_entries e WHERE e.screening_id = :screening_id
""")

_IN_PORTIONS: Final = {"yield_per": 2_000}
"""Tens of thousands of rows at once would keep the event loop: so many are read in milliseconds."""


class Sold(NamedTuple):
    """A seat of a booking, with its price. `cancelled_at`: since when it is in the booking no more."""

    seat_id: int
    amount_minor: int
    currency: str
    booked_at: datetime
    booking_id: UUID
    user_id: int
    status: str
    cancelled_at: datetime | None
    payment_reference: str
    cancel_reason: str | None


async def statuses(connection: AsyncConnection, screening_id: int) -> dict[int, str]:
    """What stands on the seats that are not free, by their ids: `held`, `booked` or `blocked`."""
    found: dict[int, str] = {}
    async with connection.stream(_CLAIMS, {"screening_id": screening_id}, execution_options=_IN_PORTIONS) as rows:
        async for portion in rows.partitions():
            found.update((row.seat_id, row.status) for row in portion)
    return found


async def sold(connection: AsyncConnection, screening_id: int) -> Sequence[Sold]:
    """Every seat that was ever booked, the oldest booking first."""
    found: list[Sold] = []
    async with connection.stream(_SOLD, {"screening_id": screening_id}, execution_options=_IN_PORTIONS) as rows:
        async for portion in rows.partitions():
            found += map(Sold._make, portion)
    return found


async def taken_and_given_back(connection: AsyncConnection, screening_id: int) -> tuple[int, int]:
    """The sums of all captures, and of all refunds but those that came to nothing, in minor units."""
    row = (await connection.execute(_ENTRIES, {"screening_id": screening_id})).one()
    return row.taken, row.given_back
