"""Users: those who hold and book. A guest is a user without a username; the user of an API key has none either."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.people import emails


@dataclass(frozen=True, slots=True)
class Account:
    """A user, and how many holds they have that have not run out, at the time `now` (UTC, PostgreSQL's clock)."""

    id: int
    username: str | None
    email: str | None
    role: str
    is_guest: bool
    active_reservations: int
    now: datetime


@dataclass(frozen=True, slots=True)
class RecentBooking:
    """A confirmed booking: when it was made, and the time zone of its theater."""

    created_at: datetime
    timezone: str


_INSERT_GUEST = text("INSERT INTO users (email, is_guest) VALUES (:email, true) RETURNING id")

# The setting is read, and so made, before the first row; it ends with the statement's transaction.
_INSERT_PASSING_GUESTS = text("""
    WITH later AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO users (email, is_guest)
    SELECT email, true FROM later, unnest(CAST(:emails AS text[])) WITH ORDINALITY AS arrival(email, place)
     ORDER BY place
    RETURNING id
""")

# A hold that ran out is none, swept or not.
_ACCOUNT = text("""
    SELECT u.id, u.username, u.email, u.role, u.is_guest,
           (SELECT count(*) FROM reservations r
             WHERE r.user_id = u.id AND r.status IN ('held', 'paying')
               AND r.expires_at > statement_timestamp()) AS active_reservations,
           statement_timestamp() AS now
      FROM users u
     WHERE u.id = :id AND u.deleted_at IS NULL
""")

# A day of any time zone is over within two of ours.
_RECENT_BOOKINGS = text("""
    SELECT b.created_at, t.timezone
      FROM bookings b JOIN screenings s ON s.id = b.screening_id JOIN theaters t ON t.id = s.theater_id
     WHERE b.user_id = ANY(:ids) AND b.status = 'confirmed'
       AND b.created_at > CAST(:now AS timestamptz) - interval '2 days'
""")


async def insert_guest(connection: AsyncConnection, email: str | None) -> int:
    """Create a guest, and return their id."""
    user_id = int((await connection.execute(_INSERT_GUEST, {"email": email})).scalar_one())
    await emails.change(connection, user_id, email)
    return user_id


async def insert_passing_guests(connection: AsyncConnection, emails: Sequence[str | None]) -> list[int]:
    """Create a guest for each email (None: without one), and return their ids in that order.

    The commit does not wait for the disk: these rows mean nothing until a later commit takes seats for them. The
    connection must be in autocommit, so that the setting ends with the statement.
    """
    rows = await connection.scalars(_INSERT_PASSING_GUESTS, {"emails": list(emails)})
    return list(rows)


async def account(connection: AsyncConnection, user_id: int) -> Account | None:
    """The user as they are now; None if there is none with this id."""
    row = (await connection.execute(_ACCOUNT, {"id": user_id})).one_or_none()
    return Account(*row) if row else None


async def recent_bookings(connection: AsyncConnection, user_ids: Collection[int], now: datetime) -> list[RecentBooking]:
    """The confirmed bookings of these users, of the two days before `now`: those of today in any time zone."""
    rows = await connection.execute(_RECENT_BOOKINGS, {"ids": list(user_ids), "now": now})
    return [RecentBooking(*row) for row in rows]
