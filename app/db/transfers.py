"""Transfers as whoever has the code reads them, and as giver and taker do."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import bookings
from app.db.box_office.rows_read import TransferRow, transfer_of
from app.db.rows import columns
from app.domain.bookings import Booking
from app.domain.transfers import Transfer, TransferSide

_WITH_CODE = text(f"""
SELECT {columns(TransferRow, "t")}, statement_timestamp() AS now FROM transfers t
 WHERE t.screening_id = CAST(:screening_id AS bigint) AND t.code_hash = :code_hash
""")  # noqa: S608 - our own names

# A side's own booking of a transfer is the one that the seats were offered from, or the one that they went into.
_OF_A_SIDE: Final = f"""
SELECT {columns(TransferRow, "t")}, statement_timestamp() AS now FROM bookings b
  JOIN transfers t ON t.screening_id = b.screening_id AND t.{{its_booking}} = b.id
 WHERE b.user_id = :user_id AND t.id < coalesce(CAST(:before AS uuid), CAST('{UUID(int=2**128 - 1)}' AS uuid))
   AND b.screening_id = coalesce(CAST(:screening_id AS bigint), b.screening_id)
 ORDER BY t.id DESC LIMIT :at_most
"""  # noqa: S608 - our own names
_OF_SIDES: Final = {
    TransferSide.GIVER: text(_OF_A_SIDE.format(its_booking="booking_id")),
    TransferSide.TAKER: text(_OF_A_SIDE.format(its_booking="accepted_as")),
}


class FoundTransfer(NamedTuple):
    """A transfer, the booking that it is of, and the time (UTC)."""

    transfer: Transfer
    booking: Booking
    now: datetime


class ListedTransfer(NamedTuple):
    """A transfer of a list, with its screening."""

    screening_id: int
    transfer: Transfer
    booking: Booking
    now: datetime


async def with_code(connection: AsyncConnection, screening_id: int, code_hash: bytes) -> FoundTransfer | None:
    """The transfer of a screening whose code has this hash. Ask in a transaction that sees one moment."""
    given = {"screening_id": screening_id, "code_hash": code_hash}
    row = (await connection.execute(_WITH_CODE, given)).one_or_none()
    if row is None:
        return None
    booking = await bookings.of_screening(connection, screening_id, row.booking_id)
    return FoundTransfer(transfer_of(row), booking, row.now)


async def newest(
    connection: AsyncConnection,
    side: TransferSide,
    user_id: int,
    *,
    screening_id: int | None,
    before: UUID | None,
    at_most: int,
) -> list[ListedTransfer]:
    """Transfers that a user is on this side of, newest first. Ask in a transaction that sees one moment.

    Of a screening, older than `before`; None: any.
    """
    given = {"user_id": user_id, "screening_id": screening_id, "before": before, "at_most": at_most}
    rows = (await connection.execute(_OF_SIDES[side], given)).all()
    offered_from = await bookings.some(connection, {row.booking_id for row in rows})
    return [ListedTransfer(row.screening_id, transfer_of(row), offered_from[row.booking_id], row.now) for row in rows]
