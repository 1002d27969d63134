"""A guest joins an account: what they have becomes the account's, screening by screening."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.people import emails
from app.db.people.accounts import Era
from app.db.seat_maps.seat_events import CHANGE, SeatChange, seat_change

_SCREENINGS = text("""
    SELECT screening_id FROM reservations WHERE user_id = :guest_id
     UNION SELECT screening_id FROM bookings WHERE user_id = :guest_id
     ORDER BY screening_id
""")

# As a batch of the box office does, in the order of the ids: whoever decides about these seats waits for us, or finds
# that what they read is not so any more.
_LOCK = text("""
    SELECT screening_id FROM screening_states WHERE screening_id = ANY(:ids) ORDER BY screening_id FOR NO KEY UPDATE
""")

# Whose a seat is shows in the personal map, so it is a change like any other, with a version and its events. What has
# run out and was not swept reads available before and after. A new version of a reservation or a booking tells a rival
# who read it before.
_MOVE = text(f"""
WITH claims AS (
    UPDATE seat_claims SET user_id = :account_id WHERE screening_id = ANY(:ids) AND user_id = :guest_id
    RETURNING screening_id, seat_id, status, expires_at, coalesce(expires_at > statement_timestamp(), true) AS is_live),
changed AS (
    UPDATE screening_states SET version = version + 1 WHERE screening_id IN (SELECT screening_id FROM claims)
    RETURNING screening_id AS id, version, version + revision + layout_revision AS map_version),
held AS (
    UPDATE reservations r SET user_id = :account_id,
           version = coalesce((SELECT c.version FROM changed c WHERE c.id = r.screening_id), r.version)
     WHERE r.user_id = :guest_id AND r.screening_id = ANY(:ids)),
booked AS (
    UPDATE bookings b SET user_id = :account_id,
           version = coalesce((SELECT c.version FROM changed c WHERE c.id = b.screening_id), b.version)
     WHERE b.user_id = :guest_id AND b.screening_id = ANY(:ids)),
keys AS (
    UPDATE idempotency_keys k SET owner_id = :account_id
     WHERE k.owner_id = :guest_id AND k.screening_id = ANY(:ids)
       AND NOT EXISTS (SELECT FROM idempotency_keys o WHERE o.owner_id = :account_id AND o.key = k.key)),
events AS (
    INSERT INTO seat_events (screening_id, version, seat_id, at, from_status, to_status, user_id, previous_user_id,
                             expires_at, cause, actor_id, request_id)
    SELECT s.screening_id, c.version, s.seat_id, statement_timestamp(), seen.status, seen.status,
           CASE WHEN s.is_live THEN CAST(:account_id AS bigint) END,
           CASE WHEN s.is_live AND s.status = 'held' THEN CAST(:guest_id AS bigint) END,
           CASE WHEN s.is_live THEN s.expires_at END, 'api', :account_id, :request_id
      FROM claims s JOIN changed c ON c.id = s.screening_id, LATERAL (
           SELECT CASE WHEN NOT s.is_live THEN 'available' WHEN s.status = 'held' THEN 'reserved' ELSE s.status END
               AS status) seen
    RETURNING *)
SELECT c.id, c.version, c.map_version,
       ARRAY(SELECT {CHANGE} FROM events e WHERE e.screening_id = c.id ORDER BY e.seat_id) AS changes
  FROM changed c ORDER BY c.id
""")  # noqa: S608 - our own names

# Again, when the first answer was lost: then the tokens are over already.
_JOIN = text("""
    UPDATE users
       SET joined_id = :account_id, era = era + (joined_id IS NULL)::int, spared_session_id = NULL,
           era_began_at = CASE WHEN joined_id IS NULL THEN clock_timestamp() ELSE era_began_at END
     WHERE id = :guest_id AND is_guest AND deleted_at IS NULL AND (joined_id IS NULL OR joined_id = :account_id)
    RETURNING id, era, spared_session_id
""")
_JOINED = text("SELECT joined_id FROM users WHERE id = :guest_id")


@dataclass(frozen=True, slots=True)
class Moved:
    """A screening in which seats became the account's: its new version, that of its map, and the seats."""

    screening_id: int
    version: int
    map_version: int
    changes: tuple[SeatChange, ...]


async def screenings_of(connection: AsyncConnection, guest_id: int) -> list[int]:
    """The screenings in which this guest has, or had, anything."""
    return list(await connection.scalars(_SCREENINGS, {"guest_id": guest_id}))


async def move(
    connection: AsyncConnection, screening_ids: Sequence[int], guest_id: int, account_id: int, request_id: str | None
) -> list[Moved]:
    """Make the account's what the guest has in these screenings, and return those in which it shows.

    They stay locked until the transaction ends.
    """
    given = {"guest_id": guest_id, "account_id": account_id, "ids": list(screening_ids), "request_id": request_id}
    await connection.execute(_LOCK, {"ids": list(screening_ids)})
    rows = await connection.execute(_MOVE, given)
    return [Moved(row.id, row.version, row.map_version, tuple(map(seat_change, row.changes))) for row in rows]


async def join(connection: AsyncConnection, guest_id: int, account_id: int) -> Era | None:
    """Write down that the guest is this account, and end all of their tokens.

    None if they are no guest any more: deleted, an account themselves, or part of another one.
    """
    row = (await connection.execute(_JOIN, {"guest_id": guest_id, "account_id": account_id})).one_or_none()
    if row is not None:
        await emails.take_over(connection, guest_id, account_id)
    return Era(*row) if row else None


async def account_of(connection: AsyncConnection, guest_id: int) -> int | None:
    """The account that this guest has joined; None if they have joined none."""
    found: int | None = await connection.scalar(_JOINED, {"guest_id": guest_id})
    return found
