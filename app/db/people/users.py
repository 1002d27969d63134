"""Users: those who hold and book. A guest is a user without a username; the user of an API key has none either."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Account:
    """A user as `GET /me` shows them, with what they hold and have booked."""

    id: int
    username: str | None
    email: str | None
    role: str
    is_guest: bool
    active_reservations: int
    bookings_today: int


_INSERT_GUEST = text("INSERT INTO users (email, is_guest) VALUES (:email, true) RETURNING id")

# The setting is read, and so made, before the first row; it ends with the statement's transaction.
_INSERT_PASSING_GUESTS = text("""
    WITH later AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO users (email, is_guest)
    SELECT email, true FROM later, unnest(CAST(:emails AS text[])) WITH ORDINALITY AS arrival(email, place)
     ORDER BY place
    RETURNING id
""")

_CHANGE_EMAIL = text("UPDATE users SET email = :email WHERE id = :id AND deleted_at IS NULL")

# A hold that ran out is none, swept or not. A day is one in UTC.
_ACCOUNT = text("""
    SELECT u.id, u.username, u.email, u.role, u.is_guest,
           (SELECT count(*) FROM reservations r
             WHERE r.user_id = u.id AND r.status = 'held' AND r.expires_at > now()) AS active_reservations,
           (SELECT count(*) FROM bookings b
             WHERE b.user_id = u.id AND b.status = 'confirmed'
               AND b.created_at >= date_trunc('day', now(), 'UTC')) AS bookings_today
      FROM users u
     WHERE u.id = :id AND u.deleted_at IS NULL
""")


async def insert_guest(connection: AsyncConnection, email: str | None) -> int:
    """Create a guest, and return their id."""
    return int((await connection.execute(_INSERT_GUEST, {"email": email})).scalar_one())


async def insert_passing_guests(connection: AsyncConnection, emails: Sequence[str | None]) -> list[int]:
    """Create a guest for each email (None: without one), and return their ids in that order.

    The commit does not wait for the disk: these rows mean nothing until a later commit takes seats for them. The
    connection must be in autocommit, so that the setting ends with the statement.
    """
    rows = await connection.scalars(_INSERT_PASSING_GUESTS, {"emails": list(emails)})
    return list(rows)


async def change_email(connection: AsyncConnection, user_id: int, email: str) -> None:
    """Give a user another email. One who was deleted gets none."""
    await connection.execute(_CHANGE_EMAIL, {"id": user_id, "email": email})


async def account(connection: AsyncConnection, user_id: int) -> Account | None:
    """The user as they are now; None if there is none with this id."""
    row = (await connection.execute(_ACCOUNT, {"id": user_id})).one_or_none()
    return Account(*row) if row else None
