"""The statement with which a batch reads, part by part, in two forms from one source.

A batch of many screenings names rows by pairs: of a screening and what is looked for there. A batch of one screening
has the screening in $1, and every table in the statement is asked for its rows alone: so a PostgreSQL of many nodes
(Citus) sees which node has them all. Rows within rows have named types, because no others pass from node to node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Final

from app.db import bookings, reservations
from app.db.box_office import taken
from app.db.box_office.rows_read import FACTS, ClaimRow, KeyRow, TransferRow
from app.db.money.payments import PaymentRow
from app.db.rows import columns

LOCK: Final = f"""
SELECT {FACTS} AS facts, s.version FROM screening_states s
 WHERE s.screening_id = ANY($1::bigint[]) ORDER BY s.screening_id
   FOR NO KEY UPDATE
"""
LOCK_ONE: Final = f"""
SELECT {FACTS} AS facts, s.version FROM screening_states s WHERE s.screening_id = $1 FOR NO KEY UPDATE
"""

WRITTEN: Final = """
SELECT min(e.version) FROM seat_events e
 WHERE e.screening_id = $1 AND e.version >= $2 AND e.seat_id = $3 AND e.at = $4
"""
FENCE: Final = "UPDATE screening_states SET revision = revision + 1 WHERE screening_id = $1"

# The least id (UUID version 7) of a reservation that may be taken again: a hold may last for 7 days, and is late for as
# many. The rules know better how long it is here.
_LATELY: Final = """
CAST(lpad(to_hex(CAST(extract(epoch FROM statement_timestamp() - interval '15 days') * 1000 AS bigint)), 12, '0')
     || repeat('0', 20) AS uuid)
"""

_KEY: Final = f"ROW({columns(KeyRow, 'k')})::usher_key"
_CLAIM: Final = f"ROW({columns(ClaimRow, 'c')})::usher_claim"
_PAYMENT: Final = f"ROW({columns(PaymentRow, 'p')})::usher_payment"
_TRANSFER: Final = f"ROW({columns(TransferRow, 't')})::usher_transfer"
_NO_CLAIMS: Final = "ARRAY[]::usher_claim[]"


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the statement: what it selects, and from where in each of the two forms.

    `{0}` and `{1}` are the parameters of the part: pairs, or, of one screening, the second of each pair alone. `{its}`
    is how a row's screening is named: by the row above it, or as $1.
    """

    select: str
    many: str
    one: str
    parameters: tuple[str, ...] = ("screening_id", "of_it")


def _look_up(select: str, table: str, name: str, column: str, kind: str, extra: str = "") -> _Part:
    """The rows of a `table` that have one of the values in a `column`. OFFSET 0 keeps each look-up an index probe."""
    of_w, of_its = (f" AND {extra.format(row=row)}" if extra else "" for row in ("i", name))
    return _Part(
        select,
        f"FROM unnest({{0}}::bigint[], {{1}}::{kind}[]) AS w(screening_id, {column}), LATERAL ("
        f"SELECT * FROM {table} i WHERE i.screening_id = w.screening_id AND i.{column} = w.{column}{of_w} OFFSET 0)"
        f" {name}",
        f"FROM {table} {name} WHERE {name}.screening_id = $1 AND {name}.{column} = ANY({{0}}::{kind}[]){of_its}",
    )


def _claims_of(seats: str, link: str, above: str, ends: str, and_theirs: bool = False) -> dict[bool, str]:
    """The claims of the seats of a reservation or booking, by whether it is the form of one screening."""
    theirs = f" AND {{}}.{link} = s.{link}" if and_theirs else ""
    of_it = f"s.{link} = {above}.id AND s.{ends} IS NULL"
    return {
        False: f"ARRAY(SELECT {_CLAIM} FROM {seats} s, LATERAL (SELECT * FROM seat_claims i"
        f" WHERE i.screening_id = s.screening_id AND i.seat_id = s.seat_id{theirs.format('i')} OFFSET 0) c"
        f" WHERE s.screening_id = {above}.screening_id AND {of_it})",
        True: f"ARRAY(SELECT {_CLAIM} FROM {seats} s"
        f" JOIN seat_claims c ON c.screening_id = $1 AND c.seat_id = s.seat_id{theirs.format('c')}"
        f" WHERE s.screening_id = $1 AND {of_it})",
    }


