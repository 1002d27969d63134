"""What a batch reads: it locks its screenings, then looks at the clock and at just the rows that it names.

Two statements, or three when a named seat leads to a reservation or booking that nobody named; never more, whatever the
size of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import bookings, reservations
from app.db.connections import Counter

Row = tuple[Any, ...]

# Whoever waits for a row reads that row anew when it gets it, but nothing joined to it: what must be as new as the lock
# is of `s`. That is why the layout's revision is written there too.
_LOCK = """
SELECT s.id, s.theater_id, s.layout_revision, t.timezone, s.starts_at, s.sales_open_at, s.sales_close_at,
       s.cancelled_at, s.hold_seconds, s.max_hold_seconds, s.prices, s.max_seats_per_reservation, s.max_seats_per_user,
       s.max_active_reservations_per_user, s.bookings_per_user_per_day, s.revision, s.version
  FROM screenings s JOIN theaters t ON t.id = s.theater_id
 WHERE s.id = ANY($1::int[]) ORDER BY s.id
   FOR NO KEY UPDATE OF s
"""

_CLAIM = "c.screening_id, c.seat_id, c.status, c.user_id, c.reservation_id, c.booking_id, c.expires_at, c.reason"

# Only screenings that are locked first are read, so nothing here can change between this statement and COMMIT. Its time
# is asked for here, after the wait for the lock: now() stopped at BEGIN. OFFSET 0 keeps each look-up an index probe.
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
               SELECT * FROM bookings i WHERE i.screening_id = w.screening_id AND i.id = w.id OFFSET 0) b) AS bookings
"""  # noqa: S608 - our own names

_IS_WRITTEN = "SELECT EXISTS (SELECT FROM seat_events WHERE screening_id = $1 AND version = $2 AND at = $3)"


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
    """What was there at `now` (UTC, PostgreSQL's clock, after the lock), as rows in the order of `_READ`."""

    now: datetime
    keys: list[Row]
    claims: list[Row]
    claims_of_users: list[Row]
    reservations: list[Row]
    bookings: list[Row]


@dataclass(frozen=True, slots=True)
class Proof:
    """An event that a batch writes: the last version of one of its screenings, at the time of the batch."""

    screening_id: int
    version: int
    at: datetime


async def lock(connection: Counter, screening_ids: Sequence[int]) -> list[Any]:
    """Lock these screenings until the transaction ends, in the order of their ids, so that no two batches deadlock.

    Waits for rivals: a batch of another process, or an organizer's edit. Returns one record for each that exists.
    """
    return await connection.fetch(_LOCK, screening_ids)


async def read(connection: Counter, wanted: Wanted) -> Found:
    """The clock, and the rows that a batch names. Ask after locking."""
    record = await connection.fetchrow(
        _READ,
        *_columns(wanted.keys),
        *_columns(wanted.seats),
        *_columns(wanted.users),
        *_columns(wanted.reservations),
        *_columns(wanted.bookings),
    )
    assert record is not None  # noqa: S101 (a SELECT without FROM gives one row)
    return Found(*record.values())


async def is_written(connection: Counter, proof: Proof) -> bool:
    """Was the batch of this proof committed? Ask with its screening locked."""
    found = await connection.fetchval(_IS_WRITTEN, proof.screening_id, proof.version, proof.at)
    return bool(found)


def _columns(pairs: set[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
