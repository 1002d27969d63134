"""Guests for callers whom nobody knew: a crowd of them costs few statements, and nobody is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.people.guests import Guests

Connection = asyncpg.Connection  # type: ignore[type-arg]


@pytest.fixture
def newcomers(engine: AsyncEngine) -> Guests:
    return Guests(engine)


@pytest.fixture
def statements(engine: AsyncEngine) -> list[str]:
    """Every statement that the engine sends from now on."""
    sent: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *about: sent.append(about[2]))
    return sent


@pytest.fixture
async def closed_door(engine: AsyncEngine) -> AsyncIterator[Callable[[], object]]:
    """A rival has the table: whoever writes a guest down waits until the door is opened."""
    async with engine.connect() as rival:
        await rival.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))

        yield rival.rollback


async def until_somebody_waits(engine: AsyncEngine) -> None:
    """Until the clerk stands before the closed door."""
    question = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%INSERT INTO users%'"
    )
    waiting = 0
    while not waiting:
        async with engine.connect() as connection:
            waiting = await connection.scalar(question) or 0


async def test_everybody_is_somebody_else(newcomers: Guests) -> None:
    guests = await asyncio.gather(*(newcomers.welcome() for _ in range(50)))

    assert len({guest.id for guest in guests}) == 50
    assert all(guest.is_guest for guest in guests)


async def test_who_comes_while_others_are_written_down_shares_the_next_statement(
    engine: AsyncEngine, newcomers: Guests, statements: list[str], closed_door: Callable[[], asyncio.Future[None]]
) -> None:
    async with asyncio.TaskGroup() as crowd:
        crowd.create_task(newcomers.welcome())
        await until_somebody_waits(engine)
        for _ in range(49):
            crowd.create_task(newcomers.welcome())
        await closed_door()

    assert len([each for each in statements if "INSERT INTO users" in each and "pg_stat" not in each]) == 2


async def test_emails_stay_with_their_people(engine: AsyncEngine, newcomers: Guests) -> None:
    emails = [f"guest{number}@example.org" if number % 2 else None for number in range(20)]

    guests = await asyncio.gather(*(newcomers.welcome(email) for email in emails))

    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT id, email FROM users"))
    assert {row.id: row.email for row in rows} == {guest.id: email for guest, email in zip(guests, emails, strict=True)}


async def test_the_guest_of_somebody_who_goes_away_keeps_nobody_else_waiting(
    engine: AsyncEngine, newcomers: Guests, closed_door: Callable[[], asyncio.Future[None]]
) -> None:
    impatient = asyncio.ensure_future(newcomers.welcome())
    await until_somebody_waits(engine)
    patient = asyncio.ensure_future(newcomers.welcome())

    impatient.cancel()
    await closed_door()

    assert (await patient).is_guest
    assert impatient.cancelled() or isinstance(
        (await asyncio.gather(impatient, return_exceptions=True))[0], BaseException
    )


async def test_when_it_fails_everybody_who_waited_is_told(engine: AsyncEngine, newcomers: Guests) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO nobody"))

    told = await asyncio.gather(*(newcomers.welcome() for _ in range(10)), return_exceptions=True)

    assert all(isinstance(error, Exception) for error in told)


async def test_a_guest_in_passing_does_not_change_how_others_commit(engine: AsyncEngine, newcomers: Guests) -> None:
    await newcomers.welcome()

    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
