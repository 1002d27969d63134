"""A screening with very many bookings is cancelled: whoever dies meanwhile, everybody gets their money back, once."""

import asyncio
from typing import Any, Final

import httpx
import pytest
import uuid_utils.compat as uuid_utils
from httpx import AsyncClient

from app.domain.box_office.commands import Book
from app.domain.people.people import Person
from app.domain.seats import SeatNames
from app.services.money import books
from app.services.money.refunds import PORTION, SIDE_BY_SIDE
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until, until_waiting
from tests.organizers import token_of
from tests.processes import Served
from tests.races.conftest import StartProcess
from tests.services.box_office.asking import be_patient

BOOKINGS: Final = 1_000
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
LOCK_LAST: Final = """
SELECT FROM payments WHERE screening_id = $1 AND id IN (
    SELECT payment_id FROM refunds WHERE screening_id = $1 AND done_at IS NULL
     ORDER BY next_try_at DESC, id LIMIT $2) FOR UPDATE
"""
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
    await database.execute("ANALYZE")  # a database in use knows what is in it
    return screening_id


async def cancel(client: AsyncClient, screening_id: int, token: str) -> None:
    answer = await client.delete(f"/api/v1/screenings/{screening_id}", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 204, answer.text


async def kill(served: Served) -> None:
    served.kill()
    await served.ended()


async def the_books_are_right(client: AsyncClient) -> Any:
    """All money there is, in euros."""
    found = await books.examine(resources_of(client).engine)
    assert (found.wrong, found.unbalanced, found.still_open) == ([], [], 0)
    [euros] = found.totals
    return euros


async def report(client: AsyncClient, screening_id: int, token: str) -> tuple[int, int]:
    """What an organizer reads of the money: how much was taken, and how much of it went back."""
    path = f"/api/v1/screenings/{screening_id}/report"
    answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return said["revenue"]["amount_minor"], said["refunded"]["amount_minor"]


async def pending(client: AsyncClient, screening_id: int, token: str) -> int:
    """Payments of the first page of those that are on their way back."""
    path = f"/api/v1/payments?screening_id={screening_id}&status=refund_pending"
    answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return len(answer.json()["items"])


async def die_while_closing(served: Served, database: Connection, screening_id: int, token: str) -> None:
    """It has undone some bookings, and dies when it comes to the last one."""
    async with served.client() as client, database.transaction():
        last = "SELECT max(id::text)::uuid FROM bookings WHERE screening_id = $1"
        await database.execute(
            f"SELECT FROM bookings WHERE screening_id = $1 AND id = ({last}) FOR UPDATE", screening_id
        )
        asked = asyncio.ensure_future(cancel(client, screening_id, token))
        await until_waiting(database)
        await kill(served)
        [told] = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(told, httpx.TransportError)
        assert 0 < await database.fetchval(f"SELECT {CANCELLED}", screening_id) < BOOKINGS


async def die_while_refunding(start_process: StartProcess, database: Connection, screening_id: int) -> None:
    """It has given much back, and dies when the provider has given back some that it has not entered yet."""
    async with database.transaction():
        # So many that each of those who carry them out side by side meets one.
        await database.execute(LOCK_LAST, screening_id, PORTION * SIDE_BY_SIDE)
        served = await start_process(sweep=True)
        await until(database, f"(SELECT {GIVEN_BACK}) > $2", screening_id, BOOKINGS // 2)
        await until_waiting(database, SIDE_BY_SIDE)
        await kill(served)
        given_back = await database.fetchval(f"SELECT {GIVEN_BACK}", screening_id)
        assert 0 < given_back < await database.fetchval("SELECT count(*) FROM dummy_bank.dummy_refunds") < BOOKINGS
    # What it had claimed is tried again when that time is over.
    await database.execute("UPDATE refunds SET next_try_at = now() WHERE next_try_at IS NOT NULL")


async def test_whoever_dies_while_a_screening_is_cancelled_and_refunded_another_process_goes_on(
    start_process: StartProcess, open_app: OpenApp, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCK_TIMEOUT_MS", "600000")
    monkeypatch.setenv("STATEMENT_TIMEOUT_MS", "600000")
    living = await open_app()
    screening_id = await sold_out(living, database)
    token = await token_of(database)

    await die_while_closing(await start_process(), database, screening_id, token)
    assert (await the_books_are_right(living)).refunded_minor == 0
    assert await report(living, screening_id, token) == (BOOKINGS * CENTS, 0)
    assert await pending(living, screening_id, token) > 0

    await die_while_refunding(start_process, database, screening_id)
    euros = await the_books_are_right(living)
    assert await report(living, screening_id, token) == (BOOKINGS * CENTS, euros.refunded_minor)
    assert 0 < euros.refunded_minor < BOOKINGS * CENTS
    assert await pending(living, screening_id, token) > 0

    await start_process(sweep=True)
    await until(database, f"(SELECT {CANCELLED}) = $2 AND (SELECT {GIVEN_BACK}) = $2", screening_id, BOOKINGS)
    euros = await the_books_are_right(living)
    assert (euros.captured_minor, euros.refunded_minor) == (BOOKINGS * CENTS, BOOKINGS * CENTS)
    assert await database.fetchval("SELECT count(*) FROM dummy_bank.dummy_refunds") == BOOKINGS
    assert await report(living, screening_id, token) == (BOOKINGS * CENTS, BOOKINGS * CENTS)
    assert await pending(living, screening_id, token) == 0
