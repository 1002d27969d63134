"""Sessions: one row for each chain of refresh tokens, with the hash of the newest token only."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.box_office.sweeping import PORTION


@dataclass(frozen=True, slots=True)
class Renewed:
    """The user of a renewed session, as they are now."""

    user_id: int
    role: str
    is_guest: bool
    era: int


_INSERT = text("""
    INSERT INTO sessions (id, user_id, era, token_hash, family_hash, expires_at)
    VALUES (:id, :user_id, :era, :token_hash, :family_hash, clock_timestamp() + make_interval(secs => :seconds))
""")

# Two with the same token: the second waits for the first one's row, and then finds another hash in it.
_ROTATE = text("""
    UPDATE sessions s
       SET token_hash = :new, family_hash = :family, expires_at = clock_timestamp() + make_interval(secs => :seconds)
      FROM users u
     WHERE s.id = :id AND s.token_hash = :old AND s.ended_at IS NULL AND s.expires_at > clock_timestamp()
       AND u.id = s.user_id AND u.deleted_at IS NULL AND (u.era = s.era OR u.spared_session_id = s.id)
    RETURNING u.id, u.role, u.is_guest, s.era
""")

# The id alone proves nothing: it is in every access token. A session of an earlier release knows its newest token only.
_END = text("""
    UPDATE sessions SET ended_at = clock_timestamp()
     WHERE id = :id AND ended_at IS NULL AND (token_hash = :shown OR family_hash = :family)
    RETURNING id
""")

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


@dataclass(frozen=True, slots=True)
class TokenHashes:
    """The hash of a refresh token, and that of what it has in common with all others of its session."""

    whole: bytes
    family: bytes


async def insert(
    connection: AsyncConnection, session_id: UUID, user_id: int, era: int, token: TokenHashes, seconds: int
) -> None:
    """Open a session that lasts for these seconds. It counts as ended if the user's era is over."""
    given = {"id": session_id, "user_id": user_id, "era": era, "seconds": seconds}
    await connection.execute(_INSERT, given | {"token_hash": token.whole, "family_hash": token.family})


async def rotate(
    connection: AsyncConnection, session_id: UUID, old: TokenHashes, new: TokenHashes, seconds: int
) -> Renewed | None:
    """Replace the hash of the refresh token; None if the session has ended, or `old` is not its newest token."""
    given = {"id": session_id, "old": old.whole, "new": new.whole, "family": new.family, "seconds": seconds}
    row = (await connection.execute(_ROTATE, given)).one_or_none()
    return Renewed(*row) if row else None


async def end(connection: AsyncConnection, session_id: UUID, shown: TokenHashes) -> bool:
    """End a session for whoever shows a token that it has or had; False if it had ended before, or is another's."""
    given = {"id": session_id, "shown": shown.whole, "family": shown.family}
    return (await connection.execute(_END, given)).one_or_none() is not None


async def ended_in_the_last(connection: AsyncConnection, seconds: float) -> list[UUID]:
    """The sessions that were ended within the last seconds."""
    return list(await connection.scalars(_ENDED, {"seconds": seconds}))


async def forget(connection: AsyncConnection) -> None:
    """Delete sessions that have expired, or ended long ago."""
    while (await connection.execute(_FORGET, {"at_most": PORTION})).rowcount == PORTION:
        pass
