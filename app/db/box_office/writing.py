"""What a batch writes, in one statement: a set-based part for each kind of row, and only for the kinds that it has.

Nothing is written when what was decided about is not as it was read. A claim where there was none, a key that was not
known: the primary key refuses the second. A reservation or booking that changes still has the version that it had. And
the screening was not edited; where more than that was looked at, nothing at all happened in it.

So two processes that sell other seats of one screening do not disturb each other. Their versions are handed out here,
where the screenings' rows are locked, and only until the statement has committed: whoever decided on version 12 for an
event, and finds that somebody else had it first, writes 13.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson

from app.db.connections import OfficeConnection


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One kind of row to write, by the names of its `columns`, and the statements that write it, each with a name.

    Rows travel as JSON, one parameter for each part: a third of the work that arrays take here, where all of a batch is
    written by one thread, and a little more in PostgreSQL, which has others (*measured*: 1.2 instead of 3.6
    microseconds for a row of twelve columns). What there takes the time is understanding them (*measured*: a third of
    it): so nothing is said twice that is the same for all.

    In the statements, `{parameter}` stands for that parameter, and `{shift}` for how much further on the screening at
    the row's `ordinal` was than its version said (0: nobody came between).
    """

    name: str
    columns: tuple[str, ...]
    statements: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a column travels, if it does, and what is stored, if it is: some only say something about the others."""

    in_json: str | None
    value: str | None


_NOW: Final = "(SELECT now FROM moment)"
# JSON has no bytes: they go as hexadecimal digits, or as the text that they are. A `body` that tells a version ends
# before it, and the `tail` follows it: the number is handed out here. No time `since` is the time of the batch.
_KINDS: Final = {
    "now": _Kind(None, _NOW),
    "since": _Kind("timestamptz", f"coalesce(w.{{name}}, {_NOW})"),
    "bytea": _Kind("text", "decode(w.{name}, 'hex')"),
    "version": _Kind("bigint", "w.{name} + {shift}"),
    "body": _Kind("text", "convert_to(w.{name} || coalesce((w.version + {shift}) || w.tail, ''), 'UTF8')"),
    "tail": _Kind("text", None),
    "its_version": _Kind("bigint", None),
    "ordinal": _Kind("int", None),
}


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str

    @property
    def in_json(self) -> str | None:
        """The type that a row of JSON has it in."""
        return _KINDS[self.kind].in_json if self.kind in _KINDS else self.kind

    @property
    def value(self) -> str | None:
        """What a row of JSON says that is to be stored."""
        value = _KINDS[self.kind].value if self.kind in _KINDS else "w.{name}"
        return value and value.replace("{name}", self.name)


def _columns(declared: str) -> tuple[_Column, ...]:
    return tuple(_Column(*each.split()) for each in declared.split(","))


def _part(name: str, columns: tuple[_Column, ...], sql: str, *more: tuple[str, str]) -> Part:
    """`{rows}` in the `sql` are the rows. The statements after it may read what it gives, by its name."""
    sent = [column for column in columns if column.in_json]
    rows = f"json_to_recordset({{parameter}}) AS w({', '.join(f'{each.name} {each.in_json}' for each in sent)})"
    return Part(name, tuple(each.name for each in sent), ((name, sql.replace("{rows}", rows)), *more))


def _insert(name: str, table: str, declared: str) -> Part:
    columns = _columns(declared)
    stored = [(column.name, column.value) for column in columns if column.value]
    names, values = (", ".join(each) for each in zip(*stored, strict=True))
    return _part(name, columns, f"INSERT INTO {table} ({names}) SELECT {values} FROM {{rows}}")  # noqa: S608 - our own names


def _insert_too(rows: str, table: str, same: str, **others: str) -> tuple[str, str]:
    """One more statement for a part: into a table, from its rows; columns of the `same` name, and expressions."""
    names, values = ", ".join((same, *others)), ", ".join((same, *others.values()))
    return f"{rows}_in_{table}", f"INSERT INTO {table} ({names}) SELECT {values} FROM {rows}"  # noqa: S608 - our own names


def _change(name: str, table: str, key: str, declared: str) -> Part:
    keys, columns = _columns(key), _columns(declared)
    changes = ", ".join(f"{column.name} = {column.value}" for column in columns if column.value)
    return _part(name, keys + columns, f"UPDATE {table} t SET {changes} FROM {{rows}} WHERE {_same(keys)}")  # noqa: S608


def _change_as_read(name: str, table: str, key: str, declared: str) -> Part:
    """As `_change`, if its version is still the `version_before`; else nothing: a version cannot be null."""
    changed = _change(name, table, key, f"{declared}, version_before its_version, version version, ordinal ordinal")
    was_read = "version = CASE WHEN t.version = w.version_before THEN w.version + {shift} END"
    [(_, sql)] = changed.statements
    return replace(changed, statements=((name, sql.replace("version = w.version + {shift}", was_read)),))


def _delete(name: str, table: str, key: str) -> Part:
    keys = _columns(key)
    return _part(name, keys, f"DELETE FROM {table} t USING {{rows}} WHERE {_same(keys)}")  # noqa: S608


def _same(keys: tuple[_Column, ...]) -> str:
    return " AND ".join(f"t.{key.name} = {key.value}" for key in keys)


_SEAT = "screening_id int, seat_id int"
_CLAIM = "status text, user_id bigint, reservation_id uuid, booking_id uuid, expires_at timestamptz, reason text"
_PRICE = "amount_minor bigint, currency text"

CLAIMS_MADE = _insert("claims_made", "seat_claims", f"{_SEAT}, {_CLAIM}")
CLAIMS_CHANGED = _change("claims_changed", "seat_claims", _SEAT, _CLAIM)
CLAIMS_FREED = _delete("claims_freed", "seat_claims", _SEAT)

RESERVATIONS_MADE = _insert(
    "reservations_made",
    "reservations",
    "screening_id int, id uuid, user_id bigint, status text, created_at now, first_held_at since, "
    "expires_at timestamptz, booking_id uuid, version version, ordinal ordinal",
)
RESERVATIONS_CHANGED = _change_as_read(
    "reservations_changed",
    "reservations",
    "screening_id int, id uuid",
    "status text, expires_at timestamptz, booking_id uuid",
)
RESERVATION_SEATS_MADE = _insert(
    "reservation_seats_made",
    "reservation_seats",
    f"screening_id int, reservation_id uuid, seat_id int, {_PRICE}, released_at timestamptz",
)
RESERVATION_SEATS_CHANGED = _change(
    "reservation_seats_changed",
    "reservation_seats",
    "screening_id int, reservation_id uuid, seat_id int",
    f"{_PRICE}, released_at timestamptz",
)

BOOKINGS_MADE = _insert(
    "bookings_made",
    "bookings",
    "screening_id int, id uuid, user_id bigint, reservation_id uuid, status text, payment_status text, "
    "payment_reference text, created_at now, cancelled_at timestamptz, version version, ordinal ordinal",
)
BOOKINGS_CHANGED = _change_as_read(
    "bookings_changed",
    "bookings",
    "screening_id int, id uuid",
    "status text, payment_status text, cancelled_at timestamptz",
)
BOOKING_SEATS_MADE = _insert(
    "booking_seats_made",
    "booking_seats",
    f"screening_id int, booking_id uuid, seat_id int, {_PRICE}, cancelled_at timestamptz",
)
BOOKING_SEATS_CHANGED = _change(
    "booking_seats_changed",
    "booking_seats",
    "screening_id int, booking_id uuid, seat_id int",
    f"{_PRICE}, cancelled_at timestamptz",
)

KEYS_MADE = _insert(
    "keys_made",
    "idempotency_keys",
    "screening_id int, owner_id bigint, key text, fingerprint bytea, user_id bigint, created bool, location text, "
    "body body, tail tail, created_at now, version its_version, ordinal ordinal",
)
# A replay writes too, so that its COMMIT waits for a synchronous standby as the first one should have.
KEYS_REPLAYED = _change(
    "keys_replayed", "idempotency_keys", "screening_id int, owner_id bigint, key text", "replayed_at timestamptz"
)

EVENTS_MADE = _insert(
    "events_made",
    "seat_events",
    "screening_id int, version version, seat_id int, at now, from_status text, to_status text, user_id bigint, "
    "previous_user_id bigint, expires_at timestamptz, cause text, actor_id bigint, request_id text, ordinal ordinal",
)
# What a plain hold says of a seat that nobody had: its claim, its price and its event have most of it in common.
_HELD = "screening_id, reservation_id, seat_id"
SEATS_HELD = _part(
    "seats_held",
    _columns(
        "screening_id int, seat_id int, user_id bigint, reservation_id uuid, expires_at timestamptz, "
        "amount_minor bigint, currency text, version version, request_id text, ordinal ordinal"
    ),
    "SELECT w.*, w.version + {shift} AS its_version FROM {rows}",
    _insert_too("seats_held", "seat_claims", f"{_HELD}, user_id, expires_at", status="'held'"),
    _insert_too("seats_held", "reservation_seats", f"{_HELD}, amount_minor, currency"),
    _insert_too(
        "seats_held",
        "seat_events",
        "screening_id, seat_id, user_id, expires_at, request_id",
        version="its_version",
        at=_NOW,
        from_status="'available'",
        to_status="'reserved'",
        cause="'api'",
        actor_id="user_id",
    ),
)

# `edits` is the sum of both revisions, which only grow. A version cannot be null: then nothing is written. This comes
# first, so that rivals wait for each other here, in the order of the ids. `ordinal` counts from 1.
VERSIONS_MOVED = _part(
    "versions_moved",
    _columns("ordinal int, id int, version_before bigint, moves int, edits int, must_be_as_read bool"),
    "UPDATE screenings t SET version = CASE WHEN t.revision + t.layout_revision = w.edits"
    " AND NOT (w.must_be_as_read AND t.version <> w.version_before) THEN t.version + w.moves END"
    " FROM {rows} WHERE t.id = w.id RETURNING w.ordinal, t.version - w.moves - w.version_before AS shift",
)
_SHIFTS: Final = "shifts AS MATERIALIZED (SELECT array_agg(shift ORDER BY ordinal) AS shifts FROM versions_moved)"


class Writes:
    """The rows that a batch writes, by kind, and the time of all its decisions (UTC)."""

    def __init__(self, at: datetime, rows: Mapping[Part, list[tuple[Any, ...]]] | None = None) -> None:
        self.at = at
        self._rows = defaultdict(list, rows or {})

    def count(self, part: Part) -> int:
        """How many rows of one kind there are."""
        return len(self._rows[part]) if part in self._rows else 0

    def add(self, part: Part, *row: Any) -> None:
        """One more row, its values in the order of the part's columns."""
        self._rows[part].append(row)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def by_statement(self) -> list["Writes"]:
        """What may be written in one statement, in this order: none, one or two.

        A seat that is cancelled and sold again in one batch would have two live bookings for a moment, and the index
        one_live_booking_per_seat allows none: seats that leave bookings come before those that join others.
        """
        if BOOKING_SEATS_CHANGED not in self._rows or BOOKING_SEATS_MADE not in self._rows:
            return [self] if self else []
        rest = {part: rows for part, rows in self._rows.items() if part is not BOOKING_SEATS_CHANGED}
        first = {BOOKING_SEATS_CHANGED: self._rows[BOOKING_SEATS_CHANGED]}
        return [Writes(self.at, first), Writes(self.at, rest)]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The kinds of rows there are, always in the same order, so that the statement is prepared once."""
        return tuple(sorted(self._rows, key=lambda part: (part is not VERSIONS_MOVED, part.name)))

    def rows_of(self, part: Part) -> list[dict[str, Any]]:
        """The rows of one kind, by the names of their columns."""
        return [dict(zip(part.columns, row, strict=True)) for row in self._rows[part]]


async def write(connection: OfficeConnection, writes: Writes) -> list[int]:
    """Write everything in one statement.

    Returns, in the order of VERSIONS_MOVED, how much further on each screening was than it was read: so much higher are
    all of its versions that were written.

    Raises asyncpg's errors: IntegrityConstraintViolationError when something is not as it was read. Then nothing was
    written, and if there is a transaction, it is to be rolled back.
    """
    parts = writes.parts
    rows = (_json(writes.rows_of(part)) for part in parts)
    shifts = await connection.fetchval(_statement(parts), writes.at, *rows)
    return shifts or []


@cache
def _statement(parts: tuple[Part, ...]) -> str:
    """One statement that writes all of the parts; its parameters are the time, and their rows in the same order."""
    moves = VERSIONS_MOVED in parts
    shift = "coalesce((SELECT shifts FROM shifts)[w.ordinal], 0)" if moves else "0"
    written = ["moment AS (SELECT $1::timestamptz AS now)"]
    for number, part in enumerate(parts, 2):
        for name, sql in part.statements:
            written.append(f"{name} AS ({sql.format(parameter=f'${number}::json', shift=shift)})")
        if part is VERSIONS_MOVED:
            written.append(_SHIFTS)
    return f"WITH {', '.join(written)} SELECT {'shifts FROM shifts' if moves else 'NULL::bigint[]'}"  # noqa: S608 - our own names


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows, default=_text).decode()


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
