"""Refunds that are to be carried out: which are due, who tries them, and what is written when they are done."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns
from app.domain.money import Money

_OPEN = text("SELECT count(*) FROM refunds r WHERE r.next_try_at IS NOT NULL")
_DUE = text("""
SELECT r.screening_id, r.id FROM refunds r
 WHERE r.next_try_at <= statement_timestamp() ORDER BY r.next_try_at LIMIT :at_most
""")


class _DueRow(NamedTuple):
    id: UUID
    payment_id: UUID
    amount_minor: int
    currency: str


# Whoever tries next sees the new time. The pause doubles, from a second to an hour.
_CLAIM = text(f"""
UPDATE refunds r
   SET tries = r.tries + 1,
       next_try_at = statement_timestamp() + make_interval(secs => least(power(2, least(r.tries, 12)), 3600))
 WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = ANY(CAST(:ids AS uuid[]))
   AND r.next_try_at <= statement_timestamp()
RETURNING {columns(_DueRow, "r")}
""")  # noqa: S608 - our own names
_PAYMENTS = text("""
SELECT p.id, p.provider, p.reference FROM payments p
 WHERE p.screening_id = CAST(:screening_id AS bigint) AND p.id = ANY(CAST(:ids AS uuid[]))
""")
_DONE = text("""
UPDATE refunds SET done_at = statement_timestamp(), next_try_at = NULL
 WHERE screening_id = CAST(:screening_id AS bigint) AND id = :id AND done_at IS NULL
RETURNING payment_id, amount_minor, currency, cause, done_at
""")
_GONE_BACK = text("""
UPDATE payments SET refunding_minor = refunding_minor - CAST(:amount_minor AS bigint),
                    refunded_minor = refunded_minor + CAST(:amount_minor AS bigint)
 WHERE screening_id = CAST(:screening_id AS bigint) AND id = :payment_id RETURNING reference
""")
_ENTER = text("""
INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference, cause)
VALUES (:screening_id, :payment_id, :id, :done_at, 'refund', :amount_minor, :currency, :reference, :cause)
""")


class DueRefund(NamedTuple):
    """A refund that this process tries now."""

    screening_id: int
    id: UUID
    provider: str
    reference: str
    amount: Money


async def still_open(connection: AsyncConnection) -> int:
    """How many refunds the provider has not said yes to."""
    count: int = await connection.scalar(_OPEN)
    return count


async def due(connection: AsyncConnection, at_most: int) -> dict[int, list[UUID]]:
    """The refunds that are to be tried now, by screening."""
    found: dict[int, list[UUID]] = {}
    for row in await connection.execute(_DUE, {"at_most": at_most}):
        found.setdefault(row.screening_id, []).append(row.id)
    return found


async def claim(connection: AsyncConnection, screening_id: int, refund_ids: list[UUID]) -> list[DueRefund]:
    """Those of these refunds that this process is to try. No other one does before the pause is over."""
    rows = (await connection.execute(_CLAIM, {"screening_id": screening_id, "ids": refund_ids})).all()
    if not rows:
        return []
    given = {"screening_id": screening_id, "ids": list({row.payment_id for row in rows})}
    payments = {row.id: row for row in await connection.execute(_PAYMENTS, given)}
    return [
        DueRefund(
            screening_id,
            row.id,
            payments[row.payment_id].provider,
            payments[row.payment_id].reference,
            Money(row.amount_minor, row.currency),
        )
        for row in rows
    ]


async def done(connection: AsyncConnection, screening_id: int, refund_id: UUID) -> None:
    """The provider has given it back: enter that, once. Within a transaction."""
    row = (await connection.execute(_DONE, {"screening_id": screening_id, "id": refund_id})).mappings().one_or_none()
    if row is None:
        return
    given = {"screening_id": screening_id, **row}
    amount = {"screening_id": screening_id, "payment_id": row["payment_id"], "amount_minor": row["amount_minor"]}
    reference = await connection.scalar(_GONE_BACK, amount)
    await connection.execute(_ENTER, {**given, "id": refund_id, "reference": reference})
