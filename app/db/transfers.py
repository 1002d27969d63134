"""Transfers as whoever has the code reads them."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import bookings
from app.db.box_office.rows_read import TransferRow, transfer_of
from app.db.rows import columns
from app.domain.bookings import Booking
from app.domain.transfers import Transfer

_WITH_CODE = text(f"""
SELECT {columns(TransferRow, "t")}, statement_timestamp() AS now FROM transfers t
 WHERE t.screening_id = CAST(:screening_id AS bigint) AND t.code_hash = :code_hash
""")  # noqa: S608 - our own names


class FoundTransfer(NamedTuple):
    """A transfer, the booking that it is of, and the time (UTC)."""

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
