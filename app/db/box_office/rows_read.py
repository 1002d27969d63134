"""What a batch reads, row by row. asyncpg gives ROW(...) as a tuple, by name or not: each type here is made from one.

The types in PostgreSQL (usher_claim and so on) have the same members, in the same order; a test compares them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row

from app.db.bookings import BookingRow, booking_row
from app.db.money.payments import PaymentRow, payment_row
from app.db.reservations import ReservationRow, reservation_row
from app.db.rows import columns, maker
from app.domain.claims import Claim, ClaimStatus
from app.domain.transfers import Transfer, TransferStatus


class ScreeningFacts(NamedTuple):
    """What organizers say about a screening and its theater, as its state has it."""

    id: int
    theater_id: int
    layout_revision: int
    timezone: str
    starts_at: datetime
    sales_open_at: datetime | None
    sales_close_at: datetime | None
    cancelled_at: datetime | None
    hold_seconds: int | None
    max_hold_seconds: int | None
    prices: str
    max_seats_per_reservation: int | None
    max_seats_per_user: int | None
    max_active_reservations_per_user: int | None
    bookings_per_user_per_day: int | None
    revision: int
    orphan_rule: str
    reserved_places: str
    cancel_until: datetime | None


FACTS = f"ROW({columns(ScreeningFacts, 's', id='s.screening_id')})::usher_screening_facts"
"""From `screening_states s`."""


class ScreeningRow(NamedTuple):
    """What is so for long, and the version, which every change of a seat moves."""

    facts: ScreeningFacts
    version: int


class KeyRow(NamedTuple):
    """What is stored under an idempotency key."""

    owner_id: int
    key: str
    fingerprint: bytes
    user_id: int
    created: bool
    location: str | None
    body: bytes
    created_at: datetime
    screening_id: int


class ClaimRow(NamedTuple):
    """Who has a seat."""

    screening_id: int
    seat_id: int
    status: str
    user_id: int | None
    reservation_id: UUID | None
    booking_id: UUID | None
    expires_at: datetime | None
    reason: str | None


class LapseRow(NamedTuple):
    """A seat that a user held: when that began, counted from the first of a chain, and when it ended or will."""

    screening_id: int
    user_id: int
    seat_id: int
    first_held_at: datetime
    ended_at: datetime


class KeptSeatRow(NamedTuple):
    """The last hold of a seat from an address, when it began, and when it ended or will; None: it was booked.

    `counted_ms`: for how long the holds before it lasted, in milliseconds.
    """

    screening_id: int
    address: bytes
    seat_id: int
    reservation_id: UUID
    counted_ms: int
    began_at: datetime
    ended_at: datetime | None


class TransferRow(NamedTuple):
    """Seats of a booking that were offered, and what was written down of that."""

    screening_id: int
    id: UUID
    booking_id: UUID
    seat_ids: Sequence[int]
    code_hash: bytes
    status: str
    created_at: datetime
    accepted_as: UUID | None


class FoundSharedPayment(NamedTuple):
    """A payment that stands behind this booking, too."""

    booking_id: UUID
    payment: PaymentRow


class FoundReservation(NamedTuple):
    """A reservation, and the claims of the seats that it still names, whoever has them now."""

    reservation: ReservationRow
    claims: Sequence[ClaimRow]


class FoundHeldFrom(NamedTuple):
    """From where a reservation is held, and the reservation."""

    address: bytes
    network: bytes
    found: FoundReservation


class FoundBooking(NamedTuple):
    """A booking, and the claims of its seats."""

    booking: BookingRow
    claims: Sequence[ClaimRow]


def claim_of(row: ClaimRow) -> Claim:
    """A claim, from its row."""
    status = ClaimStatus(row.status)
    return Claim(row.seat_id, status, row.user_id, row.reservation_id, row.booking_id, row.expires_at, row.reason)


def transfer_of(row: TransferRow | Row[Any]) -> Transfer:
    """A transfer, from its row."""
    return Transfer(
        id=row.id,
        booking_id=row.booking_id,
        seat_ids=tuple(row.seat_ids),
        code_hash=row.code_hash,
        status=TransferStatus(row.status),
        created_at=row.created_at,
        accepted_as=row.accepted_as,
    )


_facts = maker(ScreeningFacts)
key_row = maker(KeyRow)
claim_row = maker(ClaimRow)
transfer_row = maker(TransferRow)
lapse_row = maker(LapseRow)
kept_seat_row = maker(KeptSeatRow)


def screening_row(row: Iterable[Any]) -> ScreeningRow:
    """From `FACTS` in a ROW, and the version."""
    facts, version = row
    return ScreeningRow(_facts(facts), version)


def found_reservation(row: Iterable[Any]) -> FoundReservation:
    """From a ROW of the reservation's columns, and an ARRAY of claims."""
    reservation, claims = row
    return FoundReservation(reservation_row(reservation), list(map(claim_row, claims)))


def found_held_from(row: Iterable[Any]) -> FoundHeldFrom:
    """From a ROW of both hashes, and of what `found_reservation` is made from."""
    address, network, found = row
    return FoundHeldFrom(address, network, found_reservation(found))


def found_shared_payment(row: Iterable[Any]) -> FoundSharedPayment:
    """From a ROW of the booking's id, and of the payment's columns."""
    booking_id, payment = row
    return FoundSharedPayment(booking_id, payment_row(payment))


def found_booking(row: Iterable[Any]) -> FoundBooking:
    """From a ROW of the booking's columns, and an ARRAY of claims."""
    booking, claims = row
    return FoundBooking(booking_row(booking), list(map(claim_row, claims)))
