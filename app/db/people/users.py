"""Users: those who hold and book. A guest is a user without a username; the user of an API key has none either."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.people import emails
from app.db.people.user_ids import new_id


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


_INSERT_GUEST = text("INSERT INTO users (id, email, is_guest) VALUES (:id, :email, true)")

# Again, when the first answer was lost.
_INSERT_GUESTS = text(
    "INSERT INTO users (id, is_guest) SELECT unnest(CAST(:ids AS bigint[])), true ON CONFLICT DO NOTHING"
)

# Together with their email: see emails.change.
_FORGET_GUEST = text("""
    DELETE FROM users u
     WHERE u.id = :id AND u.is_guest
       AND NOT EXISTS (SELECT FROM reservations r WHERE r.user_id = u.id)
       AND NOT EXISTS (SELECT FROM bookings b WHERE b.user_id = u.id)
""")

_CHANGE_EMAIL = text("UPDATE users SET email = :email WHERE id = :id AND deleted_at IS NULL")

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
    user_id = new_id()
    await connection.execute(_INSERT_GUEST, {"id": user_id, "email": email})
    await emails.change(connection, user_id, email)
    return user_id


async def insert_guests(connection: AsyncConnection, user_ids: Collection[int]) -> None:
    """Create guests without an email, as far as they are not there yet."""
    await connection.execute(_INSERT_GUESTS, {"ids": list(user_ids)})


async def forget_guest(connection: AsyncConnection, user_id: int) -> None:
    """Delete a guest who never had anything."""
    await connection.execute(_FORGET_GUEST, {"id": user_id})


async def change_email(connection: AsyncConnection, user_id: int, email: str) -> None:
    """Give a user another email. One who was deleted gets none."""
    await connection.execute(_CHANGE_EMAIL, {"id": user_id, "email": email})
    await emails.change(connection, user_id, email)


async def account(connection: AsyncConnection, user_id: int) -> Account | None:
    """The user as they are now; None if there is none with this id."""
    row = (await connection.execute(_ACCOUNT, {"id": user_id})).one_or_none()
    return Account(*row) if row else None


async def recent_bookings(connection: AsyncConnection, user_ids: Collection[int], now: datetime) -> list[RecentBooking]:
    """The confirmed bookings of these users, of the two days before `now`: those of today in any time zone."""
    rows = await connection.execute(_RECENT_BOOKINGS, {"ids": list(user_ids), "now": now})
    return [RecentBooking(*row) for row in rows]
