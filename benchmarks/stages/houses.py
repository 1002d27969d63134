"""What is sold: houses of any size, screenings, buyers; made by a few set-based statements."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

import asyncpg

from app.db.connecting import connect

T = TypeVar("T")

BUYERS: Final = 5_000

# Sections of a thousand seats, rows of 25.
_SEATS: Final = """
INSERT INTO seats (theater_id, position, label, section, "row", number, category, x, y)
SELECT $1::int, n + 1, format('S%s-%s-%s', section, row, number), format('Section %s', section), row, number,
       CASE WHEN n % 1000 < 250 THEN 'premium' ELSE 'standard' END,
       number + (section - 1) % 8 * 30, n % 1000 / 25 + (section - 1) / 8 * 50
  FROM (SELECT n, n / 1000 + 1 AS section, chr(65 + n % 1000 / 25 / 26) || chr(65 + n % 1000 / 25 % 26) AS row,
               n % 25 + 1 AS number
          FROM generate_series(0, $2::int - 1) AS n) AS planned
 ORDER BY n
"""
_SCREENINGS: Final = """
INSERT INTO screenings (theater_id, title, starts_at, prices)
SELECT $1::int, format('Evening %s', n), now() + interval '30 days' + n * interval '1 minute',
       '{"premium": {"amount_minor": 4500, "currency": "EUR"}, "standard": {"amount_minor": 2500, "currency": "EUR"}}'
  FROM generate_series(1, $2::int) AS n ORDER BY n
"""
# A release before this one has no states.
_STATES: Final = """
INSERT INTO screening_states (screening_id, theater_id, timezone, starts_at, prices)
SELECT s.id, s.theater_id, t.timezone, s.starts_at, s.prices
  FROM screenings s JOIN theaters t ON t.id = s.theater_id WHERE s.theater_id = $1::int
"""
HAS_STATES: Final = "SELECT to_regclass('screening_states') IS NOT NULL"
_BUYERS: Final = """
INSERT INTO users (username, username_key)
SELECT 'buyer' || n, 'buyer' || n FROM generate_series(1, $1::int) AS n ORDER BY n
"""
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

    `at_once` screenings are on sale side by side, then as many others; of each, `seats` seats after the first
    `skipped`. `number` tells sales apart: it is part of every idempotency key.
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

    return on_connection(database_url, make)


def build(database_url: str, first_user: int, seats: int, screenings: int) -> House:
    """Build a house of so many seats and put so many screenings on sale."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> House:
        theater_id = await connection.fetchval(
            "INSERT INTO theaters (name, timezone) VALUES ($1, 'Europe/Berlin') RETURNING id", f"A house of {seats:,}"
        )
        await connection.execute(_SEATS, theater_id, seats)
        await connection.execute(_SCREENINGS, theater_id, screenings)
        if await connection.fetchval(HAS_STATES):
            await connection.execute(_STATES, theater_id)
        first_seat = await connection.fetchval("SELECT min(id) FROM seats WHERE theater_id = $1", theater_id)
        first_screening = await connection.fetchval("SELECT min(id) FROM screenings WHERE theater_id = $1", theater_id)
        return House(database_url, seats, first_seat, screenings, first_screening, first_user)

    return on_connection(database_url, make)


def settle(database_url: str) -> None:
    """Let PostgreSQL do now what would otherwise fall into a round: statistics, and everything on disk."""

    async def make(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute("VACUUM ANALYZE theaters, seats, screenings, users")
        await connection.execute("CHECKPOINT")

    on_connection(database_url, make)


def execute(database_url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""

    async def run(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        await connection.execute(statement)

    on_connection(database_url, run)


def ask(database_url: str, question: str) -> str:
    """The one value that a statement gives, as text."""

    async def run(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
        return str(await connection.fetchval(question))

    return on_connection(database_url, run)


def on_connection(database_url: str, make: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[T]]) -> T:
    """Run with a connection. What is made here need not be durable: a crash ends the benchmark anyway."""

    async def run() -> T:
        settings = {"synchronous_commit": "off", "jit": "off", "work_mem": "256MB"}
        connection = await connect(database_url, seconds=None, server_settings=settings)
        try:
            return await make(connection)
        finally:
            await connection.close()

    return asyncio.run(run())
