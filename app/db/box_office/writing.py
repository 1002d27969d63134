"""What a batch writes, in one statement: a set-based part for each kind of row, and only for the kinds that it has.

Nothing is written when what was decided about is not as it was read. A claim where there was none, a key that was not
known: the primary key refuses the second. A reservation or booking that changes still has the version that it had. And
the screening was not edited; where more than that was looked at, nothing at all happened in it.

So two processes that sell other seats of one screening do not disturb each other. Their versions are handed out here,
where the screenings' rows are locked, and only until the statement has committed: whoever decided on version 12 for an
event, and finds that somebody else had it first, writes 13.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson

from app.db.box_office.parts import Part, Row
from app.db.box_office.rows_written import (
    BOOKING_SEATS_CHANGED,
    BOOKING_SEATS_MADE,
    BOOKINGS_MADE,
    PAYMENTS_AT_ONCE,
    RESERVATIONS_MADE,
    VERSIONS_MOVED,
    BookingSeat,
)
from app.db.connections import OfficeConnection

_FIRST: Final = (VERSIONS_MOVED, BOOKINGS_MADE, RESERVATIONS_MADE)
"""Rivals wait for each other at the first; what other rows refer to follows."""

# Says the type of the time, also where no part needs it.
_MOMENT: Final = "moment AS (SELECT $1::timestamptz AS now)"
_SHIFTS: Final = "shifts AS MATERIALIZED (SELECT array_agg(shift ORDER BY ordinal) AS shifts FROM versions_moved)"

# What follows from a charge that cannot fail: its capture, and the books of the dummy, which has no other such charges.
# What is free is no charge.
_CHARGED: Final = "p.amount_minor > 0"
_FOLLOWS: Final = {
    "captures_entered": (
        "INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference)"
        " SELECT {its}, p.id, p.id, $1::timestamptz, 'capture', p.amount_minor, p.currency, p.reference"
    ),
    "charges_entered": (
        "INSERT INTO dummy_bank.dummy_charges"
        " (screening_id, key, reference, status, amount_minor, currency, created_at, charged_at)"
        " SELECT {its}, concat({its}, '.', p.id), p.reference, 'captured', p.amount_minor, p.currency,"
        " $1::timestamptz, $1::timestamptz"
    ),
}
_OF_MANY: Final = f"FROM {PAYMENTS_AT_ONCE.name} p WHERE {_CHARGED}"
_OF_ONE: Final = f"FROM screening_states s, {PAYMENTS_AT_ONCE.name} p WHERE s.screening_id = $2 AND {_CHARGED}"


class Writes:
    """The rows that a batch writes, by kind, and the time of all its decisions (UTC)."""

    def __init__(self, at: datetime, rows: Mapping[Part[Any], list[Any]] | None = None) -> None:
        self.at = at
        self._rows = defaultdict(list, rows or {})

    def rows(self, part: Part[Row]) -> list[Row]:
        """The rows of one kind: whoever has more of them appends them."""
        return self._rows[part]

    def __bool__(self) -> bool:
        return any(self._rows.values())

    def by_statement(self) -> list["Writes"]:
        """What may be written in one statement, in this order: none, one or two.

        A seat that leaves a booking and joins another in one batch would have two live bookings for a moment, and the
        index one_live_booking_per_seat allows none: then the seats that leave come before all else.
        """
        changed = self._rows.get(BOOKING_SEATS_CHANGED)
        if not changed:
            return [self] if self else []
        leaving, joining = _by_life(changed)
        joining_too = _by_life(self._rows.get(BOOKING_SEATS_MADE, ()))[1]
        if _seats(leaving).isdisjoint(_seats((*joining, *joining_too))):
            return [self]
        rest = {**self._rows, BOOKING_SEATS_CHANGED: joining}
        return [Writes(self.at, {BOOKING_SEATS_CHANGED: leaving}), Writes(self.at, rest)]

    @property
    def parts(self) -> tuple[Part[Any], ...]:
        """The kinds of rows there are, always in the same order, so that the statement is prepared once."""
        there = (part for part, rows in self._rows.items() if rows)
        return tuple(sorted(there, key=_place))


async def write(connection: OfficeConnection, writes: Writes, *, of: int | None = None) -> list[int]:
    """Write everything in one statement.

    Returns, in the order of VERSIONS_MOVED, how much further on each screening was than it was read: so much higher are
    all of its versions that were written.

    `of`: the one screening that everything is of.

    Raises asyncpg's errors: IntegrityConstraintViolationError when something is not as it was read. Then nothing was
    written, and if there is a transaction, it is to be rolled back.
    """
    parts = writes.parts
    rows = (_json(writes.rows(part)) for part in parts)
    if of is None:
        shifts = await connection.fetchval(_statement(parts), writes.at, *rows)
    else:
        shifts = await connection.fetchval(_statement_of_one(parts), writes.at, of, *rows)
    return shifts or []


@cache
def _statement(parts: tuple[Part[Any], ...]) -> str:
    """One statement that writes all of the parts; its parameters are the time, and their rows in the same order."""
    moves = VERSIONS_MOVED in parts
    shift = "coalesce((SELECT shifts FROM shifts)[w.ordinal], 0)" if moves else "0"
    written = [_MOMENT]
    for number, part in enumerate(parts, 2):
        written.append(f"{part.name} AS ({part.sql.format(parameter=f'${number}::json', shift=shift)})")
        if part is VERSIONS_MOVED:
            written.append(_SHIFTS)
        if part is PAYMENTS_AT_ONCE:
            written += [f"{name} AS ({sql.format(its='p.screening_id')} {_OF_MANY})" for name, sql in _FOLLOWS.items()]
    return f"WITH {', '.join(written)} SELECT {'shifts FROM shifts' if moves else 'NULL::bigint[]'}"  # noqa: S608 - our own names


@cache
def _statement_of_one(parts: tuple[Part[Any], ...]) -> str:
    """The same of one screening: the time, the screening, and the rows."""
    moves = VERSIONS_MOVED in parts
    shift, moved = ("v.shift", f"{VERSIONS_MOVED.name} v, ") if moves else ("0", "")
    written = [_MOMENT]
    for number, part in enumerate(parts, 3):
        sql = part.of_one.format(parameter=f"${number}::json", shift=shift, moved=moved)
        written.append(f"{part.name} AS ({sql})")
        if part is PAYMENTS_AT_ONCE:
            written += [f"{name} AS ({sql.format(its='s.screening_id')} {_OF_ONE})" for name, sql in _FOLLOWS.items()]
    told = f"ARRAY[shift] FROM {VERSIONS_MOVED.name}" if moves else "NULL::bigint[]"
    return f"WITH {', '.join(written)} SELECT {told}"


def _by_life(rows: Iterable[BookingSeat]) -> tuple[list[BookingSeat], list[BookingSeat]]:
    """The seats that are in their bookings no more, and those that are."""
    gone: list[BookingSeat] = []
    live: list[BookingSeat] = []
    for row in rows:
        (live if row["cancelled_at"] is None else gone).append(row)
    return gone, live


def _seats(rows: Iterable[BookingSeat]) -> set[tuple[int, int]]:
    return {(row["screening_id"], row["seat_id"]) for row in rows}


def _place(part: Part[Any]) -> tuple[int, str]:
    return (_FIRST.index(part) if part in _FIRST else len(_FIRST)), part.name


def _json(rows: list[Any]) -> str:
    return orjson.dumps(rows, default=_text).decode()


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
