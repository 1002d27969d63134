"""The books of the dummy provider, as a bank keeps them: in a schema of its own, and committed at once.

What becomes of a charge later is written when it begins: so it happens, whether a process lives or not. Whoever looks
first at a charge whose time has come enters what became of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.rows import columns
from app.domain.money import Money


class ChargeRow(NamedTuple):
    """A charge as the bank sees it."""

    screening_id: int
    key: str
    reference: str
    status: str
    amount_minor: int
    currency: str
    refunded_minor: int
    created_at: datetime
    charged_at: datetime | None


_ENTER = text("""
INSERT INTO dummy_bank.dummy_charges (screening_id, key, reference, status, amount_minor, currency, created_at,
                                      charged_at, decides_at, becomes, is_stubborn, refunds_to_fail, reports, report_at)
VALUES (:screening_id, :key, :reference, CAST(:status AS text), :amount_minor, :currency, statement_timestamp(),
        CASE WHEN CAST(:status AS text) = 'captured' THEN statement_timestamp() END,
        statement_timestamp() + make_interval(secs => CAST(:seconds AS double precision)), :becomes, :is_stubborn,
        :refunds_to_fail, :reports,
        statement_timestamp() + make_interval(secs => coalesce(CAST(:seconds AS double precision), 0)))
    ON CONFLICT (screening_id, key) DO NOTHING
""")
# What was due has happened when it was due.
_DECIDE = """
UPDATE dummy_bank.dummy_charges
   SET status = becomes, charged_at = CASE WHEN becomes = 'captured' THEN decides_at END, decides_at = NULL
 WHERE {which} AND decides_at <= statement_timestamp()
"""
_ONE = "screening_id = CAST(:screening_id AS bigint) AND key = :key"
_DECIDE_ONE = text(_DECIDE.format(which=_ONE))
_DECIDE_ALL = text(_DECIDE.format(which="true"))
_CHARGE = f"SELECT {columns(ChargeRow, 'c')} FROM dummy_bank.dummy_charges c WHERE "  # noqa: S608 - our own names
_READ = text(_CHARGE + _ONE)
_FIND = text("SELECT screening_id, key FROM dummy_bank.dummy_charges WHERE reference = :reference")
# Nothing is charged after this: but for a stubborn one, which a void does not stop.
_VOID = text(f"""
UPDATE dummy_bank.dummy_charges
   SET status = 'voided', decides_at = CASE WHEN is_stubborn THEN decides_at END
 WHERE {_ONE} AND status IN ('pending', 'action')
""")  # noqa: S608
_PAYER_DECIDES = f"""
UPDATE dummy_bank.dummy_charges SET {{what}}, reports = 1, report_at = statement_timestamp()
 WHERE {_ONE} AND status = 'action' RETURNING true
"""  # noqa: S608
_PAYER_APPROVES = text(_PAYER_DECIDES.format(what="status = 'captured', charged_at = statement_timestamp()"))
_PAYER_DECLINES = text(_PAYER_DECIDES.format(what="status = 'failed'"))

_FAIL_A_REFUND = text(f"""
UPDATE dummy_bank.dummy_charges SET refunds_to_fail = refunds_to_fail - 1
 WHERE {_ONE} AND refunds_to_fail > 0 RETURNING true
""")  # noqa: S608
_ENTER_REFUND = text("""
INSERT INTO dummy_bank.dummy_refunds (screening_id, key, reference, amount_minor, created_at)
VALUES (:screening_id, :refund_key, :reference, :amount_minor, statement_timestamp())
    ON CONFLICT (screening_id, key) DO NOTHING RETURNING true
""")
_REFUND = text(f"""
UPDATE dummy_bank.dummy_charges SET refunded_minor = refunded_minor + CAST(:amount_minor AS bigint)
 WHERE {_ONE} AND status = 'captured' RETURNING true
""")  # noqa: S608
# What was reported as charged is charged: a bank's word is its word.
_REFUND_WHAT_WAS_REPORTED = text(f"""
UPDATE dummy_bank.dummy_charges
   SET status = 'captured', charged_at = statement_timestamp(), decides_at = NULL, currency = :currency,
       amount_minor = CAST(:amount_minor AS bigint), refunded_minor = CAST(:amount_minor AS bigint)
 WHERE {_ONE}
""")  # noqa: S608

_HAS_REFUNDED = text("""
SELECT EXISTS (SELECT FROM dummy_bank.dummy_refunds
                WHERE screening_id = CAST(:screening_id AS bigint) AND key = :key)
""")

_TO_REPORT = text(f"""
SELECT {columns(ChargeRow, "c")}, c.reports FROM dummy_bank.dummy_charges c
 WHERE c.reports > 0 AND c.report_at <= statement_timestamp() ORDER BY c.report_at LIMIT :at_most
