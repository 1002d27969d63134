"""The customers of programs: users whom an API key names by a reference of its own (docs/api.md, section 8)."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.people.user_ids import new_id

_FIND = text("SELECT id FROM users WHERE owner_id = :owner_id AND reference = :reference")

# Of two who make the same customer at once, the second waits for the first one's row, and makes none.
_INSERT = text("""
    INSERT INTO users (id, owner_id, reference) VALUES (:id, :owner_id, :reference)
    ON CONFLICT (owner_id, reference) WHERE owner_id IS NOT NULL DO NOTHING
    RETURNING id
""")


async def find(connection: AsyncConnection, owner_id: int, reference: str) -> int | None:
    """The user whom the owner (the user of an API key) calls by this reference; None if there is none."""
    found: int | None = await connection.scalar(_FIND, {"owner_id": owner_id, "reference": reference})
    return found


async def insert(connection: AsyncConnection, owner_id: int, reference: str) -> int | None:
    """Create a customer, and return their id; None if the owner has one with this reference already."""
    made: int | None = await connection.scalar(_INSERT, {"id": new_id(), "owner_id": owner_id, "reference": reference})
    return made
