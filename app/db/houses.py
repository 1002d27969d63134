"""What a batch reads: its screenings, the clock, and just the rows that it names; under a lock, or all of one moment.

One statement and the lock, or one more when a named seat leads to a reservation or booking that nobody named; never
more, whatever the size of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.db import bookings, reservations
from app.db.connections import Counter

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

# All of one moment. The time is asked for here, after the wait for a lock: now() stopped at BEGIN. OFFSET 0 keeps each
# look-up an index probe.
_READ = f"""
SELECT clock_timestamp() AS now,
  ARRAY(SELECT ROW(k.owner_id, k.key, k.fingerprint, k.user_id, k.created, k.location, k.body, k.created_at,
                   k.screening_id)
          FROM unnest($1::bigint[], $2::text[]) AS w(owner_id, key), LATERAL (
               SELECT * FROM idempotency_keys i WHERE i.owner_id = w.owner_id AND i.key = w.key OFFSET 0) k) AS keys,
  ARRAY(SELECT ROW({_CLAIM})
          FROM unnest($3::int[], $4::int[]) AS w(screening_id, seat_id), LATERAL (
               SELECT * FROM seat_claims i WHERE i.screening_id = w.screening_id AND i.seat_id = w.seat_id OFFSET 0) c
        ) AS claims,
  ARRAY(SELECT ROW({_CLAIM})
          FROM unnest($5::int[], $6::bigint[]) AS w(screening_id, user_id), LATERAL (
               SELECT * FROM seat_claims i WHERE i.screening_id = w.screening_id AND i.user_id = w.user_id OFFSET 0) c
        ) AS claims_of_users,
  ARRAY(SELECT ROW({reservations.COLUMNS}, {reservations.SEATS},
                   ARRAY(SELECT ROW({_CLAIM})
                           FROM reservation_seats s, LATERAL (
                                SELECT * FROM seat_claims i WHERE i.screening_id = s.screening_id
                                   AND i.seat_id = s.seat_id OFFSET 0) c
                          WHERE s.screening_id = r.screening_id AND s.reservation_id = r.id
                            AND s.released_at IS NULL))
          FROM unnest($7::int[], $8::uuid[]) AS w(screening_id, id), LATERAL (
               SELECT * FROM reservations i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) r
        ) AS reservations,
  ARRAY(SELECT ROW({bookings.COLUMNS}, {bookings.SEATS},
                   ARRAY(SELECT ROW({_CLAIM})
                           FROM booking_seats s, LATERAL (
                                SELECT * FROM seat_claims i WHERE i.screening_id = s.screening_id
                                   AND i.seat_id = s.seat_id AND i.booking_id = s.booking_id OFFSET 0) c
                          WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NULL))
          FROM unnest($9::int[], $10::uuid[]) AS w(screening_id, id), LATERAL (
               SELECT * FROM bookings i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) b) AS bookings,
  ARRAY(SELECT ROW({_SCREENING})
          FROM screenings s JOIN theaters t ON t.id = s.theater_id
         WHERE s.id = ANY($11::int[]) ORDER BY s.id) AS screenings
"""  # noqa: S608 - our own names

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
        return bool(self.keys or self.seats or self.users or self.reservations or self.bookings)


@dataclass(slots=True)
class Found:
    """What was there at `now` (UTC, PostgreSQL's clock), as rows in the order of `_READ`; screenings by their ids."""

    now: datetime
    keys: list[Row]
    claims: list[Row]
    claims_of_users: list[Row]
    reservations: list[Row]
    bookings: list[Row]
    screenings: list[Row]


@dataclass(frozen=True, slots=True)
class Proof:
    """An event that a batch writes in one of its screenings, at the time of the batch; with this version or a higher
    one. No other batch changes the same seat at that very time: one of the two would have read what the other wrote.
    """

    screening_id: int
    version: int
    seat_id: int
    at: datetime


async def lock(connection: Counter, screening_ids: Sequence[int]) -> list[Row]:
    """Lock these screenings until the transaction ends, in the order of their ids, so that no two batches deadlock.

    Waits for rivals: a batch of another process, or an organizer's edit. Returns `SCREENING` of each that exists.
    """
    return [tuple(record) for record in await connection.fetch(_LOCK, screening_ids)]


async def read(connection: Counter, wanted: Wanted, screening_ids: Sequence[int] = ()) -> Found:
    """The clock, the rows that a batch names, and `SCREENING` of those of these screenings that exist."""
    record = await connection.fetchrow(
        _READ,
        *_columns(wanted.keys),
        *_columns(wanted.seats),
        *_columns(wanted.users),
        *_columns(wanted.reservations),
        *_columns(wanted.bookings),
        screening_ids,
    )
    assert record is not None  # noqa: S101 (a SELECT without FROM gives one row)
    return Found(*record.values())


async def fence(connection: Counter, screening_ids: Sequence[int]) -> None:
    """Nothing that was read before is written after this: it finds screenings that were edited meanwhile."""
    await connection.execute("UPDATE screenings SET revision = revision + 1 WHERE id = ANY($1::int[])", screening_ids)


async def written(connection: Counter, proofs: Sequence[Proof]) -> dict[int, int]:
    """What there is of these proofs: screenings, and how much higher their versions are than was expected.

    Ask with the screenings locked.
    """
    columns = zip(*((each.screening_id, each.version, each.seat_id, each.at) for each in proofs), strict=True)
    return {row[0]: row[1] for row in await connection.fetch(_WRITTEN, *columns)}


def _columns(pairs: set[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
