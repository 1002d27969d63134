"""Theaters: reading them with what they hold, and writing them down. One that was taken away is in no list."""

from dataclasses import dataclass

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

_NEWEST = text(f"""
    {_THEATERS} WHERE (CAST(:before AS bigint) IS NULL OR id < :before) AND removed_at IS NULL
     ORDER BY id DESC LIMIT :at_most
""")
_ONE = text(f"{_THEATERS} WHERE id = CAST(:theater_id AS bigint) AND removed_at IS NULL")
_LAYOUT_REVISION = text("""
    SELECT layout_revision FROM theaters WHERE id = CAST(:theater_id AS bigint) AND removed_at IS NULL
""")
_ANY_EVER = text("SELECT EXISTS (SELECT FROM theaters)")

# Rivals are other organizers' edits of the same house; nothing that sells seats takes this lock.
_LOCK = text("""
    SELECT id, name, timezone, revision, layout_revision FROM theaters
     WHERE id = CAST(:theater_id AS bigint) AND removed_at IS NULL FOR NO KEY UPDATE
""")
_CHANGE = text("""
    UPDATE theaters SET name = :name, timezone = :timezone, revision = revision + 1 WHERE id = :theater_id
""")
_REMOVE = text("UPDATE theaters SET removed_at = now(), revision = revision + 1 WHERE id = :theater_id")
_MOVE_LAYOUT = text("UPDATE theaters SET layout_revision = layout_revision + 1 WHERE id = :theater_id")


@dataclass(frozen=True, slots=True)
class LockedTheater:
    """A theater that nobody else edits until the transaction ends."""

    id: int
    name: str
    timezone: str
    revision: int
    layout_revision: int


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


async def any_ever(connection: AsyncConnection) -> bool:
    """Is there a theater, or was there one?"""
    found: bool = (await connection.execute(_ANY_EVER)).scalar_one()
    return found


async def lock(connection: AsyncConnection, theater_id: int) -> LockedTheater | None:
    """Keep other organizers from editing this theater, its seats and its programme until the transaction ends.

    Whoever edits takes this lock first, and those of screenings after it. None: there is no such theater.
    """
    row = (await connection.execute(_LOCK, {"theater_id": theater_id})).mappings().one_or_none()
    return None if row is None else LockedTheater(**row)


async def change(connection: AsyncConnection, theater_id: int, name: str, timezone: str) -> None:
    """Write a theater's edit down."""
    await connection.execute(_CHANGE, {"theater_id": theater_id, "name": name, "timezone": timezone})


async def remove(connection: AsyncConnection, theater_id: int) -> None:
    """Take a theater away; what was on there stays readable."""
    await connection.execute(_REMOVE, {"theater_id": theater_id})


async def move_layout(connection: AsyncConnection, theater_id: int) -> None:
    """Its layout has one more revision."""
    await connection.execute(_MOVE_LAYOUT, {"theater_id": theater_id})
