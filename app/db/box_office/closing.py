"""Cancelled screenings, and the holds and bookings that are left in them."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.box_office import states
from app.domain.refusals import PreconditionFailed

_REVISION = text("SELECT revision, cancelled_at FROM screenings WHERE id = CAST(:id AS bigint)")
_CANCEL = text("""
UPDATE screenings SET cancelled_at = :cancelled_at, revision = revision + 1 WHERE id = CAST(:id AS bigint)
""")

_HOLDS = text("""
SELECT id FROM reservations WHERE screening_id = :screening_id AND status IN ('held', 'paying') LIMIT :at_most
""")
_BOOKINGS = text("SELECT id FROM bookings WHERE screening_id = :screening_id AND status = 'confirmed' LIMIT :at_most")

_CANCELLED = text("""
SELECT id FROM screenings WHERE cancelled_at IS NOT NULL AND starts_at > now() - interval '30 days' ORDER BY id
""")
_STANDS = text("""
SELECT EXISTS (SELECT FROM seat_claims WHERE screening_id = CAST(:screening_id AS bigint) AND status <> 'blocked')
""")


async def cancel(connection: AsyncConnection, screening_id: int, revisions: frozenset[int] | None) -> int | None:
    """Cancel a screening, and return its map version afterwards; None if it does not exist.

    Raises PreconditionFailed if `revisions` are given and none is the current one.
    """
    state = await states.lock(connection, screening_id)  # waits for a batch: nothing is sold after this commits
    if state is None:
        return None
    plan = (await connection.execute(_REVISION, {"id": screening_id})).one()
    if revisions is not None and plan.revision not in revisions:
        raise PreconditionFailed(plan.revision)
    if plan.cancelled_at is not None:
        return state.map_version
    cancelled_at = await states.cancel(connection, screening_id)
    await connection.execute(_CANCEL, {"id": screening_id, "cancelled_at": cancelled_at})
    return state.map_version + 1


async def standing(
    connection: AsyncConnection, screening_id: int, at_most: int
) -> tuple[tuple[UUID, ...], tuple[UUID, ...]]:
    """At most `at_most` holds, and as many bookings, that are not undone yet."""
    given = {"screening_id": screening_id, "at_most": at_most}
    holds = (await connection.execute(_HOLDS, given)).scalars()
    bookings = (await connection.execute(_BOOKINGS, given)).scalars()
    return tuple(holds), tuple(bookings)


async def cancelled(connection: AsyncConnection) -> list[int]:
    """The screenings of the last thirty days, and those to come, that are cancelled."""
    return list((await connection.execute(_CANCELLED)).scalars())


async def is_interrupted(connection: AsyncConnection, screening_id: int) -> bool:
    """Has somebody still a seat in this cancelled screening?"""
    stands: bool = (await connection.execute(_STANDS, {"screening_id": screening_id})).scalar_one()
    return stands
