"""Reads the history of one seat, and which seats are blocked."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HISTORY = text("""
SELECT e.version, e.at, e.from_status, e.to_status, e.cause, e.actor_id, e.request_id FROM seat_events e
 WHERE e.screening_id = :screening_id AND e.seat_id = :seat_id AND e.version < :before
 ORDER BY e.version DESC LIMIT :at_most
""")

_BLOCKED = text("""
SELECT seat_id, reason FROM seat_claims WHERE screening_id = :screening_id AND status = 'blocked' ORDER BY seat_id
""")

LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Happening:
    """One change of a seat. `actor` None: the hold expired by itself."""

    version: int
    at: datetime
    from_status: str
    to_status: str
    cause: str
    actor_id: int | None
    request_id: str | None


async def of_seat(
    connection: AsyncConnection, screening_id: int, seat_id: int, before: int | None, at_most: int
) -> list[Happening]:
    """At most `at_most` changes of a seat, newest first; with `before`, only those before that version."""
    given = {"screening_id": screening_id, "seat_id": seat_id, "before": before or LATEST, "at_most": at_most}
    return [Happening(*row) for row in await connection.execute(_HISTORY, given)]


async def blocked(connection: AsyncConnection, screening_id: int) -> list[tuple[int, str | None]]:
    """The blocked seats of a screening by their ids, each with the reason."""
    rows = await connection.execute(_BLOCKED, {"screening_id": screening_id})
    return [(row.seat_id, row.reason) for row in rows]
