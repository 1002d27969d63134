"""Cancelled screenings, and the holds and bookings that are left in them."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.refusals import PreconditionFailed

# FOR NO KEY UPDATE waits for the box office's batch: nothing is sold after this commits.
_LOCK = text("""
SELECT s.revision, s.version, s.layout_revision, s.cancelled_at IS NOT NULL AS is_cancelled
  FROM screenings s WHERE s.id = :id FOR NO KEY UPDATE
""")
_CANCEL = text("UPDATE screenings SET cancelled_at = clock_timestamp(), revision = revision + 1 WHERE id = :id")

_HOLDS = text("""
SELECT id FROM reservations WHERE screening_id = :screening_id AND status IN ('held', 'paying') LIMIT :at_most
""")
_BOOKINGS = text("SELECT id FROM bookings WHERE screening_id = :screening_id AND status = 'confirmed' LIMIT :at_most")

_INTERRUPTED = text("""
SELECT s.id FROM screenings s
 WHERE s.cancelled_at IS NOT NULL AND s.starts_at > now() - interval '30 days'
   AND EXISTS (SELECT FROM seat_claims c WHERE c.screening_id = s.id AND c.status <> 'blocked')
""")


async def cancel(connection: AsyncConnection, screening_id: int, revision: int | None) -> int | None:
    """Cancel a screening, and return its map version afterwards; None if it does not exist.

    Raises PreconditionFailed if `revision` is given and not the current one.
    """
    row = (await connection.execute(_LOCK, {"id": screening_id})).one_or_none()
    if row is None:
        return None
    if revision is not None and revision != row.revision:
        raise PreconditionFailed(row.revision)
    if not row.is_cancelled:
        await connection.execute(_CANCEL, {"id": screening_id})
    state: int = row.version + row.layout_revision + row.revision + (not row.is_cancelled)
    return state


async def standing(
    connection: AsyncConnection, screening_id: int, at_most: int
) -> tuple[tuple[UUID, ...], tuple[UUID, ...]]:
    """At most `at_most` holds, and as many bookings, that are not undone yet."""
    given = {"screening_id": screening_id, "at_most": at_most}
    holds = (await connection.execute(_HOLDS, given)).scalars()
    bookings = (await connection.execute(_BOOKINGS, given)).scalars()
    return tuple(holds), tuple(bookings)


async def interrupted(connection: AsyncConnection) -> list[int]:
    """The cancelled screenings in which somebody still has a seat."""
    return list((await connection.execute(_INTERRUPTED)).scalars())