def _later(select: str, table: str, name: str, seats: str, link: str) -> _Part:
    """What the owners of holds held or booked after them, of the same seats."""
    return _Part(
        select,
        "FROM unnest({0}::bigint[], {1}::uuid[]) AS w(screening_id, id)"
        " JOIN reservations o ON o.screening_id = w.screening_id AND o.id = w.id, LATERAL ("
        f"SELECT * FROM {table} i WHERE i.user_id = o.user_id AND i.id > o.id AND i.screening_id = o.screening_id"
        f" AND EXISTS (SELECT FROM reservation_seats s JOIN {seats} n USING (screening_id, seat_id)"
        f" WHERE s.screening_id = o.screening_id AND s.reservation_id = o.id AND n.{link} = i.id) OFFSET 0) {name}",
        f"FROM reservations o JOIN {table} {name} ON {name}.screening_id = $1 AND {name}.user_id = o.user_id"
        f" AND {name}.id > o.id"
        " WHERE o.screening_id = $1 AND o.id = ANY({0}::uuid[])"
        f" AND EXISTS (SELECT FROM reservation_seats s JOIN {seats} n ON n.screening_id = $1 AND n.seat_id = s.seat_id"
        f" WHERE s.screening_id = $1 AND s.reservation_id = o.id AND n.{link} = {name}.id)",
    )


# One buyer's newest reservations of a seat, so many at most: whoever makes more within a hold time keeps nothing by it.
_LAPSES_AT_MOST: Final = 200
_ALL_LAPSES_AT_MOST: Final = 2_000
"""Of all seats together: ten of each of so many reservations."""

# A seat that its reservation still holds, run out or not, has a claim that says so.
_NO_CLAIM: Final = "(s.released_at IS NOT NULL OR {row}.status NOT IN ('held', 'paying'))"

# Where no seat is named, no claim is read: what is still held is not free, and what has run out is. A moment ahead: the
# batch's time is read a little later.
_IS_OVER: Final = f"({_NO_CLAIM} OR {{row}}.expires_at <= statement_timestamp() + interval '1 second')"

# When a seat of reservation r ceased, or will cease, to be held by it. A reservation's last version is that of the
# change that ended it, and has one time; the events may be forgotten by then.
_ENDED: Final = """
coalesce(s.released_at, CASE WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
         SELECT e.at FROM seat_events e WHERE e.screening_id = {its} AND e.version = r.version LIMIT 1))
                             ELSE r.expires_at END)
"""


def _kept(*named: str) -> _Part:
    """How seats were kept from addresses. `named`: the columns by which, besides the screening, with their types."""
    columns = [each.split()[0] for each in named]
    of_w = " AND ".join(f"i.{each} = w.{each}" for each in columns)
    numbers = [f"{{{number}}}::{each.split()[1]}[]" for number, each in enumerate(named)]
    later = [f"{{{number}}}::{each.split()[1]}[]" for number, each in enumerate(named, 1)]
    return _Part(
        "ROW({its}, k.address_key, k.seat_id, k.reservation_id, k.counted_ms, k.began_at,"
        " CASE WHEN r.status = 'booked' AND s.released_at IS NULL THEN NULL ELSE {ended} END)::usher_kept_seat",
        f"FROM unnest({{0}}::bigint[], {', '.join(later)}) AS w(screening_id, {', '.join(columns)}), LATERAL ("
        f"SELECT * FROM kept_seats i WHERE i.screening_id = w.screening_id AND {of_w} OFFSET 0) k, LATERAL ("
        "SELECT * FROM reservations i WHERE i.screening_id = k.screening_id AND i.id = k.reservation_id OFFSET 0) r,"
        " LATERAL (SELECT * FROM reservation_seats i WHERE i.screening_id = k.screening_id"
        " AND i.reservation_id = k.reservation_id AND i.seat_id = k.seat_id OFFSET 0) s",
        f"FROM unnest({', '.join(numbers)}) AS w({', '.join(columns)})"
        f" JOIN kept_seats k ON k.screening_id = $1 AND {of_w.replace('i.', 'k.')}"
        " JOIN reservations r ON r.screening_id = $1 AND r.id = k.reservation_id"
        " JOIN reservation_seats s ON s.screening_id = $1 AND s.reservation_id = k.reservation_id"
        " AND s.seat_id = k.seat_id",
        ("screening_id", *columns),
    )


_RESERVATION: Final = "ROW({reservation}, {claims})::usher_found_reservation"
_BOOKING: Final = "ROW({booking}, {booking_claims})::usher_found_booking"

