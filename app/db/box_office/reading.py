"""What a batch reads: its screenings, the clock, and just the rows that it names; under a lock, or all of one moment.

One statement and the lock, or one more when a named seat leads to a reservation or booking that nobody named; never
more, whatever the size of the batch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain, count
from typing import Any, Final
from uuid import UUID

from app.db import bookings, reservations
from app.db.box_office.rows_read import (
    FACTS,
    ClaimRow,
    FoundBooking,
    FoundHeldFrom,
    FoundReservation,
    KeyRow,
    LapseRow,
    ScreeningRow,
    claim_row,
    found_booking,
    found_held_from,
    found_reservation,
    key_row,
    lapse_row,
    screening_row,
)
from app.db.box_office.taken import DUE, MISSED, TAKEN, MissedRow, TakenRow, missed_row, taken_row
from app.db.connections import OfficeConnection
from app.db.rows import columns

# Whoever waits for a row reads that row anew when it gets it, but nothing joined to it: what must be as new as the lock
# is of `s`. That is why the layout's revision is written there too.
_LOCK = f"""
SELECT ROW({FACTS}) AS facts, s.version
  FROM screenings s JOIN theaters t ON t.id = s.theater_id
 WHERE s.id = ANY($1::int[]) ORDER BY s.id
   FOR NO KEY UPDATE OF s
"""  # noqa: S608 - our own names

# The least id (UUID version 7) of a reservation that may be taken again: a hold may last for 7 days, and is late for as
# many. The rules know better how long it is here.
_LATELY: Final = """
CAST(lpad(to_hex(CAST(extract(epoch FROM statement_timestamp() - interval '15 days') * 1000 AS bigint)), 12, '0')
     || repeat('0', 20) AS uuid)
"""

_CLAIMS: Final = f"""
           ARRAY(SELECT ROW({columns(ClaimRow, "c")})
                   FROM reservation_seats s, LATERAL (
                        SELECT * FROM seat_claims i WHERE i.screening_id = s.screening_id
                           AND i.seat_id = s.seat_id OFFSET 0) c
                  WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL)
"""  # noqa: S608 - our own names

# One buyer's newest reservations, so many at most: whoever makes more of them within a hold time keeps nothing by it.
_LAPSES_AT_MOST: Final = 200

# When a seat of reservation r ceased, or will cease, to be held by it. A reservation's last version is that of the
# change that ended it; the events may be forgotten by then.
_ENDED: Final = """
           coalesce(s.released_at, CASE WHEN r.status IN ('released', 'booked') THEN least(r.expires_at, (
                    SELECT e.at FROM seat_events e
                     WHERE e.screening_id = r.screening_id AND e.version = r.version LIMIT 1))
                                        ELSE r.expires_at END)
"""

# What may be read, by the member of Wanted that names it. OFFSET 0 keeps each look-up an index probe.
_PARTS: Final = {
    "taken": TAKEN,
    "missed": MISSED,
    "due": DUE,
    "keys": """
SELECT ROW({key})
  FROM unnest({0}::bigint[], {1}::text[]) AS w(owner_id, key), LATERAL (
       SELECT * FROM idempotency_keys i WHERE i.owner_id = w.owner_id AND i.key = w.key OFFSET 0) k""",
    "seats": """
SELECT ROW({claim})
  FROM unnest({0}::int[], {1}::int[]) AS w(screening_id, seat_id), LATERAL (
       SELECT * FROM seat_claims i WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id OFFSET 0) c""",
    "users": """
SELECT ROW({claim})
  FROM unnest({0}::int[], {1}::bigint[]) AS w(screening_id, user_id), LATERAL (
       SELECT * FROM seat_claims i WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id OFFSET 0) c""",
    "reservations": """
SELECT ROW(ROW({reservation}), {claims})
  FROM unnest({0}::int[], {1}::uuid[]) AS w(screening_id, id), LATERAL (
       SELECT * FROM reservations i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) r""",
    "bookings": """
SELECT ROW(ROW({booking}),
           ARRAY(SELECT ROW({claim})
                   FROM booking_seats s, LATERAL (
                        SELECT * FROM seat_claims i WHERE i.screening_id = s.screening_id
                           AND i.seat_id = s.seat_id AND i.booking_id = s.booking_id OFFSET 0) c
                  WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NULL))
  FROM unnest({0}::int[], {1}::uuid[]) AS w(screening_id, id), LATERAL (
       SELECT * FROM bookings i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) b""",
    "run_out": """
