"""Users: those who hold and book. A guest is a user without a username; the user of an API key has none either."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.cluster.asking import ask_all, question_to_all
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
_FORGET_GUEST = text("DELETE FROM users WHERE id = :id AND is_guest")

_CHANGE_EMAIL = text("UPDATE users SET email = :email WHERE id = :id AND deleted_at IS NULL")

_ACCOUNT = text("""
    SELECT u.id, u.username, u.email, u.role, u.is_guest, statement_timestamp() AS now
      FROM users u
     WHERE u.id = :id AND u.deleted_at IS NULL
""")

# A hold that ran out is none, swept or not.
_HOLDS = question_to_all("""
    SELECT count(*) AS holds FROM reservations s
     WHERE {of_them} AND s.user_id = :user_id AND s.status IN ('held', 'paying')
       AND s.expires_at > statement_timestamp()
""")

# A day of any time zone is over within two of ours.
_RECENT_BOOKINGS = question_to_all("""
    SELECT s.created_at, s.screening_id FROM bookings s
     WHERE {of_them} AND s.user_id = ANY(CAST(:user_ids AS bigint[])) AND s.status = 'confirmed'
       AND s.created_at > CAST(:now AS timestamptz) - interval '2 days'
""")
_TIMEZONES = text("""
    SELECT s.id, t.timezone FROM screenings s JOIN theaters t ON t.id = s.theater_id
     WHERE s.id = ANY(CAST(:ids AS bigint[]))
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
    """Delete a guest who never had anything, as far as the caller knows: that is not asked of every node.

    Raises IntegrityError if they have, where users and reservations are on one machine.
    """
    await connection.execute(_FORGET_GUEST, {"id": user_id})


async def change_email(connection: AsyncConnection, user_id: int, email: str) -> None:
    """Give a user another email. One who was deleted gets none."""
    await connection.execute(_CHANGE_EMAIL, {"id": user_id, "email": email})
    await emails.change(connection, user_id, email)


async def account(connection: AsyncConnection, user_id: int) -> Account | None:
    """The user as they are now; None if there is none with this id. The connection must be in AUTOCOMMIT."""
    row = (await connection.execute(_ACCOUNT, {"id": user_id})).one_or_none()
    if row is None:
        return None
    counted = await ask_all(connection, _HOLDS, {"user_id": user_id})
    holds = sum(each.holds for each in counted)
    return Account(row.id, row.username, row.email, row.role, row.is_guest, holds, row.now)


async def recent_bookings(connection: AsyncConnection, user_ids: Collection[int], now: datetime) -> list[RecentBooking]:
    """The confirmed bookings of these users, of the two days before `now`: those of today in any time zone.

    The connection must be in AUTOCOMMIT.
    """
    found = await ask_all(connection, _RECENT_BOOKINGS, {"user_ids": list(user_ids), "now": now})
    if not found:
        return []
    rows = await connection.execute(_TIMEZONES, {"ids": list({each.screening_id for each in found})})
    timezones = {row.id: row.timezone for row in rows}
    return [RecentBooking(each.created_at, timezones[each.screening_id]) for each in found]
