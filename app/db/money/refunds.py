"""Refunds that are to be carried out: which are due, who tries them, and what is written when it is known more."""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID, uuid5

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
    tries: int


# Whoever tries next sees the new time. Rivals that want the same rows do not wait for each other.
_CLAIM = text(f"""
WITH mine AS (
    SELECT r.id FROM refunds r
     WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = ANY(CAST(:ids AS uuid[]))
       AND r.next_try_at <= statement_timestamp() ORDER BY r.id FOR UPDATE SKIP LOCKED)
UPDATE refunds r SET tries = r.tries + 1, next_try_at = statement_timestamp() + make_interval(secs => :seconds)
  FROM mine WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = mine.id
RETURNING {columns(_DueRow, "r")}
""")  # noqa: S608 - our own names
_PAYMENTS = text("""
SELECT p.id, p.provider, p.reference FROM payments p
 WHERE p.screening_id = CAST(:screening_id AS bigint) AND p.id = ANY(CAST(:ids AS uuid[]))
""")
_PAUSE: Final = "statement_timestamp() + make_interval(secs => least(power(2, least(r.tries - 1, 12)), 3600))"
_AGAIN = text(f"""
UPDATE refunds r SET next_try_at = {_PAUSE}
 WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = :id AND r.tries = :tries AND r.done_at IS NULL
""")  # noqa: S608
_STANDING = text("""
SELECT r.tries, r.done_at IS NOT NULL AS is_done, r.payment_id, p.provider, p.reference
  FROM refunds r JOIN payments p ON p.screening_id = CAST(:screening_id AS bigint) AND p.id = r.payment_id
 WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = :id
""")
_RETURNING: Final = "RETURNING r.payment_id, r.amount_minor, r.currency, r.cause"
_DONE: Final = f"""
UPDATE refunds r SET done_at = statement_timestamp(), next_try_at = NULL
 WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = :id AND r.tries = :tries AND r.done_at IS NULL
{_RETURNING}
"""  # noqa: S608
# One try more: whoever still believes in the one before cannot say that it is done.
_NOT_DONE: Final = f"""
UPDATE refunds r SET tries = r.tries + 1, done_at = NULL, next_try_at = {_PAUSE}
 WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.id = :id AND r.tries = :tries
   AND (r.done_at IS NOT NULL) = :was_done
{_RETURNING}
"""  # noqa: S608
_MOVED: Final = """
WITH told AS ({told})
UPDATE payments p SET refunding_minor = p.refunding_minor {minus} t.amount_minor,
                      refunded_minor = p.refunded_minor {plus} t.amount_minor
  FROM told t WHERE p.screening_id = CAST(:screening_id AS bigint) AND p.id = t.payment_id
RETURNING t.payment_id, t.amount_minor, t.currency, t.cause, p.reference, statement_timestamp() AS at
"""
_GONE_BACK = text(_MOVED.format(told=_DONE, minus="-", plus="+"))
_COME_BACK = text(_MOVED.format(told=_NOT_DONE, minus="+", plus="-"))
_DENIED = text(_NOT_DONE)
_ENTER = text("""
INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference, cause)
VALUES (:screening_id, :payment_id, :id, :at, :kind, :amount_minor, :currency, :reference, :cause)
""")
_IS_ENTERED = text("""
SELECT EXISTS (SELECT FROM payment_entries
                WHERE screening_id = CAST(:screening_id AS bigint) AND payment_id = :payment_id AND id = :id)
""")


class DueRefund(NamedTuple):
    """A refund that this process tries now, for the so many-th time."""

    screening_id: int
    id: UUID
    provider: str
    reference: str
    amount: Money
    tries: int


class Standing(NamedTuple):
    """How a refund stands. `tries` changes whenever something is learnt of it."""

    tries: int
    is_done: bool
    payment_id: UUID
    provider: str
    reference: str


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


async def claim(
    connection: AsyncConnection, screening_id: int, refund_ids: Collection[UUID], seconds: float
) -> list[DueRefund]:
    """Those of these refunds that this process is to try. No other one does for so long, or until `again`."""
    given = {"screening_id": screening_id, "ids": list(refund_ids), "seconds": seconds}
    rows = (await connection.execute(_CLAIM, given)).all()
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
            row.tries,
        )
        for row in rows
    ]


async def again(connection: AsyncConnection, refund: DueRefund) -> None:
    """It did not work: try again after a pause, which doubles from a second to an hour."""
    await connection.execute(_AGAIN, {"screening_id": refund.screening_id, "id": refund.id, "tries": refund.tries})


async def standing(connection: AsyncConnection, screening_id: int, refund_id: UUID) -> Standing | None:
    """How a refund stands; None: there is none."""
    row = (await connection.execute(_STANDING, {"screening_id": screening_id, "id": refund_id})).one_or_none()
    return None if row is None else Standing(*row)


async def done(connection: AsyncConnection, screening_id: int, refund_id: UUID, tries: int) -> bool:
    """The provider has given it back with this try: enter that, once. Within a transaction. Whether it was news."""
    given = {"screening_id": screening_id, "id": refund_id, "tries": tries}
    row = (await connection.execute(_GONE_BACK, given)).mappings().one_or_none()
    if row is None:
        return False
    entry = {"screening_id": screening_id, **row, "id": refund_id, "kind": "refund"}
    if tries > 1 and await connection.scalar(_IS_ENTERED, {name: entry[name] for name in _NAMES_ENTRY}):
        entry["id"] = uuid5(refund_id, f"done {tries}")  # it was done before, and came to nothing
    await connection.execute(_ENTER, entry)
    return True


async def not_done(connection: AsyncConnection, screening_id: int, refund_id: UUID, known: Standing) -> bool:
    """The provider has not given it back, whatever it said before: it is tried again after a pause. Within a
    transaction.

    Whether that is so: not if somebody has learnt more of it since it stood as is `known`.
    """
    given = {"screening_id": screening_id, "id": refund_id, "tries": known.tries, "was_done": known.is_done}
    if not known.is_done:
        return (await connection.execute(_DENIED, given)).one_or_none() is not None
    row = (await connection.execute(_COME_BACK, given)).mappings().one_or_none()
    if row is None:
        return False
    entry = {"screening_id": screening_id, **row, "id": uuid5(refund_id, f"failed {known.tries}"), "kind": "fail"}
    await connection.execute(_ENTER, entry)
    return True


_NAMES_ENTRY: Final = ("screening_id", "payment_id", "id")
