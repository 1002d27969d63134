"""Theaters: reading them with what they hold, and writing them down."""

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import schema
from app.domain.catalogue import Theater

# The seats are counted by the index seats_label_in_use alone.
_THEATERS = """
    SELECT theaters.id, theaters.name, theaters.timezone, theaters.revision, theaters.layout_revision,
           (SELECT count(*) FROM seats
             WHERE seats.theater_id = theaters.id AND seats.removed_at IS NULL) AS seat_count,
           (SELECT count(*) FROM screenings
             WHERE screenings.theater_id = theaters.id AND screenings.cancelled_at IS NULL
               AND screenings.starts_at > now()) AS screenings_count
      FROM theaters
"""

_NEWEST = text(f"{_THEATERS} WHERE CAST(:before AS bigint) IS NULL OR id < :before ORDER BY id DESC LIMIT :at_most")
_ONE = text(f"{_THEATERS} WHERE id = CAST(:theater_id AS bigint)")
_LAYOUT_REVISION = text("SELECT layout_revision FROM theaters WHERE id = CAST(:theater_id AS bigint)")


async def newest(connection: AsyncConnection, before: int | None, at_most: int) -> list[Theater]:
    """The newest theaters, those with an id below `before` only."""
    rows = await connection.execute(_NEWEST, {"before": before, "at_most": at_most})
    return [Theater(**row) for row in rows.mappings()]


async def one(connection: AsyncConnection, theater_id: int) -> Theater | None:
    """One theater, if there is such."""
    row = (await connection.execute(_ONE, {"theater_id": theater_id})).mappings().one_or_none()
    return None if row is None else Theater(**row)


async def layout_revision(connection: AsyncConnection, theater_id: int) -> int | None:
    """How often the seats of a theater were edited; None: there is no such theater."""
    revision: int | None = (await connection.execute(_LAYOUT_REVISION, {"theater_id": theater_id})).scalar_one_or_none()
    return revision


async def add(connection: AsyncConnection, name: str, timezone: str, theater_id: int | None = None) -> int:
    """Write down a theater, under a given id or the next one; gives its id. `timezone` is like Europe/Berlin."""
    values = {"name": name, "timezone": timezone} | ({} if theater_id is None else {"id": theater_id})
    added = await connection.execute(insert(schema.theaters).values(values).returning(schema.theaters.c.id))
    theater: int = added.scalar_one()
    return theater
