"""What is sold: houses of any size, screenings, buyers, and a past of any length; made by a few set-based statements."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

import asyncpg

T = TypeVar("T")

BUYERS: Final = 5_000

# Sections of a thousand seats, rows of 25.
_SEATS: Final = """
INSERT INTO seats (theater_id, position, label, section, "row", number, category, x, y)
SELECT $1::int, n + 1, format('S%s-%s-%s', n / 1000 + 1, chr(65 + n % 1000 / 25 / 26) || chr(65 + n % 1000 / 25 % 26), n % 25 + 1),
       format('Section %s', n / 1000 + 1), chr(65 + n % 1000 / 25 / 26) || chr(65 + n % 1000 / 25 % 26), n % 25 + 1,
       CASE WHEN n % 1000 < 250 THEN 'premium' ELSE 'standard' END, n % 25 + n / 1000 % 8 * 30, n % 1000 / 25 + n / 8000 * 50
  FROM generate_series(0, $2::int - 1) AS n ORDER BY n
"""
_SCREENINGS: Final = """
INSERT INTO screenings (theater_id, title, starts_at, prices)
SELECT $1::int, format('Evening %s', n), now() + interval '30 days' + n * interval '1 minute',
       '{"premium": {"amount_minor": 4500, "currency": "EUR"}, "standard": {"amount_minor": 2500, "currency": "EUR"}}'
  FROM generate_series(1, $2::int) AS n ORDER BY n
"""
_BUYERS: Final = """
INSERT INTO users (username, username_key) SELECT 'buyer' || n, 'buyer' || n FROM generate_series(1, $1::int) AS n ORDER BY n
"""

# Ids that grow with time, as those of Usher do (UUIDv7).
_ID: Final = """
CAST(lpad(to_hex(CAST(extract(epoch FROM at) * 1000 AS bigint)), 12, '0') || '7' || substr(md5({salt}), 1, 3) || '8'
     || substr(md5({salt}), 4, 15) AS uuid)
"""

# Bookings of the last twenty hours, the first seats of each screening: old enough to be past, and too young to be tidied
# away, so that all of it is there all the time.
_PAST: Final = f"""
CREATE TEMPORARY TABLE past AS
SELECT *, {_ID.format(salt="'b' || n")} AS booking_id, {_ID.format(salt="'r' || n")} AS reservation_id
  FROM (SELECT n, $1::int + n / $3::int AS screening_id, $2::int + n % $3::int AS seat_id, $4::bigint + n * 7919::bigint % $5::int AS user_id,
               now() - interval '20 hours' + n * (interval '19 hours' / $6::int) AS at, n % $3::int + 1 AS version
          FROM generate_series(0, $6::int - 1) AS n) AS drawn