SELECT ROW(ROW({reservation}), {claims})
  FROM unnest({0}::int[], {1}::bigint[]) AS w(screening_id, user_id), LATERAL (
       SELECT * FROM reservations i WHERE i.user_id = w.user_id AND i.id > {lately}
          AND i.screening_id = w.screening_id AND i.status = 'expired' OFFSET 0) r""",
    # The order leaves it no other index than that of the user.
    "lapses": """
SELECT ROW(w.screening_id, w.user_id, s.seat_id, r.first_held_at, {ended})
  FROM (SELECT n.screening_id, n.user_id, array_agg(n.seat_id) AS seat_ids
          FROM unnest({0}::int[], {1}::bigint[], {2}::int[]) AS n(screening_id, user_id, seat_id) GROUP BY 1, 2) w,
       LATERAL (
       SELECT * FROM (SELECT * FROM reservations i WHERE i.user_id = w.user_id AND i.id > {lately}
                       ORDER BY i.id DESC OFFSET 0) i
        WHERE i.screening_id = w.screening_id LIMIT {lapses_at_most}) r, LATERAL (
       SELECT * FROM reservation_seats i WHERE i.screening_id = r.screening_id AND i.reservation_id = r.id
          AND i.seat_id = ANY(w.seat_ids) OFFSET 0) s""",
    "held_from": """
SELECT ROW(a.address_key, a.network_key, ROW({reservation}), {claims})
  FROM unnest({0}::int[], {1}::bytea[]) AS w(screening_id, network_key), LATERAL (
       SELECT * FROM anonymous_holds i WHERE i.screening_id = w.screening_id AND i.network_key = w.network_key
       OFFSET 0) a, LATERAL (
       SELECT * FROM reservations i WHERE i.screening_id = a.screening_id AND i.id = a.reservation_id
          AND i.status IN ('held', 'paying') OFFSET 0) r""",
    "later_reservations": """
SELECT ROW(ROW({reservation}), ARRAY(SELECT ROW() WHERE false))
  FROM unnest({0}::int[], {1}::uuid[]) AS w(screening_id, id)
  JOIN reservations o ON o.screening_id = w.screening_id AND o.id = w.id, LATERAL (
       SELECT * FROM reservations i WHERE i.user_id = o.user_id AND i.id > o.id AND i.screening_id = o.screening_id
          AND EXISTS (SELECT FROM reservation_seats s JOIN reservation_seats n USING (screening_id, seat_id)
                       WHERE s.screening_id = o.screening_id AND s.reservation_id = o.id
                         AND n.reservation_id = i.id) OFFSET 0) r""",
    "later_bookings": """
SELECT ROW(ROW({booking}), ARRAY(SELECT ROW() WHERE false))
  FROM unnest({0}::int[], {1}::uuid[]) AS w(screening_id, id)
  JOIN reservations o ON o.screening_id = w.screening_id AND o.id = w.id, LATERAL (
       SELECT * FROM bookings i WHERE i.user_id = o.user_id AND i.id > o.id AND i.screening_id = o.screening_id
          AND EXISTS (SELECT FROM reservation_seats s JOIN booking_seats n USING (screening_id, seat_id)
                       WHERE s.screening_id = o.screening_id AND s.reservation_id = o.id
                         AND n.booking_id = i.id) OFFSET 0) b""",
    "screenings": """
