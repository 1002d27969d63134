"""API keys: programs send them instead of a password. Only a hash of each is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.people.accounts import Era


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as administrators see it. `prefix` is its first characters; the rest is not stored."""

    id: int
    user_id: int
    name: str
    role: str
    scopes: Sequence[str]
    prefix: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Machine:
    """The user that a key acts as, and what the key may do."""

    key_id: int
    user_id: int
    role: str
    scopes: Sequence[str]
    era: int


_INSERT = text("""
    INSERT INTO api_keys (user_id, name, scopes, prefix, key_hash, created_by)
    VALUES (:user_id, :name, :scopes, :prefix, :key_hash, :created_by)
    RETURNING id
""")
_KEYS = """
    SELECT k.id, k.user_id, k.name, u.role, k.scopes, k.prefix, k.created_at, k.last_used_at
      FROM api_keys k JOIN users u ON u.id = k.user_id
     WHERE k.revoked_at IS NULL AND
"""
_ONE = text(f"{_KEYS} k.id = :id")
_NEWEST = text(f"{_KEYS} (CAST(:before AS bigint) IS NULL OR k.id < :before) ORDER BY k.id DESC LIMIT :at_most")
_MACHINE = text("""
    SELECT k.id, u.id, u.role, k.scopes, u.era FROM api_keys k JOIN users u ON u.id = k.user_id
     WHERE k.key_hash = :key_hash AND k.revoked_at IS NULL
""")
_WAS_USED = text("""
    UPDATE api_keys SET last_used_at = clock_timestamp()
     WHERE id = :id AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
""")
# Revoking begins an era for the key's user: that is how the other processes hear of it.
_REVOKE = text("""
    WITH revoked AS (
        UPDATE api_keys SET revoked_at = clock_timestamp() WHERE id = :id AND revoked_at IS NULL RETURNING user_id)
    UPDATE users SET era = era + 1, era_began_at = clock_timestamp() FROM revoked WHERE users.id = revoked.user_id
    RETURNING users.id, era, spared_session_id
""")
_EXISTED = text("SELECT true FROM api_keys WHERE id = :id")


async def insert(
    connection: AsyncConnection,
    user_id: int,
    name: str,
    scopes: Sequence[str],
    prefix: str,
    key_hash: bytes,
    created_by: int,
) -> int:
    """Create a key for this user, and return its id."""
    given = {"user_id": user_id, "name": name, "scopes": list(scopes), "prefix": prefix, "key_hash": key_hash}
    return int((await connection.execute(_INSERT, given | {"created_by": created_by})).scalar_one())


async def one(connection: AsyncConnection, key_id: int) -> ApiKey | None:
    """A key; None if there is none, or it was revoked."""
    row = (await connection.execute(_ONE, {"id": key_id})).one_or_none()
    return ApiKey(*row) if row else None


async def newest(connection: AsyncConnection, before: int | None, at_most: int) -> list[ApiKey]:
    """At most `at_most` keys that are not revoked, newest first; with `before`, only those with a lower id."""
    rows = await connection.execute(_NEWEST, {"before": before, "at_most": at_most})
    return [ApiKey(*row) for row in rows]


async def machine(connection: AsyncConnection, key_hash: bytes) -> Machine | None:
    """The user that the key with this hash acts as; None if there is none, or it was revoked."""
    row = (await connection.execute(_MACHINE, {"key_hash": key_hash})).one_or_none()
    return Machine(*row) if row else None


async def was_used(connection: AsyncConnection, key_id: int) -> None:
    """Store that a key is used now, at most once a minute."""
    await connection.execute(_WAS_USED, {"id": key_id})


async def revoke(connection: AsyncConnection, key_id: int) -> Era | None:
    """Revoke a key; None if it was revoked before, or there is none."""
    row = (await connection.execute(_REVOKE, {"id": key_id})).one_or_none()
    return Era(*row) if row else None


async def existed(connection: AsyncConnection, key_id: int) -> bool:
    """Whether there is, or was, such a key."""
    return await connection.scalar(_EXISTED, {"id": key_id}) is not None
