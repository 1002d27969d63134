"""What happened before: bookings of a long past, and holds that have just run out; written down a set at a time."""

from typing import Final

import asyncpg

from benchmarks.stages.houses import BUYERS, HAS_STATES, House, ask, on_connection

# Ids that grow with time, as those of Usher do (UUIDv7); `salt` tells those of one moment apart.
_ID: Final = """
CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0')
     || '7' || substr(md5({salt}), 1, 3) || '8' || substr(md5({salt}), 4, 15) AS uuid)
"""

# Bookings of the last twenty hours, the first seats of each screening: over and done with, and too young to be tidied
# away, so that all of it is there all the time. Parameters of ours: this kind of statement takes none.
_PAST: Final = f"""
CREATE TEMPORARY TABLE past AS
SELECT *, {_ID.format(salt="'b' || n")} AS booking_id, {_ID.format(salt="'r' || n")} AS reservation_id
  FROM (SELECT n, {{first_screening}} + n / {{each}} AS screening_id, {{first_seat}} + n % {{each}} AS seat_id,
               {{first_user}} + n * CAST(7919 AS bigint) % {{buyers}} AS user_id, n % {{each}} + 1 AS version,
               now() - interval '20 hours' + n * (interval '19 hours' / {{bookings}}) AS at
          FROM generate_series(0, {{bookings}} - 1) AS n) AS drawn
"""  # noqa: S608 - our own expression
_PAST_INTO: Final = (
    """
INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_reference, paid_minor,
                      created_at, version)
SELECT screening_id, booking_id, user_id, reservation_id, 'confirmed', 'past-' || n, 2500, at, version FROM past
""",
    """
INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency)
SELECT screening_id, booking_id, seat_id, 2500, 'EUR' FROM past
""",
    """
INSERT INTO reservations (screening_id, id, user_id, status, created_at, first_held_at, expires_at, booking_id, version)
SELECT screening_id, reservation_id, user_id, 'booked', at, at, at + interval '5 minutes', booking_id, version FROM past
""",
    """
INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, amount_minor, currency)
SELECT screening_id, reservation_id, seat_id, 2500, 'EUR' FROM past
""",
    """
INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id)
SELECT screening_id, seat_id, 'booked', user_id, reservation_id, booking_id FROM past
""",
    """
INSERT INTO seat_events (screening_id, version, seat_id, at, from_status, to_status, user_id, cause, actor_id)
SELECT screening_id, version, seat_id, at, 'reserved', 'booked', user_id, 'api', user_id FROM past
""",
    """
INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, body, created_at)
SELECT screening_id, user_id, 'past-' || n, sha256('past'), user_id, true, convert_to(repeat('x', 450), 'UTF8'), at
  FROM past
""",
    """
VACUUM ANALYZE bookings, booking_seats, reservations, reservation_seats, seat_claims, seat_events, idempotency_keys
""",
)

_MOVED: Final = """
UPDATE {table} t SET version = newest
  FROM (SELECT screening_id, max(version) AS newest FROM past GROUP BY screening_id) AS each
 WHERE t.{id} = each.screening_id
"""

_RUN_OUT: Final = f"""
WITH drawn AS (
     SELECT *, {_ID.format(salt="'o' || n || random()")} AS id
       FROM (SELECT n, $1::int + n % $2::int AS screening_id, $3::int - n / $2::int AS seat_id,
                    $4::bigint + n % $5::int AS user_id, clock_timestamp() - interval '1 second' AS at
               FROM generate_series(0, $6::int - 1) AS n) AS numbered
), held AS (
     INSERT INTO reservations (screening_id, id, user_id, status, created_at, first_held_at, expires_at, version)
     SELECT screening_id, id, user_id, 'held', at - interval '5 minutes', at - interval '5 minutes', at, 0 FROM drawn
), seats AS (
     INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, amount_minor, currency)
     SELECT screening_id, id, seat_id, 2500, 'EUR' FROM drawn
)
INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, expires_at)
SELECT screening_id, seat_id, 'held', user_id, id, at FROM drawn
"""  # noqa: S608 - our own expression
_NOT_SWEPT: Final = "SELECT count(*) FROM reservations WHERE status = 'held' AND expires_at <= now()"

_FROM_THE_FRONT: Final = """
INSERT INTO seat_claims (screening_id, seat_id, status)
SELECT $1::int + n, $3::int + m, 'blocked'
  FROM generate_series(0, $2::int - 1) AS n, generate_series(0, $4::int - 1) AS m
"""
_PAIRS: Final = """
INSERT INTO seat_claims (screening_id, seat_id, status)
SELECT $1::int + n, $3::int + m, 'blocked'
  FROM generate_series(0, $2::int - 1) AS n, generate_series(0, $4::int - 1) AS m
 WHERE hashint4(m / 2 * 7919 + n) & 1023 < $5::float8 * 1024
"""


def sell_pairs(house: House, screenings: int, left: int) -> None:
    """Take all but so many seats off sale: in the first half of the screenings from the front, for who names seats; in
    the others pairs of seats anywhere, for who names none. So many `screenings` are a half."""
    sold = house.seats - left

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(_FROM_THE_FRONT, house.first_screening, screenings, house.first_seat, sold)
        await connection.execute(
            _PAIRS, house.first_screening + screenings, screenings, house.first_seat, house.seats, sold / house.seats
        )
        await connection.execute("VACUUM ANALYZE seat_claims")

    on_connection(house.database_url, make)


def give_past(house: House, bookings: int) -> None:
    """Fill the first seats of every screening with bookings, the same number in each."""
    drawn = _PAST.format(
        first_screening=house.first_screening,
        first_seat=house.first_seat,
        first_user=house.first_user,
        buyers=BUYERS,
        each=bookings // house.screenings,
        bookings=bookings,
    )

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        has_states = await connection.fetchval(HAS_STATES)  # a release before this one has none
        table, its_id = ("screening_states", "screening_id") if has_states else ("screenings", "id")
        for statement in (drawn, *_PAST_INTO, _MOVED.format(table=table, id=its_id)):
            await connection.execute(statement)

    on_connection(house.database_url, make)


def let_run_out(house: House, screenings: int, holds: int) -> None:
    """Write down holds that ran out a second ago: the last seats of the first screenings of a house."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        last_seat = house.first_seat + house.seats - 1
        given = (house.first_screening, screenings, last_seat, house.first_user, BUYERS, holds)
        await connection.execute(_RUN_OUT, *given)

    on_connection(house.database_url, make)


def not_swept(house: House) -> int:
    """How many holds have run out and are not tidied up yet."""
    return int(ask(house.database_url, _NOT_SWEPT))
