"""Sessions: what a refresh token belongs to. One row each, with the hash of the newest token alone."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.box_office.sweeping import PORTION


@dataclass(frozen=True, slots=True)
class Renewed:
    """Whose session it is, as they are now."""

    user_id: int
    role: str
    is_guest: bool
    era: int


_INSERT = text("""
    INSERT INTO sessions (id, user_id, era, token_hash, expires_at)
    VALUES (:id, :user_id, :era, :token_hash, clock_timestamp() + make_interval(secs => :seconds))
""")

# Two with the same token: the second waits for the first one's row, and then finds another hash in it.
_ROTATE = text("""
    UPDATE sessions s
       SET token_hash = :new, expires_at = clock_timestamp() + make_interval(secs => :seconds)
      FROM users u
     WHERE s.id = :id AND s.token_hash = :old AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
       AND u.id = s.user_id AND u.deleted_at IS NULL AND (u.era = s.era OR u.spared_session_id = s.id)
    RETURNING u.id, u.role, u.is_guest, s.era
""")

_END = text("UPDATE sessions SET ended_at = clock_timestamp() WHERE id = :id AND ended_at IS NULL RETURNING id")

_ENDED = text("""
    SELECT id FROM sessions WHERE ended_at > statement_timestamp() - make_interval(secs => :seconds)
""")

# Ended ones stay for as long as an access token of theirs might be about.
_FORGET = text("""
    DELETE FROM sessions WHERE ctid = ANY(ARRAY(
           SELECT ctid FROM sessions
            WHERE expires_at < statement_timestamp() OR ended_at < statement_timestamp() - interval '2 days'
            LIMIT :at_most))
""")


async def insert(
    connection: AsyncConnection, session_id: UUID, user_id: int, era: int, token_hash: bytes, seconds: int
) -> None:
    """Open a session in the user's era. If that is over by now, so is the session."""
    given = {"id": session_id, "user_id": user_id, "era": era, "token_hash": token_hash, "seconds": seconds}
    await connection.execute(_INSERT, given)


async def rotate(connection: AsyncConnection, session_id: UUID, old: bytes, new: bytes, seconds: int) -> Renewed | None:
    """Take the new token's hash in place of the old; None: the session is over, or the old one is not its newest."""
    given = {"id": session_id, "old": old, "new": new, "seconds": seconds}
    row = (await connection.execute(_ROTATE, given)).one_or_none()
    return Renewed(*row) if row else None


async def end(connection: AsyncConnection, session_id: UUID) -> bool:
    """End a session; False: it had ended, or there is none."""
    return (await connection.execute(_END, {"id": session_id})).one_or_none() is not None


async def ended_in_the_last(connection: AsyncConnection, seconds: float) -> list[UUID]:
    """Which sessions were ended in so many seconds before now."""
    return list(await connection.scalars(_ENDED, {"seconds": seconds}))


async def forget(connection: AsyncConnection) -> None:
    """Delete sessions that nobody can go on with."""
    while (await connection.execute(_FORGET, {"at_most": PORTION})).rowcount == PORTION:
        pass
