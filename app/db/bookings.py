"""Bookings as they are read: one, mine, everybody's, and the rows that a batch reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns, maker
from app.domain.bookings import Booking, BookingStatus, Payment, PaymentStatus
from app.domain.money import Money


class BookingSeatRow(NamedTuple):
    """A seat of a booking, at its price; `cancelled_at`: until when it was one, or its booking was."""

    seat_id: int
    amount_minor: int
    currency: str
    cancelled_at: datetime | None


class BookingRow(NamedTuple):
    """What is read of a booking. The `seats` come as tuples, in the order of BookingSeatRow."""

    screening_id: int
    id: UUID
    user_id: int
    reservation_id: UUID | None
    status: str
    payment_status: str
    payment_reference: str
    created_at: datetime
    cancelled_at: datetime | None
    version: int
    seats: Sequence[tuple[Any, ...]]


_SEATS = f"""
ARRAY(SELECT ROW({columns(BookingSeatRow, "s")}) FROM booking_seats s
       WHERE s.screening_id = b.screening_id AND s.booking_id = b.id ORDER BY s.seat_id)
"""  # noqa: S608 - our own names
COLUMNS = columns(BookingRow, "b", seats=_SEATS)
"""Those of BookingRow, from `bookings b`."""

booking_row = maker(BookingRow)
_seat = maker(BookingSeatRow)

_BOOKINGS = f"SELECT {columns(BookingRow, 'b', seats=f'{_SEATS} AS seats')} FROM bookings b WHERE true"  # noqa: S608
# What a cancelled booking had until it was cancelled counts, what was cancelled before that does not.
_WITH_SEAT = """
EXISTS (SELECT FROM booking_seats w JOIN seats t ON t.id = w.seat_id
         WHERE w.screening_id = b.screening_id AND w.booking_id = b.id
           AND w.cancelled_at IS NOT DISTINCT FROM b.cancelled_at AND t.label = {})
"""
_OF_EMAIL = "b.user_id = ANY(ARRAY(SELECT u.id FROM users u WHERE lower(u.email) = lower({})))"
_NEWEST_FIRST = " ORDER BY b.id DESC LIMIT :at_most"


def booking_of(row: BookingRow | Row[Any]) -> Booking:
    """A booking, from its row."""
    seats = list(map(_seat, row.seats))
    # The seats that a cancelled booking still had ended together with it.
    its_own = [seat for seat in seats if seat.cancelled_at == row.cancelled_at]
    left = [seat for seat in seats if seat.cancelled_at != row.cancelled_at]
    return Booking(
        id=row.id,
        user_id=row.user_id,
        reservation_id=row.reservation_id,
        status=BookingStatus(row.status),
        prices={seat.seat_id: Money(seat.amount_minor, seat.currency) for seat in its_own},
        payment=Payment(PaymentStatus(row.payment_status), row.payment_reference),
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
        version=row.version,
        left={seat.seat_id: Money(seat.amount_minor, seat.currency) for seat in left},
    )


async def one(connection: AsyncConnection, booking_id: UUID, user_id: int | None) -> tuple[Booking, int] | None:
    """A booking and its screening. With `user_id`, only if it is that user's."""
    found = await _find(connection, {"b.id = {}": booking_id, "b.user_id = {}": user_id}, at_most=1)
    return found[0] if found else None


async def of_email(connection: AsyncConnection, booking_id: UUID, email: str) -> tuple[Booking, int] | None:
    """A booking and its screening, if it is of somebody with this email."""
    found = await _find(connection, {"b.id = {}": booking_id, _OF_EMAIL: email}, at_most=1)
    return found[0] if found else None


async def newest(
    connection: AsyncConnection,
    *,
    user_id: int | None,
    status: BookingStatus | None,
    screening_id: int | None,
    seat: str | None,
    email: str | None,
    before: UUID | None,
    at_most: int,
) -> list[tuple[Booking, int]]:
    """Bookings and their screenings, newest first.

    Of a user, a status, a screening, with the seat of this label, of somebody with this email, older than `before`;
    None: any.
    """
    wanted: dict[str, object] = {
        "b.user_id = {}": user_id,
        "b.status = {}": status.value if status else None,
        "b.screening_id = {}": screening_id,
        _WITH_SEAT: seat,
        _OF_EMAIL: email,
        "b.id < {}": before,
    }
    return await _find(connection, wanted, at_most)


async def _find(connection: AsyncConnection, wanted: dict[str, object], at_most: int) -> list[tuple[Booking, int]]:
    """Each condition that has a value is asked, and only those: PostgreSQL then plans for just this question."""
    query = _BOOKINGS
    given: dict[str, object] = {"at_most": at_most}
    for number, (condition, value) in enumerate(wanted.items()):
        if value is not None:
            query += " AND " + condition.format(f":value_{number}")
            given[f"value_{number}"] = value
    rows = await connection.execute(text(query + _NEWEST_FIRST), given)
    return [(booking_of(row), row.screening_id) for row in rows]
