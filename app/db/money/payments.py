"""Payments as they are read: one, everybody's, and the rows that a batch reads; and their plans as JSON."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns, maker
from app.domain.idempotency import Key
from app.domain.money import Money
from app.domain.payments import Giving, Payment, PaymentState, PaymentStatus, Plan, RefundCause


class PaymentRow(NamedTuple):
    """What is read of a payment."""

    screening_id: int
    id: UUID
    user_id: int
    reservation_id: UUID | None
    booking_id: UUID | None
    provider: str
    reference: str | None
    status: str
    amount_minor: int
    currency: str
    captured_minor: int
    refunded_minor: int
    refunding_minor: int
    cause: str | None
    decline_reason: str | None
    redirect_url: str | None
    client_secret: str | None
    deadline: datetime | None
    plan: str | Mapping[str, Any] | None
    created_at: datetime


payment_row = maker(PaymentRow)


def payment_of(row: PaymentRow | Row[Any]) -> Payment:
    """A payment, from its row."""
    return Payment(
        id=row.id,
        user_id=row.user_id,
        reservation_id=row.reservation_id,
        booking_id=row.booking_id,
        provider=row.provider,
        reference=row.reference,
        status=PaymentState(row.status),
        amount=Money(row.amount_minor, row.currency),
        captured_minor=row.captured_minor,
        refunded_minor=row.refunded_minor,
        refunding_minor=row.refunding_minor,
        cause=RefundCause(row.cause) if row.cause else None,
        decline_reason=row.decline_reason,
        redirect_url=row.redirect_url,
        client_secret=row.client_secret,
        deadline=row.deadline,
        plan=None if row.plan is None else plan_of(row.plan),
        created_at=row.created_at,
    )


def plan_out(plan: Plan) -> dict[str, Any]:
    """A plan as it is stored."""
    out: dict[str, Any] = {"held_until": plan.held_until.isoformat()}
    if plan.is_direct:
        out |= {"is_direct": True, "returns": {str(seat_id): str(each) for seat_id, each in plan.returns.items()}}
    if plan.adjacent is not None:
        out["adjacent"] = plan.adjacent
    if giving := plan.giving:
        prices = {str(seat_id): [price.amount_minor, price.currency] for seat_id, price in giving.prices.items()}
        out["giving"] = {"booking_id": str(giving.booking_id), "prices": prices}
    if key := plan.key:
        out["key"] = {"owner_id": key.owner_id, "value": key.value, "fingerprint": key.fingerprint.hex()}
    return out


def plan_of(stored: str | Mapping[str, Any]) -> Plan:
    """A plan, from what is stored: asyncpg gives JSON as text, SQLAlchemy as what it says."""
    said = orjson.loads(stored) if isinstance(stored, str) else stored
    key, giving = said.get("key"), said.get("giving")
    return Plan(
        held_until=datetime.fromisoformat(said["held_until"]),
        is_direct=said.get("is_direct", False),
        returns={int(seat_id): UUID(each) for seat_id, each in said.get("returns", {}).items()},
        adjacent=said.get("adjacent"),
        key=Key(key["owner_id"], key["value"], bytes.fromhex(key["fingerprint"])) if key else None,
        giving=giving and _giving_of(giving),
    )


def _giving_of(stored: Mapping[str, Any]) -> Giving:
    prices = {int(seat_id): Money(*price) for seat_id, price in stored["prices"].items()}
    return Giving(UUID(stored["booking_id"]), prices)


_OPEN_FOR = text(f"""
SELECT {columns(PaymentRow, "p")} FROM payments p
 WHERE p.screening_id = CAST(:screening_id AS bigint) AND p.reservation_id = :reservation_id
   AND p.next_ask_at IS NOT NULL
""")  # noqa: S608 - our own names
_BY_REFERENCE = text(f"""
SELECT {columns(PaymentRow, "p")} FROM payments p
 WHERE p.reference = :reference AND p.provider = :provider ORDER BY p.id LIMIT 1
""")  # noqa: S608
_BY_ID = text(f"""
SELECT {columns(PaymentRow, "p")} FROM payments p WHERE p.screening_id = CAST(:screening_id AS bigint) AND p.id = :id
""")  # noqa: S608
_ENTRIES = text("""
SELECT e.screening_id, e.payment_id, e.at, e.kind, e.amount_minor, e.currency, e.reference, e.cause
  FROM payment_entries e WHERE e.screening_id = ANY(CAST(:screening_ids AS bigint[]))
   AND e.payment_id = ANY(CAST(:ids AS uuid[])) ORDER BY e.at, e.kind, e.id
""")
_LISTED = f"SELECT {columns(PaymentRow, 'p')} FROM payments p WHERE true"  # noqa: S608
# Those that came along with a transfer, too.
_BEHIND = """
(p.screening_id, p.id) IN (SELECT i.screening_id, i.id FROM payments i WHERE i.booking_id = :booking_id
                            UNION ALL
                           SELECT h.screening_id, h.payment_id FROM shared_payments h WHERE h.booking_id = :booking_id)