# What may be read, by the member of Wanted that names it. Keys are looked for in all screenings, or in the one.
_PARTS: Final[Mapping[str, _Part]] = {
    "keys": _Part(
        _KEY,
        "FROM unnest({0}::bigint[], {1}::text[]) AS w(owner_id, key), LATERAL ("
        "SELECT * FROM idempotency_keys i WHERE i.owner_id = w.owner_id AND i.key = w.key OFFSET 0) k",
        "FROM unnest({0}::bigint[], {1}::text[]) AS w(owner_id, key)"
        " JOIN idempotency_keys k ON k.screening_id = $1 AND k.owner_id = w.owner_id AND k.key = w.key",
        ("owner_id", "key"),
    ),
    "seats": _look_up(_CLAIM, "seat_claims", "c", "seat_id", "bigint"),
    "users": _look_up(_CLAIM, "seat_claims", "c", "user_id", "bigint"),
    "reservations": _look_up(_RESERVATION, "reservations", "r", "id", "uuid"),
    "bookings": _look_up(_BOOKING, "bookings", "b", "id", "uuid"),
    "payments": _look_up(_PAYMENT, "payments", "p", "id", "uuid"),
    "payments_behind": _look_up(_PAYMENT, "payments", "p", "booking_id", "uuid"),
    "payments_for": _look_up(_PAYMENT, "payments", "p", "reservation_id", "uuid", "{row}.next_ask_at IS NOT NULL"),
    "shared_payments": _Part(
        f"ROW(h.booking_id, {_PAYMENT})::usher_shared_payment",
        "FROM unnest({0}::bigint[], {1}::uuid[]) AS w(screening_id, booking_id), LATERAL ("
        "SELECT * FROM shared_payments i WHERE i.screening_id = w.screening_id AND i.booking_id = w.booking_id"
        " OFFSET 0) h, LATERAL ("
        "SELECT * FROM payments i WHERE i.screening_id = h.screening_id AND i.id = h.payment_id OFFSET 0) p",
        "FROM shared_payments h JOIN payments p ON p.screening_id = $1 AND p.id = h.payment_id"
        " WHERE h.screening_id = $1 AND h.booking_id = ANY({0}::uuid[])",
    ),
    "transfers": _look_up(_TRANSFER, "transfers", "t", "code_hash", "bytea"),
    "offers": _look_up(_TRANSFER, "transfers", "t", "booking_id", "uuid", "{row}.status = 'offered'"),
    "run_out": _look_up(
        _RESERVATION, "reservations", "r", "user_id", "bigint", f"{{row}}.id > {_LATELY} AND {{row}}.status = 'expired'"
    ),
    "lapses": _Part(
        "ROW({its}, r.user_id, s.seat_id, r.first_held_at, {ended})::usher_lapse",
        "FROM unnest({0}::bigint[], {1}::bigint[], {2}::bigint[]) AS w(screening_id, user_id, seat_id), LATERAL ("
        "SELECT * FROM reservation_seats i"
        " WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id AND i.user_id = w.user_id"
        f" ORDER BY i.reservation_id DESC LIMIT {_LAPSES_AT_MOST}) s, LATERAL ("
        "SELECT * FROM reservations i WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id"
        f" AND {_NO_CLAIM.format(row='i')} OFFSET 0) r",
        "FROM (SELECT i.*,"
        " row_number() OVER (PARTITION BY i.user_id, i.seat_id ORDER BY i.reservation_id DESC) AS place"
        " FROM unnest({0}::bigint[], {1}::bigint[]) AS w(user_id, seat_id)"
        " JOIN reservation_seats i ON i.screening_id = $1 AND i.seat_id = w.seat_id AND i.user_id = w.user_id) s"
        f" JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND {_NO_CLAIM.format(row='r')}"
        f" WHERE s.place <= {_LAPSES_AT_MOST}",
        ("screening_id", "user_id", "seat_id"),
    ),
    # The order comes after the fence: it leaves it no other index than that of the user.
    "all_lapses": _Part(
        "ROW({its}, r.user_id, s.seat_id, r.first_held_at, {ended})::usher_lapse",
        "FROM unnest({0}::bigint[], {1}::bigint[]) AS w(screening_id, user_id), LATERAL ("
        "SELECT * FROM (SELECT * FROM reservation_seats i"
        " WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id OFFSET 0) i"
        f" ORDER BY i.reservation_id DESC LIMIT {_ALL_LAPSES_AT_MOST}) s, LATERAL ("
        "SELECT * FROM reservations i WHERE i.screening_id = s.screening_id AND i.id = s.reservation_id"
        f" AND {_IS_OVER.format(row='i')} OFFSET 0) r",
        "FROM (SELECT i.*, row_number() OVER (PARTITION BY i.user_id ORDER BY i.reservation_id DESC) AS place"
        " FROM reservation_seats i WHERE i.screening_id = $1 AND i.user_id = ANY({0}::bigint[])) s"
        f" JOIN reservations r ON r.screening_id = $1 AND r.id = s.reservation_id AND {_IS_OVER.format(row='r')}"
        f" WHERE s.place <= {_ALL_LAPSES_AT_MOST}",
        ("screening_id", "user_id"),
    ),
    "held_from": _Part(
        "ROW(a.address_key, a.network_key, ROW({reservation}, {claims})::usher_found_reservation)::usher_held_from",
        "FROM unnest({0}::bigint[], {1}::bytea[]) AS w(screening_id, network_key), LATERAL ("
        "SELECT * FROM anonymous_holds i WHERE i.screening_id = w.screening_id AND i.network_key = w.network_key"
        " OFFSET 0) a, LATERAL ("
        "SELECT * FROM reservations i WHERE i.screening_id = a.screening_id AND i.id = a.reservation_id"
        " AND i.status IN ('held', 'paying') OFFSET 0) r",
        "FROM anonymous_holds a JOIN reservations r ON r.screening_id = $1 AND r.id = a.reservation_id"
        " AND r.status IN ('held', 'paying')"
        " WHERE a.screening_id = $1 AND a.network_key = ANY({0}::bytea[])",
    ),
    "kept_seats": _kept("address_key bytea", "seat_id bigint"),
    "kept_there": _kept("address_key bytea"),
    "taken": _Part(taken.TAKEN, taken.TAKEN_OF_MANY, taken.TAKEN_OF_ONE, ("screening_id",)),
    "missed": _Part(taken.MISSED, taken.MISSED_OF_MANY, taken.MISSED_OF_ONE, ("screening_id", "since")),
    "due": _Part(_RESERVATION, taken.DUE_OF_MANY, taken.DUE_OF_ONE, ("screening_id",)),
    "later_reservations": _later(
        f"ROW({{reservation}}, {_NO_CLAIMS})::usher_found_reservation",
        "reservations",
        "r",
        "reservation_seats",
        "reservation_id",
    ),
    "later_bookings": _later(
        f"ROW({{booking}}, {_NO_CLAIMS})::usher_found_booking", "bookings", "b", "booking_seats", "booking_id"
    ),
    "screenings": _Part(
        f"ROW({FACTS}, s.version)::usher_screening",
        "FROM screening_states s WHERE s.screening_id = ANY({0}::bigint[]) ORDER BY s.screening_id",
        "FROM screening_states s WHERE s.screening_id = $1",
        ("screening_id",),
    ),
}