""")  # noqa: S608
_CLAIM_REPORT = text(f"""
UPDATE dummy_bank.dummy_charges SET report_at = statement_timestamp() + interval '5 seconds'
 WHERE {_ONE} AND reports > 0 AND report_at <= statement_timestamp() RETURNING true
""")  # noqa: S608
_REPORTED = text(f"""
UPDATE dummy_bank.dummy_charges SET reports = reports - 1, report_at = statement_timestamp()
 WHERE {_ONE} AND reports = :reports
""")  # noqa: S608

_BOOKS = """
SELECT {columns} FROM dummy_bank.dummy_charges c
 WHERE c.amount_minor > 0 {{after}} ORDER BY c.reference DESC LIMIT :at_most
""".format(columns=columns(ChargeRow, "c"))


async def enter(connection: AsyncConnection, given: dict[str, Any]) -> None:
    """Write a charge down, if it is new. `seconds` None: it is decided; else what it `becomes` after them."""
    await connection.execute(_ENTER, given)


async def charge(connection: AsyncConnection, screening_id: int, key: str) -> ChargeRow | None:
    """The charge with this key, as it is now. None: the bank knows of none."""
    given = {"screening_id": screening_id, "key": key}
    await connection.execute(_DECIDE_ONE, given)
    row = (await connection.execute(_READ, given)).one_or_none()
    return None if row is None else ChargeRow(*row)


async def charge_of(connection: AsyncConnection, reference: str) -> ChargeRow | None:
    """The same by its reference."""
    row = (await connection.execute(_FIND, {"reference": reference})).first()
    return None if row is None else await charge(connection, row.screening_id, row.key)


async def void(connection: AsyncConnection, screening_id: int, key: str) -> None:
    """Call a charge off, if it is not decided."""
    await connection.execute(_VOID, {"screening_id": screening_id, "key": key})


async def payer_decides(connection: AsyncConnection, its: ChargeRow, *, approve: bool) -> bool:
    """Whether the payer could decide: a charge that waits for them is captured, or has failed."""
    decision = _PAYER_APPROVES if approve else _PAYER_DECLINES
    return bool(await connection.scalar(decision, {"screening_id": its.screening_id, "key": its.key}))


async def fails_a_refund(connection: AsyncConnection, its: ChargeRow) -> bool:
    """Whether this refund is one of those that fail; one less will."""
    return bool(await connection.scalar(_FAIL_A_REFUND, {"screening_id": its.screening_id, "key": its.key}))


async def refund(connection: AsyncConnection, its: ChargeRow, refund_key: str, amount: Money) -> None:
    """Give back, once for each key. Within a transaction. Raises an IntegrityError if there is not so much."""
    given = {"screening_id": its.screening_id, "amount_minor": amount.amount_minor}
    is_new = await connection.scalar(_ENTER_REFUND, given | {"refund_key": refund_key, "reference": its.reference})
    if is_new and not await connection.scalar(_REFUND, given | {"key": its.key}):
        reported = given | {"key": its.key, "currency": amount.currency}
        await connection.execute(_REFUND_WHAT_WAS_REPORTED, reported)


async def has_refunded(connection: AsyncConnection, screening_id: int, refund_key: str) -> bool:
    """Whether it gave back with this key."""
    return bool(await connection.scalar(_HAS_REFUNDED, {"screening_id": screening_id, "key": refund_key}))


async def to_report(connection: AsyncConnection, at_most: int) -> list[tuple[ChargeRow, int]]:
    """Charges of which a report is due, and how many there are."""
    rows = await connection.execute(_TO_REPORT, {"at_most": at_most})
    return [(ChargeRow(*row[:-1]), row.reports) for row in rows]


async def claim_report(connection: AsyncConnection, its: ChargeRow) -> bool:
    """Whether this process reports. If it fails, somebody tries again in a few seconds."""
    return bool(await connection.scalar(_CLAIM_REPORT, {"screening_id": its.screening_id, "key": its.key}))


async def reported(connection: AsyncConnection, its: ChargeRow, reports: int) -> None:
    """One of so many reports was made."""
    await connection.execute(_REPORTED, {"screening_id": its.screening_id, "key": its.key, "reports": reports})


async def newest(connection: AsyncConnection, before: str | None, at_most: int) -> Sequence[ChargeRow]:
    """The bank's books, newest first."""
    await connection.execute(_DECIDE_ALL)
    query = _BOOKS.format(after="" if before is None else "AND c.reference < :before")
    given: dict[str, object] = {"at_most": at_most}
    if before is not None:
        given["before"] = before
    return [ChargeRow(*row) for row in await connection.execute(text(query), given)]
