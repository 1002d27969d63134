"""Reads payments, for organizers."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.money import payments
from app.domain.money import Money
from app.domain.payments import Payment, PaymentStatus, RefundCause
from app.domain.refusals import NotFound
from app.schemas.format.pages import after_uuid, page_of, uuid_cursor
from app.schemas.payments import Json, TheEntry, payment_out


class Payments:
    """Always reads PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def one(self, payment_id: UUID) -> Json:
        """A payment, with what happened. Raises NotFound."""
        async with self._engine.connect() as connection:
            found = await payments.newest(connection, payment_id=payment_id)
            if not found:
                raise NotFound("payment")
            return (await _written(connection, found))[0]

    async def newest(
        self,
        screening_id: int | None,
        booking_id: UUID | None,
        status: PaymentStatus | None,
        cause: RefundCause | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[Json], str | None]:
        """A page of payments, newest first, and the cursor of the next page."""
        async with self._engine.connect() as connection:
            found = await payments.newest(
                connection,
                screening_id=screening_id,
                booking_id=booking_id,
                status=status,
                cause=cause,
                before=after_uuid(cursor) if cursor else None,
                at_most=limit + 1,
            )
            page = page_of(found, limit, lambda last: uuid_cursor(last[0].id))
            return await _written(connection, page.items), page.next_cursor


async def _written(connection: AsyncConnection, found: Sequence[tuple[Payment, int]]) -> list[Json]:
    entries: dict[tuple[int, UUID], list[TheEntry]] = {}
    for row in await payments.entries_of(connection, found):
        entry = TheEntry(row.at, row.kind, Money(row.amount_minor, row.currency), row.reference, row.cause)
        entries.setdefault((row.screening_id, row.payment_id), []).append(entry)
    return [payment_out(each, screening_id, entries.get((screening_id, each.id), ())) for each, screening_id in found]