SELECT ROW(ROW({facts}), s.version)
  FROM screenings s JOIN theaters t ON t.id = s.theater_id WHERE s.id = ANY({0}::int[]) ORDER BY s.id""",
}
_NAMED: Final = {
    "key": columns(KeyRow, "k"),
    "claim": columns(ClaimRow, "c"),
    "reservation": reservations.COLUMNS,
    "booking": bookings.COLUMNS,
    "facts": FACTS,
    "lately": _LATELY,
    "claims": _CLAIMS,
    "ended": _ENDED,
    "lapses_at_most": str(_LAPSES_AT_MOST),
}
_MAKERS: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {
    "keys": key_row,
    "seats": claim_row,
    "users": claim_row,
    "reservations": found_reservation,
    "bookings": found_booking,
    "run_out": found_reservation,
    "lapses": lapse_row,
    "held_from": found_held_from,
    "taken": taken_row,
    "missed": missed_row,
    "due": found_reservation,
    "later_reservations": found_reservation,
    "later_bookings": found_booking,
    "screenings": screening_row,
}

_WRITTEN = """
SELECT w.screening_id, e.version - w.version AS shift
  FROM unnest($1::int[], $2::bigint[], $3::int[], $4::timestamptz[]) AS w(screening_id, version, seat_id, at), LATERAL (
       SELECT i.version FROM seat_events i
        WHERE i.screening_id = w.screening_id AND i.version >= w.version AND i.seat_id = w.seat_id AND i.at = w.at
        ORDER BY i.version LIMIT 1) e
"""
_FENCE = "UPDATE screenings SET revision = revision + 1 WHERE id = ANY($1::int[])"


@dataclass(slots=True)
class Wanted:
    """The rows that a batch names, each set once: pairs of screening (or owner) and what is looked for there."""

    keys: set[tuple[int, str]] = field(default_factory=set)
    seats: set[tuple[int, int]] = field(default_factory=set)
    users: set[tuple[int, int]] = field(default_factory=set)
    reservations: set[tuple[int, UUID]] = field(default_factory=set)
    bookings: set[tuple[int, UUID]] = field(default_factory=set)
    run_out: set[tuple[int, int]] = field(default_factory=set)
    """Users whose expired holds are read, as far as they may be taken again."""
    lapses: set[tuple[int, int, int]] = field(default_factory=set)
    """Screening, user and seat: whether they held that seat before is read."""
    held_from: set[tuple[int, bytes]] = field(default_factory=set)
    """Networks: what is held from there by callers without an account is read."""
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
            "run_out": self.run_out,
            "lapses": self.lapses,
            "held_from": self.held_from,
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
    run_out: list[FoundReservation] = field(default_factory=list)
    lapses: list[LapseRow] = field(default_factory=list)
    held_from: list[FoundHeldFrom] = field(default_factory=list)
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
    return list(map(screening_row, await connection.fetch(_LOCK, screening_ids)))


async def read(connection: OfficeConnection, wanted: Wanted, screening_ids: Sequence[int] = ()) -> Found:
    """The clock, the rows that a batch names, and those of these screenings that exist."""
    named = {kind: _parted(named) for kind, named in wanted.by_kind().items() if named}
    if screening_ids:
        named["screenings"] = (screening_ids,)
    kinds = tuple((kind, len(parameters)) for kind, parameters in named.items())
    record = await connection.fetchrow(_reading(kinds), *chain.from_iterable(named.values()))
    assert record is not None  # noqa: S101 (a SELECT without FROM gives one row)
    return Found(record["now"], **{kind: list(map(_MAKERS[kind], record[kind])) for kind in named})


@cache
def _reading(kinds: tuple[tuple[str, int], ...]) -> str:
    """One statement that reads just these parts, each with so many parameters: what nobody names costs nothing.

    All of one moment. The time is asked for here, after the wait for a lock: now() stopped at BEGIN.
    """
    numbers = count(1)
    parts = []
    for kind, width in kinds:
        parameters = [f"${next(numbers)}" for _ in range(width)]
        parts.append(f"ARRAY({_PARTS[kind].format(*parameters, **_NAMED)}) AS {kind}")
    return f"SELECT {', '.join(('clock_timestamp() AS now', *parts))}"


async def fence(connection: OfficeConnection, screening_ids: Sequence[int]) -> None:
    """Nothing that was read before is written after this: it finds screenings that were edited meanwhile."""
    await connection.execute(_FENCE, screening_ids)


async def written(connection: OfficeConnection, proofs: Sequence[Proof]) -> dict[int, int]:
    """What there is of these proofs: screenings, and how much higher their versions are than was expected.

    Ask with the screenings locked.
    """
    named = zip(*((each.screening_id, each.version, each.seat_id, each.at) for each in proofs), strict=True)
    return {row["screening_id"]: row["shift"] for row in await connection.fetch(_WRITTEN, *named)}


def _parted(named: set[tuple[Any, ...]]) -> tuple[Sequence[Any], ...]:
    return tuple(list(column) for column in zip(*named, strict=True))