def _named(*, is_one: bool) -> dict[str, str]:
    screening = "$1" if is_one else None
    return {
        "reservation": reservations.row_of(screening or "r.screening_id"),
        "booking": bookings.row_of(screening or "b.screening_id"),
        "claims": _claims_of("reservation_seats", "reservation_id", "r", "released_at")[is_one],
        "its": screening or "r.screening_id",
        "ended": _ENDED.format(its=screening or "r.screening_id"),
        "booking_claims": _claims_of("booking_seats", "booking_id", "b", "cancelled_at", and_theirs=True)[is_one],
    }


@cache
def reading(kinds: tuple[str, ...], *, is_one: bool) -> str:
    """One statement that reads just these parts: what nobody names costs nothing.

    All of one moment. The time is asked for here, after the wait for a lock: now() stopped at BEGIN. `is_one`: of one
    screening, which is $1.
    """
    numbers = count(2 if is_one else 1)
    named = _named(is_one=is_one)
    parts = ["clock_timestamp() AS now"]
    for kind in kinds:
        part = _PARTS[kind]
        parameters = part.parameters
        if is_one:
            parameters = tuple(each for each in parameters if each != "screening_id")
        given = [f"${next(numbers)}" for _ in parameters]
        source = part.one if is_one else part.many
        select = part.select.format(**named)
        for number, parameter in enumerate(given):
            source = source.replace(f"{{{number}}}", parameter)
        parts.append(f"ARRAY(SELECT {select} {source}) AS {kind}")
    return f"SELECT {', '.join(parts)}"
