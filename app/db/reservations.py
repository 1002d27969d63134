"""Reservations as they are read: one, mine, everybody's, and the rows that a batch reads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns, maker
from app.db.screenings import Defaults
from app.domain.money import Money
from app.domain.refusals import Candidate
from app.domain.reservations import Reservation, ReservationStatus


class ReservationSeatRow(NamedTuple):
    """A seat that a reservation has, at its price; `released_at`: it had it until then."""

    seat_id: int
    amount_minor: int
    currency: str
    released_at: datetime | None


class ReservationRow(NamedTuple):
    """What is read of a reservation. The `seats` come as tuples, in the order of ReservationSeatRow."""

    screening_id: int
    id: UUID
    user_id: int
    status: str
    created_at: datetime
    first_held_at: datetime
    expires_at: datetime
    booking_id: UUID | None
    version: int
    seats: Sequence[tuple[Any, ...]]


class WithSeat(NamedTuple):
    """A reservation of a seat: whether it is held now, or ran out and may be taken again; whether it is for a screening
    to come.
    """

    id: UUID
    screening: Candidate
    is_held: bool
    may_be_taken_again: bool
    is_to_come: bool


_SEATS = f"""
ARRAY(SELECT ROW({columns(ReservationSeatRow, "s")})::usher_seat FROM reservation_seats s
       WHERE s.screening_id = {{screening}} AND s.reservation_id = r.id ORDER BY s.seat_id)
"""  # noqa: S608 - our own names


def row_of(screening: str) -> str:
    """A row of ReservationRow as one value, from `reservations r`. `screening`: how the seats' screening is named."""
    return f"ROW({columns(ReservationRow, 'r', seats=_SEATS.format(screening=screening))})::usher_reservation"


reservation_row = maker(ReservationRow)
_seat = maker(ReservationSeatRow)


def _listed(screening: str) -> str:
    seats = f"{_SEATS.format(screening=screening)} AS seats"
    listed = columns(ReservationRow, "r", seats=seats)
    return f"SELECT {listed}, clock_timestamp() AS now FROM reservations r WHERE true"  # noqa: S608


_RESERVATIONS = _listed("r.screening_id")
_ONE_OF_MINE = text(_RESERVATIONS + " AND r.user_id = :user_id AND r.id = :id")
_ONE_OF_ANYBODY = text(_listed(":screening_id") + " AND r.screening_id = :screening_id AND r.id = :id")

# A hold that ran out reads expired at that very moment, swept or not.
_OF_STATUS_NOW = {
    ReservationStatus.EXPIRED: (
        "(r.status = 'expired' OR r.status = 'held' AND r.expires_at <= statement_timestamp())"
    ),
    ReservationStatus.HELD: "r.status = 'held' AND r.expires_at > statement_timestamp()",
    ReservationStatus.PAYING: "r.status = 'paying'",
    ReservationStatus.BOOKED: "r.status = 'booked'",
    ReservationStatus.RELEASED: "r.status = 'released'",
}
_NEWEST_FIRST = " ORDER BY r.id DESC LIMIT :at_most"
# The newest of each screening; whether it may be taken again is told by its status, its end, and who has its seats.
# `{its}` is how the screening is named: as that of the reservation, or, if it is known, as a parameter in every table.
_WITH_SEAT = """
SELECT DISTINCT ON (r.screening_id) r.id, r.screening_id, c.starts_at,
       r.status = 'paying' OR r.status = 'held' AND r.expires_at > statement_timestamp() AS is_held,
       r.status IN ('held', 'paying', 'expired') AND c.cancelled_at IS NULL
           AND (c.sales_open_at IS NULL OR c.sales_open_at <= statement_timestamp())
           AND coalesce(c.sales_close_at, c.starts_at) > statement_timestamp()
           AND r.expires_at + make_interval(secs => greatest(
               coalesce(c.max_hold_seconds, :max_hold_seconds), coalesce(c.hold_seconds, :hold_seconds)))
               >= statement_timestamp()
           AND NOT EXISTS (
               SELECT FROM reservation_seats o
                 JOIN seat_claims t ON t.screening_id = {its} AND t.seat_id = o.seat_id
                WHERE o.screening_id = {its} AND o.reservation_id = r.id AND o.released_at IS NULL
                  AND (t.expires_at IS NULL OR t.expires_at > statement_timestamp())
                  AND NOT (t.status = 'held' AND t.user_id = r.user_id)) AS may_be_taken_again,
       c.starts_at > statement_timestamp() AS is_to_come
  FROM reservations r
  JOIN reservation_seats s ON s.screening_id = {its} AND s.reservation_id = r.id
  JOIN screening_states c ON c.screening_id = {its}
 WHERE r.screening_id = {its} AND r.user_id = :user_id AND s.seat_id = :seat_id AND s.released_at IS NULL
   AND r.status <> 'released'
 ORDER BY r.screening_id, is_held DESC, r.id DESC
"""
_WITH_SEAT_ANYWHERE = text(_WITH_SEAT.format(its="r.screening_id"))
_WITH_SEAT_THERE = text(_WITH_SEAT.format(its="CAST(:screening_id AS bigint)"))
_TITLES = text("SELECT id, title FROM screenings WHERE id = ANY(CAST(:ids AS bigint[]))")