"""
_NEWEST_FIRST = " ORDER BY p.id DESC LIMIT :at_most"

# `payments.status_of` in SQL.
_OF_STATUS = {
    PaymentStatus.REFUND_PENDING: "p.refunding_minor > 0",
    PaymentStatus.REFUNDED: "p.refunding_minor = 0 AND p.refunded_minor > 0 AND p.refunded_minor = p.captured_minor",
    PaymentStatus.PARTLY_REFUNDED: (
        "p.refunding_minor = 0 AND p.refunded_minor > 0 AND p.refunded_minor < p.captured_minor"
    ),
}
_OF_STATE = "p.status = :status AND p.refunding_minor = 0 AND p.refunded_minor = 0"

# Whoever asks next sees the new time: a process asks, and no other one for as long as the pause lasts.
_DUE = text("""
SELECT p.screening_id, p.id FROM payments p
 WHERE p.next_ask_at <= statement_timestamp() ORDER BY p.next_ask_at LIMIT :at_most
""")
_CLAIM = text(f"""
UPDATE payments p
   SET asks = p.asks + 1,
       next_ask_at = statement_timestamp() + make_interval(secs => least(power(2, least(p.asks, 10)), :longest))
 WHERE p.screening_id = CAST(:screening_id AS bigint) AND p.id = :id AND p.next_ask_at <= statement_timestamp()
RETURNING {columns(PaymentRow, "p")}, statement_timestamp() AS now
""")  # noqa: S608


class EntryRow(NamedTuple):
    """What happened with a payment."""

    screening_id: int
    payment_id: UUID
    at: datetime
    kind: str
    amount_minor: int
    currency: str
    reference: str | None
    cause: str | None


class Asked(NamedTuple):
    """A payment that is to be asked for, its screening, and the time (UTC)."""

    screening_id: int
    payment: Payment
    now: datetime


async def open_for(connection: AsyncConnection, screening_id: int, reservation_id: UUID) -> Payment | None:
    """The payment for a reservation that is not decided yet."""
    given = {"screening_id": screening_id, "reservation_id": reservation_id}
    row = (await connection.execute(_OPEN_FOR, given)).one_or_none()
    return None if row is None else payment_of(row)


async def by_reference(connection: AsyncConnection, provider: str, reference: str) -> tuple[int, Payment] | None:
    """The payment that a provider calls so, and its screening."""
    row = (await connection.execute(_BY_REFERENCE, {"provider": provider, "reference": reference})).one_or_none()
    return None if row is None else (row.screening_id, payment_of(row))


async def by_id(connection: AsyncConnection, screening_id: int, payment_id: UUID) -> Payment | None:
    """One payment of a screening."""
    row = (await connection.execute(_BY_ID, {"screening_id": screening_id, "id": payment_id})).one_or_none()
    return None if row is None else payment_of(row)


async def newest(
    connection: AsyncConnection,
    *,
    payment_id: UUID | None = None,
    screening_id: int | None = None,
    booking_id: UUID | None = None,
    status: PaymentStatus | None = None,
    cause: RefundCause | None = None,
    before: UUID | None = None,
    at_most: int = 1,
) -> list[tuple[Payment, int]]:
    """Payments and their screenings, newest first: those that stand behind a booking, and so on. None: any."""
    query = _LISTED
    given: dict[str, object] = {"at_most": at_most}
    wanted = {
        "id = :id": ("id", payment_id),
        "screening_id = CAST(:screening_id AS bigint)": ("screening_id", screening_id),
        "cause = :cause": ("cause", cause),
        "id < :before": ("before", before),
    }
    for condition, (name, value) in wanted.items():
        if value is not None:
            query += f" AND p.{condition}"
            given[name] = value
    if booking_id is not None:
        query += f" AND {_BEHIND}"
        given["booking_id"] = booking_id
    if status is not None:
        query += f" AND {_OF_STATUS.get(status, _OF_STATE)}"
        if status not in _OF_STATUS:
            given["status"] = status.value
    rows = await connection.execute(text(query + _NEWEST_FIRST), given)
    return [(payment_of(row), row.screening_id) for row in rows]


async def entries_of(connection: AsyncConnection, payments: Sequence[tuple[Payment, int]]) -> list[EntryRow]:
    """What happened with these payments, in order."""
    given = {"screening_ids": sorted({each for _, each in payments}), "ids": [each.id for each, _ in payments]}
    return [EntryRow(*row) for row in await connection.execute(_ENTRIES, given)] if payments else []


async def due(connection: AsyncConnection, at_most: int) -> list[tuple[int, UUID]]:
    """Screenings and ids of payments whose provider is to be asked now."""
    return [(row.screening_id, row.id) for row in await connection.execute(_DUE, {"at_most": at_most})]


async def claim(connection: AsyncConnection, screening_id: int, payment_id: UUID, longest: float) -> Asked | None:
    """The payment, if this process is to ask for it. None: another one does. The pause until then doubles each time,
    up to `longest` seconds.
    """
    given = {"screening_id": screening_id, "id": payment_id, "longest": longest}
    row = (await connection.execute(_CLAIM, given)).one_or_none()
    return None if row is None else Asked(screening_id, payment_of(row), row.now)
