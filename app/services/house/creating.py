"""Creates something once for an idempotency key, however often the request comes (docs/api.md, section 2)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.box_office import idempotency_keys
from app.db.box_office.idempotency_keys import StoredAnswer
from app.domain.idempotency import SAME_KEY_WAITS_SECONDS, Key


@dataclass(frozen=True, slots=True)
class Created:
    """What was created, as it is answered: its JSON and its path. `replayed`: by an earlier request with this key."""

    body: bytes
    location: str
    replayed: bool = False


async def once(
    engine: AsyncEngine, key: Key | None, create: Callable[[AsyncConnection], Awaitable[StoredAnswer]]
) -> Created:
    """Create it in one transaction, in which the answer is stored with its key; or give the answer that is stored.

    If `create` raises, nothing is stored. Raises KeyReused, and KeyInUse if the first request is still running.
    """
    async with engine.begin() as connection:
        if key is None:
            made = await create(connection)
        elif stored := await idempotency_keys.enter(connection, key, SAME_KEY_WAITS_SECONDS):
            return Created(stored.body, stored.location, replayed=True)
        else:
            made = await create(connection)
            await idempotency_keys.store(connection, key, made)
    return Created(made.body, made.location)