_SCREENING = text("SELECT screening_id FROM reservations WHERE user_id = :user_id AND id = :id")
# One index probe a screening: an index by id alone would cost every hold something, and only staff asks like this.
_SCREENINGS = text("SELECT id FROM screenings")
_SCREENING_OF_ANYBODYS = text("""
    SELECT screening_id FROM reservations
     WHERE screening_id = ANY(CAST(:screening_ids AS bigint[])) AND id = :id LIMIT 1
""")

_SCREENINGS_WITH_HOLDS = text("""
    SELECT DISTINCT screening_id FROM reservations
     WHERE user_id = :user_id AND status IN ('held', 'paying') ORDER BY screening_id
""")


def reservation_of(row: ReservationRow | Row[Any]) -> Reservation:
    """A reservation, from its row."""
    seats = list(map(_seat, row.seats))
    return Reservation(
        id=row.id,
        user_id=row.user_id,
        status=ReservationStatus(row.status),
        prices={seat.seat_id: Money(seat.amount_minor, seat.currency) for seat in seats if seat.released_at is None},
        created_at=row.created_at,
        first_held_at=row.first_held_at,
        expires_at=row.expires_at,
        booking_id=row.booking_id,
        version=row.version,
        left={seat.seat_id: Money(seat.amount_minor, seat.currency) for seat in seats if seat.released_at is not None},
    )


async def one(
    connection: AsyncConnection, reservation_id: UUID, user_id: int | None
) -> tuple[Reservation, int, datetime] | None:
    """A reservation, its screening, and PostgreSQL's time. With `user_id`, only if it is that user's."""
    given: dict[str, object] = {"id": reservation_id}
    if user_id is None:
        given["screening_id"] = await screening_of(connection, None, reservation_id)
        row = (await connection.execute(_ONE_OF_ANYBODY, given)).one_or_none()
    else:
        row = (await connection.execute(_ONE_OF_MINE, given | {"user_id": user_id})).one_or_none()
    return None if row is None else (reservation_of(row), row.screening_id, row.now)


async def newest(
    connection: AsyncConnection,
    *,
    user_id: int | None,
    status: ReservationStatus | None,
    screening_id: int | None,
    before: UUID | None,
    at_most: int,
) -> list[tuple[Reservation, int, datetime]]:
    """Newest first: of a user, of a status at this moment, of a screening, older than `before`; None: any."""
    wanted: dict[str, object] = {"at_most": at_most}
    query = _RESERVATIONS
    if user_id is not None:
        query += " AND r.user_id = :user_id"
        wanted["user_id"] = user_id
    if status is not None:
        query += f" AND {_OF_STATUS_NOW[status]}"
    if screening_id is not None:
        query += " AND r.screening_id = :screening_id"
        wanted["screening_id"] = screening_id
    if before is not None:
        query += " AND r.id < :before"
        wanted["before"] = before
    rows = await connection.execute(text(query + _NEWEST_FIRST), wanted)
    return [(reservation_of(row), row.screening_id, row.now) for row in rows]


async def screening_of(connection: AsyncConnection, user_id: int | None, reservation_id: UUID) -> int | None:
    """In which screening this user has this reservation, if anywhere; None: whoever has it."""
    if user_id is None:
        screening_ids = list(await connection.scalars(_SCREENINGS))
        given = {"screening_ids": screening_ids, "id": reservation_id}
        found: int | None = await connection.scalar(_SCREENING_OF_ANYBODYS, given)
    else:
        found = await connection.scalar(_SCREENING, {"user_id": user_id, "id": reservation_id})
    return found


async def with_seat(
    connection: AsyncConnection, user_id: int, seat_id: int, defaults: Defaults, screening_id: int | None
) -> list[WithSeat]:
    """In each screening, or in this one, the user's reservation of the seat: what is held, else the newest.

    None that was given back. The soonest screening first.
    """
    given: dict[str, object] = {
        "user_id": user_id,
        "seat_id": seat_id,
        "hold_seconds": defaults.hold_seconds,
        "max_hold_seconds": defaults.max_hold_seconds,
    }
    if screening_id is None:
        found = (await connection.execute(_WITH_SEAT_ANYWHERE, given)).all()
    else:
        found = (await connection.execute(_WITH_SEAT_THERE, given | {"screening_id": screening_id})).all()
    if not found:
        return []
    rows = await connection.execute(_TITLES, {"ids": [row.screening_id for row in found]})
    titles = {row.id: row.title for row in rows}
    with_seat = (
        WithSeat(row.id, Candidate(row.screening_id, titles[row.screening_id], row.starts_at), *row[-3:])
        for row in found
    )
    return sorted(with_seat, key=lambda each: (each.screening.starts_at, each.screening.id))


async def screenings_with_holds(connection: AsyncConnection, user_id: int) -> list[int]:
    """In which screenings this user holds seats."""
    return list(await connection.scalars(_SCREENINGS_WITH_HOLDS, {"user_id": user_id}))
