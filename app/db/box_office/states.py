"""The states of screenings as organizers change them: locked, added and edited one by one.

A plan (`screenings`) and its state may be on different machines. So each statement names one screening as a parameter,
and what it writes as parameters too. Whoever changes a plan locks its state first, and changes both in one transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import schema
from app.db.cluster.asking import ask, question

# FOR NO KEY UPDATE is the box office's lock: nobody takes seats until the transaction ends, and whoever waits for it
# then reads the row anew.
_LOCK = text("""
SELECT s.version, s.revision, s.layout_revision FROM screening_states s
 WHERE s.screening_id = CAST(:screening_id AS bigint) FOR NO KEY UPDATE
""")
_MOVE_LAYOUT = text("""
UPDATE screening_states SET layout_revision = :layout_revision WHERE screening_id = CAST(:screening_id AS bigint)
""")
_MOVE_TIMEZONE = text("""
UPDATE screening_states SET timezone = :timezone WHERE screening_id = CAST(:screening_id AS bigint)
""")
_CANCEL = text("""
UPDATE screening_states SET cancelled_at = statement_timestamp(), revision = revision + 1
 WHERE screening_id = CAST(:screening_id AS bigint) RETURNING cancelled_at
""")
_VERSIONS = question("SELECT s.screening_id, s.version FROM screening_states s WHERE {of_them}")


class LockedState(NamedTuple):
    """What moves in a state, while nobody else can move it."""

    version: int
    revision: int
    layout_revision: int

    @property
    def map_version(self) -> int:
        """It grows with every change of the seats, the prices or the layout."""
        return self.version + self.revision + self.layout_revision


async def lock(connection: AsyncConnection, screening_id: int) -> LockedState | None:
    """Lock a screening until the transaction ends: nobody else changes it or its seats. None if it does not exist."""
    row = (await connection.execute(_LOCK, {"screening_id": screening_id})).one_or_none()
    return None if row is None else LockedState(*row)


async def lock_all(connection: AsyncConnection, screening_ids: Sequence[int]) -> None:
    """As `lock`, one after the other in the order of the ids, in which everybody locks them."""
    await _each(connection, _LOCK, sorted(screening_ids))


async def add(
    connection: AsyncConnection, screening_id: int, theater_id: int, timezone: str, columns: Mapping[str, Any]
) -> None:
    """Insert the state of a new screening. `columns`: what decides about its sales."""
    values = {"screening_id": screening_id, "theater_id": theater_id, "timezone": timezone, **columns}
    await connection.execute(insert(schema.screening_states).values(values))


async def change(connection: AsyncConnection, screening_id: int, columns: Mapping[str, Any]) -> None:
    """Write an edit down. Lock first."""
    table = schema.screening_states
    its = table.c.screening_id == bindparam("its_id", screening_id, BigInteger)
    await connection.execute(update(table).where(its).values(revision=table.c.revision + 1, **columns))


async def move_layouts(connection: AsyncConnection, screening_ids: Sequence[int], layout_revision: int) -> None:
    """These screenings stand on this revision of the layout now. Lock them first."""
    await _each(connection, _MOVE_LAYOUT, screening_ids, layout_revision=layout_revision)


async def move_timezone(connection: AsyncConnection, screening_ids: Sequence[int], timezone: str) -> None:
    """The theater of these screenings is in this time zone now."""
    await _each(connection, _MOVE_TIMEZONE, sorted(screening_ids), timezone=timezone)


async def cancel(connection: AsyncConnection, screening_id: int) -> Any:
    """Cancel a screening: an edit. Returns the time (UTC). Lock first: this time is after whatever was sold."""
    return await connection.scalar(_CANCEL, {"screening_id": screening_id})


async def versions(connection: AsyncConnection, screening_ids: Sequence[int]) -> dict[int, int]:
    """The versions of these screenings, without those that no node has that can be reached.

    The connection must be in AUTOCOMMIT, because a question that fails ends a transaction.
    """
    answers = await ask(connection, _VERSIONS, screening_ids)
    return {row.screening_id: row.version for row in answers.rows}


async def _each(connection: AsyncConnection, statement: Any, screening_ids: Sequence[int], **given: object) -> None:
    """One statement for each screening, sent together."""
    if screening_ids:
        await connection.execute(statement, [{"screening_id": each, **given} for each in screening_ids])
