"""What a batch reads: its screenings, the clock, and just the rows that it names; under a lock, or all of one moment.

One statement and the lock, or one more when a named seat leads to a reservation or booking that nobody named; never
more, whatever the size of the batch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID

from app.db.box_office import questions
from app.db.box_office.rows_read import (
    ClaimRow,
    FoundBooking,
    FoundHeldFrom,
    FoundReservation,
    FoundSharedPayment,
    KeptSeatRow,
    KeyRow,
    LapseRow,
    ScreeningRow,
    TransferRow,
    claim_row,
    found_booking,
    found_held_from,
    found_reservation,
    found_shared_payment,
    kept_seat_row,
    key_row,
    lapse_row,
    screening_row,
    transfer_row,
)
from app.db.box_office.taken import MissedRow, TakenRow, missed_row, taken_row
from app.db.connections import OfficeConnection
from app.db.money.payments import PaymentRow, payment_row

_MAKERS: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {
    "keys": key_row,
    "seats": claim_row,
    "users": claim_row,
    "reservations": found_reservation,
    "bookings": found_booking,
    "payments": payment_row,
    "payments_behind": payment_row,
    "payments_for": payment_row,
    "shared_payments": found_shared_payment,
    "transfers": transfer_row,
    "offers": transfer_row,
    "run_out": found_reservation,
    "lapses": lapse_row,
    "all_lapses": lapse_row,
    "held_from": found_held_from,
    "kept_seats": kept_seat_row,
    "kept_there": kept_seat_row,
    "taken": taken_row,
    "missed": missed_row,
    "due": found_reservation,
    "later_reservations": found_reservation,
    "later_bookings": found_booking,
    "screenings": screening_row,
}


@dataclass(slots=True)
class Wanted:
    """The rows that a batch names, each set once: pairs of screening (or owner) and what is looked for there."""

    keys: set[tuple[int, str]] = field(default_factory=set)
    seats: set[tuple[int, int]] = field(default_factory=set)
    users: set[tuple[int, int]] = field(default_factory=set)
    reservations: set[tuple[int, UUID]] = field(default_factory=set)
    bookings: set[tuple[int, UUID]] = field(default_factory=set)
    payments: set[tuple[int, UUID]] = field(default_factory=set)
    payments_behind: set[tuple[int, UUID]] = field(default_factory=set)
    """Bookings that may change: their payments are read, those that they share, and what of them is offered."""
    payments_for: set[tuple[int, UUID]] = field(default_factory=set)
    """Reservations whose open payments are read."""
    transfers: set[tuple[int, bytes]] = field(default_factory=set)
    """Screenings and hashes of codes."""
    run_out: set[tuple[int, int]] = field(default_factory=set)
    """Users whose expired holds are read, as far as they may be taken again."""
    lapses: set[tuple[int, int, int]] = field(default_factory=set)
    """Screening, user and seat: whether they held that seat before is read."""
    all_lapses: set[tuple[int, int]] = field(default_factory=set)
    """Screening and user: which seats they held before is read."""
    held_from: set[tuple[int, bytes]] = field(default_factory=set)
    """Networks: what is held from there by callers without an account is read."""
    kept_seats: set[tuple[int, bytes, int]] = field(default_factory=set)
    """Screening, address and seat: how callers without an account kept that seat from there is read."""
    kept_there: set[tuple[int, bytes]] = field(default_factory=set)
    """Screening and address: the same of all seats."""
    taken: set[tuple[int]] = field(default_factory=set)
    """Screenings of which all that is taken is read."""
    missed: set[tuple[int, int]] = field(default_factory=set)
    """Screenings and versions: what changed since is read."""
    due: set[tuple[int]] = field(default_factory=set)
    """Screenings of which the holds are read that have run out and were not swept."""
    late: set[tuple[int, UUID]] = field(default_factory=set)
    """Holds that are to be taken again: what their owners held or booked since is read."""

    def __bool__(self) -> bool:
        return any(self.by_kind().values())

    def by_kind(self) -> dict[str, set[Any]]:
        """What is named, under the names of `_PARTS`."""
        return {
            "keys": self.keys,
            "seats": self.seats,
            "users": self.users,
            "reservations": self.reservations,
            "bookings": self.bookings,
            "payments": self.payments,
            "payments_behind": self.payments_behind,
            "payments_for": self.payments_for,
            "shared_payments": self.payments_behind,
            "transfers": self.transfers,
            "offers": self.payments_behind,
            "run_out": self.run_out,
            "lapses": self.lapses,
            "all_lapses": self.all_lapses,
            "held_from": self.held_from,
            "kept_seats": self.kept_seats,
            "kept_there": self.kept_there,
            "taken": self.taken,
            "missed": self.missed,
            "due": self.due,
            "later_reservations": self.late,
            "later_bookings": self.late,
        }


@dataclass(slots=True)
class Found:
    """What was there at `now` (UTC, PostgreSQL's clock); screenings by their ids."""

    now: datetime
    keys: list[KeyRow] = field(default_factory=list)
    seats: list[ClaimRow] = field(default_factory=list)
    users: list[ClaimRow] = field(default_factory=list)
    reservations: list[FoundReservation] = field(default_factory=list)
    bookings: list[FoundBooking] = field(default_factory=list)
    payments: list[PaymentRow] = field(default_factory=list)
    payments_behind: list[PaymentRow] = field(default_factory=list)
    payments_for: list[PaymentRow] = field(default_factory=list)
    shared_payments: list[FoundSharedPayment] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)
    offers: list[TransferRow] = field(default_factory=list)
    run_out: list[FoundReservation] = field(default_factory=list)
    lapses: list[LapseRow] = field(default_factory=list)
    all_lapses: list[LapseRow] = field(default_factory=list)
    held_from: list[FoundHeldFrom] = field(default_factory=list)
    kept_seats: list[KeptSeatRow] = field(default_factory=list)
    kept_there: list[KeptSeatRow] = field(default_factory=list)
    taken: list[TakenRow] = field(default_factory=list)
    missed: list[MissedRow] = field(default_factory=list)
    due: list[FoundReservation] = field(default_factory=list)
    later_reservations: list[FoundReservation] = field(default_factory=list)
    later_bookings: list[FoundBooking] = field(default_factory=list)
    screenings: list[ScreeningRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Proof:
    """An event that a batch writes in one of its screenings, at the time of the batch; with this version or a higher
    one. No other batch changes the same seat at that very time: one of the two would have read what the other wrote.
    """

    screening_id: int
    version: int
    seat_id: int
    at: datetime


async def lock(connection: OfficeConnection, screening_ids: Sequence[int]) -> list[ScreeningRow]:
    """Lock these screenings until the transaction ends, in the order of their ids, so that no two batches deadlock.

    Waits for rivals: a batch of another process, or an organizer's edit. Returns those that exist.
    """
    if len(screening_ids) == 1:
        rows = await connection.fetch(questions.LOCK_ONE, screening_ids[0])
    else:
        rows = await connection.fetch(questions.LOCK, screening_ids)
    return list(map(screening_row, rows))


async def read(
    connection: OfficeConnection, wanted: Wanted, screening_ids: Sequence[int] = (), *, of: int | None = None
) -> Found:
    """The clock, the rows that a batch names, and those of these screenings that exist.

    `of`: the one screening that everything is of. Then no other is asked for anything: its keys count, and no others.
    """
    named = {kind: _parted(rows) for kind, rows in wanted.by_kind().items() if rows}
    if of is not None:
        named = {kind: parameters if kind == "keys" else parameters[1:] for kind, parameters in named.items()}
    kinds = (*named, "screenings") if screening_ids else tuple(named)
    given: list[Any] = [*chain.from_iterable(named.values())]
    if of is not None and kinds:
        given.insert(0, of)
    elif screening_ids:
        given.append(screening_ids)
    record = await connection.fetchrow(questions.reading(kinds, is_one=of is not None), *given)
    assert record is not None  # noqa: S101 (a SELECT without FROM gives one row)
    return Found(record["now"], **{kind: list(map(_MAKERS[kind], record[kind])) for kind in kinds})


async def fence(connection: OfficeConnection, screening_ids: Sequence[int]) -> None:
    """Nothing that was read before is written after this: it finds screenings that were edited meanwhile."""
    for screening_id in screening_ids:
        await connection.execute(questions.FENCE, screening_id)


async def written(connection: OfficeConnection, proofs: Sequence[Proof]) -> dict[int, int]:
    """What there is of these proofs: screenings, and how much higher their versions are than was expected.

    Ask with the screenings locked.
    """
    shifts: dict[int, int] = {}
    for each in proofs:
        named = each.screening_id, each.version, each.seat_id, each.at
        version = await connection.fetchval(questions.WRITTEN, *named)
        if version is not None:
            shifts[each.screening_id] = version - each.version
    return shifts


def _parted(named: set[tuple[Any, ...]]) -> tuple[Sequence[Any], ...]:
    return tuple(list(column) for column in zip(*named, strict=True))
