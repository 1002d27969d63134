"""Idempotency keys outside a batch. Within one, `reading` reads them and `writing` writes them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.idempotency import Key

# Of several, that of this very request.
_SCREENING = text("""
SELECT screening_id FROM idempotency_keys WHERE owner_id = :owner_id AND key = :key
 ORDER BY fingerprint = :fingerprint DESC, created_at, screening_id LIMIT 1
""")


async def screening_of(connection: AsyncConnection, key: Key) -> int | None:
    """The screening that this key was used for; None if it was not used."""
    given = {"owner_id": key.owner_id, "key": key.value, "fingerprint": key.fingerprint}
    found: int | None = await connection.scalar(_SCREENING, given)
    return found
