"""Idempotency keys outside a batch. Within one, `reading` reads them and `writing` writes them.

Organizers' keys, for what belongs to no screening yet (a theater, a screening), are rows of the same table: so a key
says one thing, whatever it is sent for, and the sweeper forgets all of them alike.
"""

from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.idempotency import Key
from app.domain.refusals import KeyInUse, KeyReused

NO_SCREENING: Final = 0
"""The screening of a key that was used for a theater, or to make a screening. None has this id."""

# Of several, that of this very request.
_SCREENING = text("""
SELECT screening_id FROM idempotency_keys WHERE owner_id = :owner_id AND key = :key
 ORDER BY fingerprint = :fingerprint DESC, created_at, screening_id LIMIT 1
""")

_PATIENCE = text("SELECT set_config('lock_timeout', :patience, true)")
_USUAL_PATIENCE = text("SET LOCAL lock_timeout TO DEFAULT")

# Rivals are the same key at once, in any process: whoever comes second waits here until the first has committed.
_ENTER = text("""
INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, body, created_at)
VALUES (:screening_id, :owner_id, :key, :fingerprint, :owner_id, true, '', statement_timestamp())
    ON CONFLICT DO NOTHING RETURNING true
""")
_IS_USED = text("""
SELECT EXISTS (SELECT FROM idempotency_keys
                WHERE owner_id = :owner_id AND key = :key AND screening_id <> :screening_id)
""")
_STORE = text("""
UPDATE idempotency_keys SET body = :body, location = :location
 WHERE screening_id = :screening_id AND owner_id = :owner_id AND key = :key
""")
# A replay writes too, so that its COMMIT waits for a synchronous standby as the first one should have.
_REPLAY = text("""
UPDATE idempotency_keys SET replayed_at = statement_timestamp()
 WHERE screening_id = :screening_id AND owner_id = :owner_id AND key = :key
RETURNING fingerprint, body, location
""")


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered to the first request with a key: the JSON and path of what it made."""

    body: bytes
    location: str


async def screening_of(connection: AsyncConnection, key: Key) -> int | None:
    """The screening that this key was used for; None if it was not used."""
    given = {"owner_id": key.owner_id, "key": key.value, "fingerprint": key.fingerprint}
    found: int | None = await connection.scalar(_SCREENING, given)
    return found


async def enter(connection: AsyncConnection, key: Key, patience_seconds: float) -> StoredAnswer | None:
    """The answer that is stored under an organizer's key. None: it is new, and this transaction's own until that ends.

    Raises KeyReused if it was used for another request; KeyInUse if the first request with it takes longer than that.
    """
    named = {"screening_id": NO_SCREENING, "owner_id": key.owner_id, "key": key.value}
    await connection.execute(_PATIENCE, {"patience": f"{patience_seconds * 1000:.0f}ms"})
    try:
        is_new = await connection.scalar(_ENTER, {**named, "fingerprint": key.fingerprint})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == asyncpg.LockNotAvailableError.sqlstate:
            raise KeyInUse from error
        raise
    await connection.execute(_USUAL_PATIENCE)
    if is_new:
        if await connection.scalar(_IS_USED, named):
            raise KeyReused
        return None
    stored = (await connection.execute(_REPLAY, named)).one_or_none()
    if stored is None:  # it was swept just now
        raise KeyInUse
    if stored.fingerprint != key.fingerprint:
        raise KeyReused
    return StoredAnswer(stored.body, stored.location)


async def store(connection: AsyncConnection, key: Key, answer: StoredAnswer) -> None:
    """Store the answer to a request whose key was entered in this transaction."""
    named = {"screening_id": NO_SCREENING, "owner_id": key.owner_id, "key": key.value}
    given = {**named, "body": answer.body, "location": answer.location}
    await connection.execute(_STORE, given)
