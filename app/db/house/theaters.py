"""Theaters: read, add, change, remove. A removed theater is in no list."""

from dataclasses import dataclass

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import schema
from app.domain.house.catalogue import Theater
from app.domain.seats import Point

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
_MOVE_LAYOUT = text("""
    UPDATE theaters SET layout_revision = layout_revision + 1, focal_x = :focal_x, focal_y = :focal_y
     WHERE id = :theater_id
""")


@dataclass(frozen=True, slots=True)
class LockedTheater:
    """A theater that nobody else can edit until the transaction ends."""

    id: int
    name: str
    timezone: str
    revision: int
    layout_revision: int


async def newest(connection: AsyncConnection, before: int | None, at_most: int) -> list[Theater]:
    """At most `at_most` theaters, newest first; with `before`, only those with a lower id."""
    rows = await connection.execute(_NEWEST, {"before": before, "at_most": at_most})
    return [Theater(**row) for row in rows.mappings()]


async def one(connection: AsyncConnection, theater_id: int) -> Theater | None:
    """One theater; None if it does not exist."""
    row = (await connection.execute(_ONE, {"theater_id": theater_id})).mappings().one_or_none()
    return None if row is None else Theater(**row)


async def layout_revision(connection: AsyncConnection, theater_id: int) -> int | None:
    """The revision of a theater's layout; None if the theater does not exist."""
    revision: int | None = (await connection.execute(_LAYOUT_REVISION, {"theater_id": theater_id})).scalar_one_or_none()
    return revision


async def add(
    connection: AsyncConnection,
    name: str,
    timezone: str,
    theater_id: int | None = None,
    focal_point: Point | None = None,
) -> int:
    """Insert a theater, with the given id or a new one, and return its id. `timezone` is like Europe/Berlin."""
    values: dict[str, object] = {"name": name, "timezone": timezone, **_columns_of(focal_point)}
    if theater_id is not None:
        values["id"] = theater_id
    added = await connection.execute(insert(schema.theaters).values(values).returning(schema.theaters.c.id))
    theater: int = added.scalar_one()
    return theater


async def any_ever(connection: AsyncConnection) -> bool:
    """Whether there is, or was, any theater."""
    found: bool = (await connection.execute(_ANY_EVER)).scalar_one()
    return found


async def lock(connection: AsyncConnection, theater_id: int) -> LockedTheater | None:
    """Lock a theater until the transaction ends: nobody else edits it, its seats and its screenings.

    Take this lock first, and those of screenings after it. None if the theater does not exist.
    """
    row = (await connection.execute(_LOCK, {"theater_id": theater_id})).mappings().one_or_none()
    return None if row is None else LockedTheater(**row)


async def change(connection: AsyncConnection, theater_id: int, name: str, timezone: str) -> None:
    """Update the name and time zone of a theater."""
    await connection.execute(_CHANGE, {"theater_id": theater_id, "name": name, "timezone": timezone})


async def remove(connection: AsyncConnection, theater_id: int) -> None:
    """Remove a theater. Its past screenings can still be read."""
    await connection.execute(_REMOVE, {"theater_id": theater_id})


async def move_layout(connection: AsyncConnection, theater_id: int, focal_point: Point | None) -> None:
    """Count a new revision of the theater's layout, in which people look there."""
    await connection.execute(_MOVE_LAYOUT, {"theater_id": theater_id, **_columns_of(focal_point)})


def _columns_of(focal_point: Point | None) -> dict[str, float | None]:
    return {
        "focal_x": None if focal_point is None else focal_point.x,
        "focal_y": None if focal_point is None else focal_point.y,
    }
