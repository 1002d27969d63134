"""The named types of PostgreSQL have the members of ours, in their order."""

from typing import NamedTuple

import pytest

from app.db.bookings import BookingRow, BookingSeatRow
from app.db.box_office.rows_read import (
    ClaimRow,
    FoundBooking,
    FoundHeldFrom,
    FoundReservation,
    FoundSharedPayment,
    KeptSeatRow,
    KeyRow,
    LapseRow,
    ScreeningFacts,
    ScreeningRow,
    TransferRow,
)
from app.db.box_office.taken import MissedRow, TakenRow
from app.db.money.payments import PaymentRow
from app.db.reservations import ReservationRow, ReservationSeatRow
from app.db.seat_maps.seat_events import SeatChange
from tests.order import Connection

TYPES: dict[str, type[NamedTuple]] = {
    "usher_screening_facts": ScreeningFacts,
    "usher_screening": ScreeningRow,
    "usher_key": KeyRow,
    "usher_claim": ClaimRow,
    "usher_reservation": ReservationRow,
    "usher_found_reservation": FoundReservation,
    "usher_booking": BookingRow,
    "usher_found_booking": FoundBooking,
    "usher_payment": PaymentRow,
    "usher_transfer": TransferRow,
    "usher_shared_payment": FoundSharedPayment,
    "usher_lapse": LapseRow,
    "usher_held_from": FoundHeldFrom,
    "usher_kept_seat": KeptSeatRow,
    "usher_taken": TakenRow,
    "usher_missed": MissedRow,
    "usher_seat_change": SeatChange,
}


async def members(database: Connection, name: str) -> tuple[str, ...]:
    rows = await database.fetch(
        """SELECT a.attname FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
            WHERE t.typname = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""",
        name,
    )
    return tuple(row["attname"] for row in rows)


@pytest.mark.parametrize("name", TYPES)
async def test_a_type_has_the_members_of_its_row(database: Connection, name: str) -> None:
    assert await members(database, name) == TYPES[name]._fields


@pytest.mark.parametrize("row", [ReservationSeatRow, BookingSeatRow])
async def test_a_seat_of_either_is_one_type(database: Connection, row: type[NamedTuple]) -> None:
    assert (await members(database, "usher_seat"))[:-1] == row._fields[:-1]
    assert len(row._fields) == 4


async def test_every_type_of_usher_is_compared(database: Connection) -> None:
    found = await database.fetch("SELECT typname FROM pg_type WHERE typname LIKE 'usher\\_%' AND typtype = 'c'")

    assert {row["typname"] for row in found} == {*TYPES, "usher_seat"}
