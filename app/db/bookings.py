"""Bookings as they are read: one, mine, everybody's, and the rows that a batch reads."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns, maker
from app.domain.bookings import Booking, BookingStatus, Paid
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
    payment_reference: str
    created_at: datetime
    cancelled_at: datetime | None
    version: int
    seats: Sequence[tuple[Any, ...]]
    payment_provider: str
    paid_minor: int
    refunded_minor: int
    refunding_minor: int


_SEATS = f"""
ARRAY(SELECT ROW({columns(BookingSeatRow, "s")})::usher_seat FROM booking_seats s
       WHERE s.screening_id = {{screening}} AND s.booking_id = b.id ORDER BY s.seat_id)
"""  # noqa: S608 - our own names


_REFUNDS = """
(SELECT coalesce(sum(f.amount_minor), 0)::bigint FROM refunds f
  WHERE f.screening_id = {screening} AND f.booking_id = b.id AND f.done_at IS {done} NULL)
"""


def _columns(screening: str, seats_as: str = "") -> str:
    return columns(
        BookingRow,
        "b",
        seats=_SEATS.format(screening=screening) + seats_as,
        refunded_minor=_REFUNDS.format(screening=screening, done="NOT") + (seats_as and " AS refunded_minor"),
        refunding_minor=_REFUNDS.format(screening=screening, done="") + (seats_as and " AS refunding_minor"),
    )


def row_of(screening: str) -> str:
    """A row of BookingRow as one value, from `bookings b`. `screening`: how the seats' screening is named."""
    return f"ROW({_columns(screening)})::usher_booking"


booking_row = maker(BookingRow)
_seat = maker(BookingSeatRow)

_BOOKINGS = f"SELECT {_columns('b.screening_id', ' AS seats')} FROM bookings b WHERE true"  # noqa: S608
_ONE = text(f"""
SELECT {_columns("CAST(:screening_id AS bigint)", " AS seats")} FROM bookings b
 WHERE b.screening_id = CAST(:screening_id AS bigint) AND b.id = :booking_id
""")  # noqa: S608
# What a cancelled booking had until it was cancelled counts, what was cancelled before that does not.
_WITH_SEAT = """
EXISTS (SELECT FROM booking_seats w
         WHERE w.screening_id = b.screening_id AND w.booking_id = b.id
           AND w.cancelled_at IS NOT DISTINCT FROM b.cancelled_at AND w.seat_id = ANY({}))
"""
_OF_USERS = "b.user_id = ANY({})"
# Asked first: bookings may be on other nodes than users and seats.
_USERS_WITH_EMAIL = text("SELECT id FROM users WHERE lower(email) = lower(:email)")
_SEATS_WITH_LABEL = text("SELECT id FROM seats WHERE label = :label")
_ITS_SEATS_WITH_LABEL = text("""
    SELECT id FROM seats
     WHERE theater_id = (SELECT theater_id FROM screenings WHERE id = CAST(:screening_id AS bigint)) AND label = :label
""")
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
        payment=Paid(
            row.payment_provider,
            row.payment_reference,
            Money(row.paid_minor, seats[0].currency),
            row.refunded_minor,
            row.refunding_minor,
        ),
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
        version=row.version,
        left={seat.seat_id: Money(seat.amount_minor, seat.currency) for seat in left},
    )


_REASONS = text("""
SELECT b.id, b.cancel_reason FROM bookings b
 WHERE b.screening_id = ANY(CAST(:screening_ids AS bigint[])) AND b.id = ANY(CAST(:ids AS uuid[]))
   AND b.cancel_reason IS NOT NULL
""")
_FORGET_REASONS = text("""
UPDATE bookings SET cancel_reason = NULL WHERE user_id = :user_id AND cancel_reason IS NOT NULL
""")


async def one(connection: AsyncConnection, booking_id: UUID, user_id: int | None) -> tuple[Booking, int] | None:
    """A booking and its screening. With `user_id`, only if it is that user's."""
    found = await _find(connection, {"b.id = {}": booking_id, "b.user_id = {}": user_id}, at_most=1)
    return found[0] if found else None


async def some(connection: AsyncConnection, booking_ids: Collection[UUID]) -> dict[UUID, Booking]:
    """Bookings by their ids."""
    if not booking_ids:
        return {}
    found = await _find(connection, {"b.id = ANY({})": list(booking_ids)}, at_most=len(booking_ids))
    return {booking.id: booking for booking, _ in found}


async def of_screening(connection: AsyncConnection, screening_id: int, booking_id: UUID) -> Booking:
    """A booking of this screening, which it has."""
    given = {"screening_id": screening_id, "booking_id": booking_id}
    return booking_of((await connection.execute(_ONE, given)).one())


async def of_email(connection: AsyncConnection, booking_id: UUID, email: str) -> tuple[Booking, int] | None:
    """A booking and its screening, if it is of somebody with this email."""
    users = await _users_with(connection, email)
    found = await _find(connection, {"b.id = {}": booking_id, _OF_USERS: users}, at_most=1)
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
        _WITH_SEAT: None if seat is None else await _seats_with(connection, seat, screening_id),
        _OF_USERS: None if email is None else await _users_with(connection, email),
        "b.id < {}": before,
    }
    return await _find(connection, wanted, at_most)


async def reasons(connection: AsyncConnection, found: Sequence[tuple[Booking, int]]) -> dict[UUID, str]:
    """Why those of these bookings were cancelled of which somebody has said it."""
    cancelled = [each for each in found if each[0].status is BookingStatus.CANCELLED]
    if not cancelled:
        return {}
    given = {"screening_ids": sorted({each for _, each in cancelled}), "ids": [booking.id for booking, _ in cancelled]}
    return {row.id: row.cancel_reason for row in await connection.execute(_REASONS, given)}


async def forget_reasons(connection: AsyncConnection, user_id: int) -> None:
    """Nobody knows any more why bookings of this user were cancelled: they may have said something about themselves."""
    await connection.execute(_FORGET_REASONS, {"user_id": user_id})


async def _users_with(connection: AsyncConnection, email: str) -> list[int]:
    return list(await connection.scalars(_USERS_WITH_EMAIL, {"email": email}))


async def _seats_with(connection: AsyncConnection, label: str, screening_id: int | None) -> list[int]:
    """The seats that have, or had, this label: in every theater, or in that of the screening."""
    if screening_id is None:
        return list(await connection.scalars(_SEATS_WITH_LABEL, {"label": label}))
    return list(await connection.scalars(_ITS_SEATS_WITH_LABEL, {"screening_id": screening_id, "label": label}))


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
