"""Reads reservations: one, or a page of one user's. It also has the columns that a batch reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.money import Money
from app.domain.reservations import Reservation, ReservationStatus

COLUMNS = """
r.screening_id, r.id, r.user_id, r.status, r.created_at, r.first_held_at, r.expires_at, r.booking_id, r.version
"""
SEATS = """
ARRAY(SELECT ROW(s.seat_id, s.amount_minor, s.currency, s.released_at) FROM reservation_seats s
       WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id ORDER BY s.seat_id)
"""

_MINE = f"SELECT {COLUMNS}, {SEATS} AS seats, clock_timestamp() AS now FROM reservations r WHERE r.user_id = :user_id"  # noqa: S608 - our own names
_ONE_OF_MINE = text(_MINE + " AND r.id = :id")

# A hold that ran out reads expired at that very moment, swept or not.
_STATUS_NOW = """
CASE WHEN r.status IN ('held', 'paying') AND r.expires_at <= clock_timestamp() THEN 'expired' ELSE r.status END
"""
_NEWEST_FIRST = " ORDER BY r.id DESC LIMIT :at_most"
_WITH_SEAT = text("""
SELECT r.id FROM reservations r
  JOIN reservation_seats s ON s.screening_id = r.screening_id AND s.reservation_id = r.id
 WHERE r.user_id = :user_id AND s.seat_id = :seat_id AND s.released_at IS NULL AND r.status <> 'released'
 ORDER BY r.id DESC LIMIT 1
""")
_SCREENING = text("SELECT screening_id FROM reservations WHERE user_id = :user_id AND id = :id")

_SCREENINGS_WITH_HOLDS = text("""
    SELECT DISTINCT screening_id FROM reservations
     WHERE user_id = :user_id AND status IN ('held', 'paying') ORDER BY screening_id
""")


def reservation_of(row: Sequence[Any]) -> Reservation:
    """A reservation from a row with `COLUMNS` and `SEATS`."""
    _, reservation_id, user_id, status, created_at, first_held_at, expires_at, booking_id, version, seats = row
    return Reservation(
        id=reservation_id,
        user_id=user_id,
        status=ReservationStatus(status),
        prices={seat_id: Money(amount, currency) for seat_id, amount, currency, left_at in seats if left_at is None},
        created_at=created_at,
        first_held_at=first_held_at,
        expires_at=expires_at,
        booking_id=booking_id,
        version=version,
        left={seat_id: Money(amount, currency) for seat_id, amount, currency, left_at in seats if left_at is not None},
    )


async def one_of(
    connection: AsyncConnection, user_id: int, reservation_id: UUID
) -> tuple[Reservation, int, datetime] | None:
    """A reservation of this user, the id of its screening, and PostgreSQL's time (UTC); None if it is not theirs."""
    row = (await connection.execute(_ONE_OF_MINE, {"user_id": user_id, "id": reservation_id})).one_or_none()
    return None if row is None else (reservation_of(row[:10]), row.screening_id, row.now)


async def all_of(
    connection: AsyncConnection,
    user_id: int,
    *,
    status: ReservationStatus | None,
    screening_id: int | None,
    before: UUID | None,
    at_most: int,
) -> list[tuple[Reservation, int, datetime]]:
    """At most `at_most` reservations of this user, each with its screening and PostgreSQL's time, newest first.

    Only those with this status now, of this screening, and older than the reservation `before`; None is no condition.
    """
    wanted: dict[str, object] = {"user_id": user_id, "at_most": at_most}
    query = _MINE
    if status is not None:
        query += f" AND {_STATUS_NOW} = :status"
        wanted["status"] = status.value
    if screening_id is not None:
        query += " AND r.screening_id = :screening_id"
        wanted["screening_id"] = screening_id
    if before is not None:
        query += " AND r.id < :before"
        wanted["before"] = before
    rows = await connection.execute(text(query + _NEWEST_FIRST), wanted)
    return [(reservation_of(row[:10]), row.screening_id, row.now) for row in rows]


async def screening_of(connection: AsyncConnection, user_id: int, reservation_id: UUID) -> int | None:
    """The screening of this user's reservation; None if they have no such reservation."""
    found: int | None = await connection.scalar(_SCREENING, {"user_id": user_id, "id": reservation_id})
    return found


async def newest_with_seat(connection: AsyncConnection, user_id: int, seat_id: int) -> UUID | None:
    """This user's newest reservation with this seat, unless it was given back; None if there is none."""
    found: UUID | None = await connection.scalar(_WITH_SEAT, {"user_id": user_id, "seat_id": seat_id})
    return found


async def screenings_with_holds(connection: AsyncConnection, user_id: int) -> list[int]:
    """The screenings in which this user holds seats."""
    return list(await connection.scalars(_SCREENINGS_WITH_HOLDS, {"user_id": user_id}))
