"""What a batch reads: its screenings, the clock, and just the rows that it names; under a lock, or all of one moment.

One statement and the lock, or one more when a named seat leads to a reservation or booking that nobody named; never
more, whatever the size of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain, count
from typing import Any, Final
from uuid import UUID

from app.db import bookings, reservations
from app.db.connections import OfficeConnection

Row = tuple[Any, ...]

SCREENING: Final = (
    "id", "theater_id", "layout_revision", "timezone", "starts_at", "sales_open_at", "sales_close_at", "cancelled_at",
    "hold_seconds", "max_hold_seconds", "prices", "max_seats_per_reservation", "max_seats_per_user",
    "max_active_reservations_per_user", "bookings_per_user_per_day", "revision", "version",
)  # fmt: skip
"""What is read of a screening, in this order; the version, which every change moves, is the last."""

_SCREENING = ", ".join("t.timezone" if name == "timezone" else f"s.{name}" for name in SCREENING)

# Whoever waits for a row reads that row anew when it gets it, but nothing joined to it: what must be as new as the lock
# is of `s`. That is why the layout's revision is written there too.
_LOCK = f"""
SELECT {_SCREENING}
  FROM screenings s JOIN theaters t ON t.id = s.theater_id
 WHERE s.id = ANY($1::int[]) ORDER BY s.id
   FOR NO KEY UPDATE OF s
"""  # noqa: S608 - our own names

_CLAIM = "c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at, c.reason"

# What may be read, by the member of Wanted that names it. OFFSET 0 keeps each look-up an index probe.
_PARTS: Final = {
    "keys": """
SELECT ROW(k.owner_id, k.key, k.fingerprint, k.user_id, k.created, k.location, k.body, k.created_at, k.screening_id)
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
SELECT ROW({reservation},
           ARRAY(SELECT ROW({claim})
                   FROM reservation_seats s, LATERAL (
                        SELECT * FROM seat_claims i WHERE i.screening_id = s.screening_id
                           AND i.seat_id = s.seat_id OFFSET 0) c
                  WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id AND s.released_at IS NULL))
  FROM unnest({0}::int[], {1}::uuid[]) AS w(screening_id, id), LATERAL (
       SELECT * FROM reservations i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) r""",
    "bookings": """
SELECT ROW({booking},
           ARRAY(SELECT ROW({claim})
                   FROM booking_seats s, LATERAL (
                        SELECT * FROM seat_claims i WHERE i.screening_id = s.screening_id
                           AND i.seat_id = s.seat_id AND i.booking_id = s.booking_id OFFSET 0) c
                  WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NULL))
  FROM unnest({0}::int[], {1}::uuid[]) AS w(screening_id, id), LATERAL (
       SELECT * FROM bookings i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) b""",
    "screenings": """
SELECT ROW({screening})
  FROM screenings s JOIN theaters t ON t.id = s.theater_id WHERE s.id = ANY({0}::int[]) ORDER BY s.id""",
}
_ROWS: Final = {
    "claim": _CLAIM,
    "reservation": f"{reservations.COLUMNS}, {reservations.SEATS}",
    "booking": f"{bookings.COLUMNS}, {bookings.SEATS}",
    "screening": _SCREENING,
}

_WRITTEN = """
SELECT w.screening_id, e.version - w.version
  FROM unnest($1::int[], $2::bigint[], $3::int[], $4::timestamptz[]) AS w(screening_id, version, seat_id, at), LATERAL (
       SELECT i.version FROM seat_events i
        WHERE i.screening_id = w.screening_id AND i.version >= w.version AND i.seat_id = w.seat_id AND i.at = w.at
        ORDER BY i.version LIMIT 1) e
"""


@dataclass(slots=True)
class Wanted:
    """The rows that a batch names, each set once: pairs of screening (or owner) and what is looked for there."""

    keys: set[tuple[int, str]] = field(default_factory=set)
    seats: set[tuple[int, int]] = field(default_factory=set)
    users: set[tuple[int, int]] = field(default_factory=set)
    reservations: set[tuple[int, UUID]] = field(default_factory=set)
    bookings: set[tuple[int, UUID]] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any(self.by_kind().values())

    def by_kind(self) -> dict[str, set[tuple[Any, Any]]]:
        """What is named, under the names of `_PARTS`."""
        return {
            "keys": self.keys,
            "seats": self.seats,
            "users": self.users,
            "reservations": self.reservations,
            "bookings": self.bookings,
        }


@dataclass(slots=True)
class Found:
    """What was there at `now` (UTC, PostgreSQL's clock), as rows in the order of `_PARTS`; screenings by their ids."""

    now: datetime
    keys: list[Row] = field(default_factory=list)
    seats: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)
    reservations: list[Row] = field(default_factory=list)
    bookings: list[Row] = field(default_factory=list)
    screenings: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Proof:
    """An event that a batch writes in one of its screenings, at the time of the batch; with this version or a higher
    one. No other batch changes the same seat at that very time: one of the two would have read what the other wrote.
    """

    screening_id: int
    version: int
    seat_id: int
    at: datetime


async def lock(connection: OfficeConnection, screening_ids: Sequence[int]) -> list[Row]:
    """Lock these screenings until the transaction ends, in the order of their ids, so that no two batches deadlock.

    Waits for rivals: a batch of another process, or an organizer's edit. Returns `SCREENING` of each that exists.
    """
    return [tuple(record) for record in await connection.fetch(_LOCK, screening_ids)]


async def read(connection: OfficeConnection, wanted: Wanted, screening_ids: Sequence[int] = ()) -> Found:
    """The clock, the rows that a batch names, and `SCREENING` of those of these screenings that exist."""
    named = {kind: _columns(pairs) for kind, pairs in wanted.by_kind().items() if pairs}
    if screening_ids:
        named["screenings"] = (screening_ids,)
    record = await connection.fetchrow(_reading(tuple(named)), *chain.from_iterable(named.values()))
    assert record is not None  # noqa: S101 (a SELECT without FROM gives one row)
    return Found(**dict(record.items()))


@cache
def _reading(kinds: tuple[str, ...]) -> str:
    """One statement that reads just these parts: what nobody names costs nothing.

    All of one moment. The time is asked for here, after the wait for a lock: now() stopped at BEGIN.
    """
    numbers = count(1)
    parts = []
    for kind in kinds:
        parameters = [f"${next(numbers)}" for _ in range(1 if kind == "screenings" else 2)]
        parts.append(f"ARRAY({_PARTS[kind].format(*parameters, **_ROWS)}) AS {kind}")
    return f"SELECT {', '.join(('clock_timestamp() AS now', *parts))}"


async def fence(connection: OfficeConnection, screening_ids: Sequence[int]) -> None:
    """Nothing that was read before is written after this: it finds screenings that were edited meanwhile."""
    await connection.execute("UPDATE screenings SET revision = revision + 1 WHERE id = ANY($1::int[])", screening_ids)


async def written(connection: OfficeConnection, proofs: Sequence[Proof]) -> dict[int, int]:
    """What there is of these proofs: screenings, and how much higher their versions are than was expected.

    Ask with the screenings locked.
    """
    columns = zip(*((each.screening_id, each.version, each.seat_id, each.at) for each in proofs), strict=True)
    return {row[0]: row[1] for row in await connection.fetch(_WRITTEN, *columns)}


def _columns(pairs: set[tuple[Any, Any]]) -> tuple[Sequence[Any], ...]:
    return [first for first, _ in pairs], [second for _, second in pairs]