"""
_PAST_INTO: Final = (
    """INSERT INTO bookings (screening_id, id, user_id, reservation_id, status, payment_status, payment_reference, created_at, version)
       SELECT screening_id, booking_id, user_id, reservation_id, 'confirmed', 'paid', 'past-' || n, at, version FROM past""",
    """INSERT INTO booking_seats (screening_id, booking_id, seat_id, amount_minor, currency)
       SELECT screening_id, booking_id, seat_id, 2500, 'EUR' FROM past""",
    """INSERT INTO reservations (screening_id, id, user_id, status, created_at, first_held_at, expires_at, booking_id, version)
       SELECT screening_id, reservation_id, user_id, 'booked', at, at, at + interval '5 minutes', booking_id, version FROM past""",
    """INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, amount_minor, currency)
       SELECT screening_id, reservation_id, seat_id, 2500, 'EUR' FROM past""",
    """INSERT INTO seat_claims (screening_id, seat_id, status, user_id, reservation_id, booking_id)
       SELECT screening_id, seat_id, 'booked', user_id, reservation_id, booking_id FROM past""",
    """INSERT INTO seat_events (screening_id, version, seat_id, at, from_status, to_status, user_id, cause, actor_id)
       SELECT screening_id, version, seat_id, at, 'reserved', 'booked', user_id, 'api', user_id FROM past""",
    """INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, body, created_at)
       SELECT screening_id, user_id, 'past-' || n, sha256('past'), user_id, true, convert_to(repeat('x', 450), 'UTF8'), at FROM past""",
    "UPDATE screenings SET version = top FROM (SELECT screening_id, max(version) AS top FROM past GROUP BY 1) AS tops WHERE id = screening_id",
)

_RUN_OUT: Final = f"""
WITH drawn AS (
     SELECT *, {_ID.format(salt="'o' || n || random()")} AS id
       FROM (SELECT n, $1::int + n % $2::int AS screening_id, $3::int - n / $2::int AS seat_id, $4::bigint + n % $5::int AS user_id,
                    clock_timestamp() - interval '1 second' AS at
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
"""
_NOT_SWEPT: Final = "SELECT count(*) FROM reservations WHERE status = 'held' AND expires_at <= now()"

_LIMITS: Final = (
    "CREATE TABLE limits_of_this_machine (id int PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 50)",
    "INSERT INTO limits_of_this_machine SELECT n, 0 FROM generate_series(1, 10000) AS n",
)


@dataclass(frozen=True, slots=True)
class House:
    """A theater whose seats have consecutive ids, and its screenings, which have too."""

    database_url: str
    seats: int
    first_seat: int
    screenings: int
    first_screening: int
    first_user: int


@dataclass(slots=True)
class Sale:
    """The seats of some screenings of a house, sold one after the other over all rounds of a case.

    `at_once` screenings are on sale side by side, then as many others; of each, `seats` seats after the first `skipped`.
    `number` tells sales apart: it is part of every idempotency key.
    """

    house: House
    tokens: str
    number: int
    at_once: int
    first_screening: int
    screenings: int
    skipped: int
    seats: int
    taken: int = 0

    @property
    def is_sold_out(self) -> bool:
        """Were more seats asked for than there are?"""
        return self.taken > self.screenings // self.at_once * self.at_once * self.seats

    def options(self) -> dict[str, str | int]:
        """What the Lua scripts ask for."""
        return {
            "tokens": self.tokens,
            "first_user": self.house.first_user,
            "first_screening": self.first_screening,
            "at_once": self.at_once,
            "first_seat": self.house.first_seat + self.skipped,
            "seats": self.seats,
            "start": self.taken,
            "keys": f"{self.number:08d}-0000-4000-8000-",
        }


def screenings_for(seats_wanted: int, seats: int, at_once: int) -> int:
    """How many screenings of a house have so many seats, in whole groups of those that are sold side by side."""
    return max(1, ceil(seats_wanted / (seats * at_once))) * at_once


def invite(database_url: str) -> int:
    """Make the buyers of an empty database, and pgbench's table; the first buyer's id."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        for statement in _LIMITS:
            await connection.execute(statement)
        await connection.execute(_BUYERS, BUYERS)
        first: int = await connection.fetchval("SELECT min(id) FROM users WHERE username = 'buyer1'")
        return first

    return _with(database_url, make)


def build(database_url: str, first_user: int, seats: int, screenings: int) -> House:
    """Build a house of so many seats and put so many screenings on sale."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> House:
        theater_id = await connection.fetchval(
            "INSERT INTO theaters (name, timezone) VALUES ($1, 'Europe/Berlin') RETURNING id", f"A house of {seats:,}"
        )
        await connection.execute(_SEATS, theater_id, seats)
        await connection.execute(_SCREENINGS, theater_id, screenings)
        first_seat = await connection.fetchval("SELECT min(id) FROM seats WHERE theater_id = $1", theater_id)
        first_screening = await connection.fetchval("SELECT min(id) FROM screenings WHERE theater_id = $1", theater_id)
        return House(database_url, seats, first_seat, screenings, first_screening, first_user)

    return _with(database_url, make)


def give_past(house: House, bookings: int) -> None:
    """Fill the first seats of every screening with bookings, the same number in each."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        each = bookings // house.screenings
        given = (house.first_screening, house.first_seat, each, house.first_user, BUYERS, bookings)
        # A prepared CREATE TABLE AS takes no parameters: they are numbers of our own.
        statement = _PAST
        for place, number in enumerate(given, 1):
            statement = statement.replace(f"${place}", str(number))
        await connection.execute(statement)
        for statement in _PAST_INTO:
            await connection.execute(statement)

    _with(house.database_url, make)


def let_run_out(house: House, screenings: int, holds: int) -> None:
    """Write down holds that ran out a second ago: the last seats of the first screenings of a house."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        last_seat = house.first_seat + house.seats - 1
        given = (house.first_screening, screenings, last_seat, house.first_user, BUYERS, holds)
        await connection.execute(_RUN_OUT, *given)

    _with(house.database_url, make)


def not_swept(house: House) -> int:
    """How many holds have run out and are not tidied up yet."""
    return int(ask(house.database_url, _NOT_SWEPT))


def settle(database_url: str) -> None:
    """Let PostgreSQL do now what would otherwise fall into a round: statistics, and everything on disk."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute("VACUUM ANALYZE theaters, seats, screenings, users")
        await connection.execute("CHECKPOINT")

    _with(database_url, make)


def execute(database_url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""

    async def run(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(statement)

    _with(database_url, run)


def ask(database_url: str, question: str) -> str:
    """The one value that a statement gives, as text."""

    async def run(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
        return str(await connection.fetchval(question))

    return _with(database_url, run)


def _with(database_url: str, make: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[T]]) -> T:
    """Run with a connection. What is made here need not be durable: a crash ends the benchmark anyway."""

    async def run() -> T:
        settings = {"synchronous_commit": "off", "jit": "off", "work_mem": "256MB"}
        connection = await asyncpg.connect(database_url.replace("+asyncpg", ""), server_settings=settings)
        try:
            return await make(connection)
        finally:
            await connection.close()

    return asyncio.run(run())
