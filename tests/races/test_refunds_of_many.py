"""A screening with very many bookings is cancelled: whoever dies meanwhile, everybody gets their money back, once."""

import asyncio
import signal
from typing import Any, Final
from uuid import UUID

import httpx
import uuid_utils.compat as uuid_utils
from httpx import AsyncClient

from app.domain.box_office.commands import Book
from app.domain.people import Person
from app.domain.seats import SeatNames
from app.services.money import books
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until, until_waiting
from tests.organizers import token_of
from tests.races.conftest import Served, StartProcess
from tests.services.asking import be_patient

BOOKINGS: Final = 2_000
CENTS: Final = 2500
BATCH: Final = 200

SEATS: Final = """
INSERT INTO seats (theater_id, position, label, section, "row", number, category, x, y)
SELECT $1::int, n, 'S' || n, 'Hall', (n / 100)::text, n % 100, 'standard', n % 100, n / 100
  FROM generate_series(1, $2::int) AS n ORDER BY n
"""
SCREENING: Final = """
INSERT INTO screenings (theater_id, title, starts_at, prices)
VALUES ($1::int, 'Called off', now() + interval '30 days', '{"standard": {"amount_minor": 2500, "currency": "EUR"}}')
RETURNING id
"""
STATE: Final = """
INSERT INTO screening_states (screening_id, theater_id, timezone, starts_at, prices)
SELECT s.id, s.theater_id, t.timezone, s.starts_at, s.prices
  FROM screenings s JOIN theaters t ON t.id = s.theater_id WHERE s.id = $1
"""
CANCELLED: Final = "count(*) FROM bookings WHERE screening_id = $1 AND status = 'cancelled'"
GIVEN_BACK: Final = "count(*) FROM refunds WHERE screening_id = $1 AND done_at IS NOT NULL"


async def sold_out(client: AsyncClient, database: Connection, seats: int = BOOKINGS) -> int:
    """A screening in a large house, each of whose seats is booked on its own."""
    theater_id = await database.fetchval("INSERT INTO theaters (name, timezone) VALUES ('Arena', 'UTC') RETURNING id")
    await database.execute(SEATS, theater_id, seats)
    screening_id: int = await database.fetchval(SCREENING, theater_id)
    await database.execute(STATE, screening_id)
    box_office = resources_of(client).box_office
    be_patient(box_office)

    async def book(number: int) -> None:
        booking_id = uuid_utils.uuid7()
        seat = SeatNames(labels=(f"S{number}",))
        await box_office.ask(screening_id, Book(Person(number % 1000 + 1), seat, booking_id, f"dummy-{booking_id}"))

    for first in range(1, seats + 1, BATCH):
        await asyncio.gather(*(book(number) for number in range(first, min(first + BATCH, seats + 1))))
    return screening_id


async def cancel(client: AsyncClient, screening_id: int, token: str) -> None:
    answer = await client.delete(f"/api/v1/screenings/{screening_id}", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 204, answer.text


async def kill(served: Served) -> None:
    served.process.send_signal(signal.SIGKILL)
    await served.process.wait()


async def the_books_are_right(client: AsyncClient) -> Any:
    """All money there is, in euros."""
    found = await books.examine(resources_of(client).engine)
    assert (found.wrong, found.unbalanced, found.still_open) == ([], [], 0)
    [euros] = found.totals
    return euros


async def test_whoever_dies_while_a_screening_is_cancelled_and_refunded_another_process_goes_on(
    start_process: StartProcess, open_app: OpenApp, database: Connection
) -> None:
    living = await open_app()
    screening_id = await sold_out(living, database)
    token = await token_of(database)

    closing = await start_process()
    last: UUID = await database.fetchval("SELECT max(id::text)::uuid FROM bookings WHERE screening_id = $1", screening_id)
    async with closing.client() as client, database.transaction():
        await database.execute("SELECT FROM bookings WHERE screening_id = $1 AND id = $2 FOR UPDATE", screening_id, last)
        asked = asyncio.ensure_future(cancel(client, screening_id, token))
        await until_waiting(database)
        await kill(closing)
        await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(asked.exception(), httpx.TransportError)
        assert 0 < await database.fetchval(f"SELECT {CANCELLED}", screening_id) < BOOKINGS
    assert (await the_books_are_right(living)).refunded_minor == 0

    refunding = await start_process(sweep=True)
    late = await database.fetch(
        "SELECT payment_id FROM refunds WHERE screening_id = $1 ORDER BY next_try_at, id OFFSET 100 LIMIT 1", screening_id
    )
    async with database.transaction():
        await database.execute(
            "SELECT FROM payments WHERE screening_id = $1 AND id = ANY($2::uuid[]) FOR UPDATE",
            screening_id,
            [row["payment_id"] for row in late],
        )
        await kill(refunding)
