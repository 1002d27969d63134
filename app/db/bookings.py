"""Reads bookings: one, or a page of one user's or everybody's. It also has the columns that a batch reads."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.bookings import Booking, BookingStatus, Payment, PaymentStatus
from app.domain.money import Money

COLUMNS = """
b.screening_id, b.id, b.user_id, b.reservation_id, b.status, b.payment_status, b.payment_reference, b.created_at,
b.cancelled_at, b.version
"""
SEATS = """
ARRAY(SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.cancelled_at) FROM booking_seats s
       WHERE s.screening_id = b.screening_id AND s.booking_id = b.id ORDER BY s.seat_id)
"""

_BOOKINGS = f"SELECT {COLUMNS}, {SEATS} AS seats FROM bookings b WHERE true"  # noqa: S608 - our own names
_NEWEST_FIRST = " ORDER BY b.id DESC LIMIT :at_most"


def booking_of(row: Sequence[Any]) -> Booking:
    """A booking from a row with `COLUMNS` and `SEATS`."""
    _, booking_id, user_id, reservation_id, status, payment_status, reference, created_at, cancelled_at = row[:9]
    version, seats = row[9:11]
    # The seats that a cancelled booking still had ended together with it.
    live = {seat_id: Money(amount, currency) for seat_id, amount, currency, end in seats if end == cancelled_at}
    return Booking(
        id=booking_id,
        user_id=user_id,
        reservation_id=reservation_id,
        status=BookingStatus(status),
        prices=live,
        payment=Payment(PaymentStatus(payment_status), reference),
        created_at=created_at,
        cancelled_at=cancelled_at,
        version=version,
        left={seat_id: Money(amount, currency) for seat_id, amount, currency, end in seats if end != cancelled_at},
    )


async def one(connection: AsyncConnection, booking_id: UUID, user_id: int | None) -> tuple[Booking, int] | None:
    """A booking and the id of its screening; None if it does not exist or, with `user_id`, belongs to another user."""
    found = await _find(connection, {"b.id =": booking_id, "b.user_id =": user_id}, at_most=1)
    return found[0] if found else None


async def newest(
    connection: AsyncConnection,
    *,
    user_id: int | None,
    status: BookingStatus | None,
    screening_id: int | None,
    before: UUID | None,
    at_most: int,
) -> list[tuple[Booking, int]]:
    """At most `at_most` bookings with the ids of their screenings, newest first.

    Only those of this user, status and screening, and older than the booking `before`; None is no condition.
    """
    wanted: dict[str, object] = {
        "b.user_id =": user_id,
        "b.status =": status.value if status else None,
        "b.screening_id =": screening_id,
        "b.id <": before,
    }
    return await _find(connection, wanted, at_most)


async def _find(connection: AsyncConnection, wanted: dict[str, object], at_most: int) -> list[tuple[Booking, int]]:
    """Only conditions that have a value are in the SQL, so that PostgreSQL makes a plan for just this question."""
    query = _BOOKINGS
    given: dict[str, object] = {"at_most": at_most}
    for number, (condition, value) in enumerate(wanted.items()):
        if value is not None:
            query += f" AND {condition} :value_{number}"
            given[f"value_{number}"] = value
    rows = await connection.execute(text(query + _NEWEST_FIRST), given)
    return [(booking_of(row), row.screening_id) for row in rows]
