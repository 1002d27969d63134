"""Ids for callers whom nobody knew: a crowd of them costs few statements, and nobody is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import users
from app.services.people.guests import IDS_AT_ONCE, Guests


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
async def closed_door(engine: AsyncEngine) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A rival has the numbers: whoever wants some waits until the door is opened."""
    async with engine.connect() as rival:
        await rival.execute(text("ALTER SEQUENCE users_id_seq INCREMENT BY 1"))

        yield rival.rollback


async def until_somebody_waits(engine: AsyncEngine) -> None:
    """Until somebody stands before the closed door."""
    question = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%nextval%'"
    )
    waiting = 0
    while not waiting:
        async with engine.connect() as connection:
            waiting = await connection.scalar(question) or 0


async def written(engine: AsyncEngine) -> int:
    """How many users there are."""
    async with engine.connect() as connection:
        return await connection.scalar(text("SELECT count(*) FROM users")) or 0


async def test_everybody_is_somebody_else(engine: AsyncEngine) -> None:
    here, elsewhere = Guests(engine), Guests(engine)

    guests = await asyncio.gather(*((here, elsewhere)[each % 2].newcomer() for each in range(3 * IDS_AT_ONCE)))

    assert len({guest.id for guest in guests}) == 3 * IDS_AT_ONCE
    assert all(guest.is_guest and guest.is_new for guest in guests)
    assert await written(engine) == 0


async def test_who_comes_while_others_wait_for_ids_shares_them(
    engine: AsyncEngine, newcomers: Guests, statements: list[str], closed_door: Callable[[], Awaitable[None]]
) -> None:
    async with asyncio.TaskGroup() as crowd:
        crowd.create_task(newcomers.newcomer())
        await until_somebody_waits(engine)
        for _ in range(49):
            crowd.create_task(newcomers.newcomer())
        await closed_door()

    assert len([each for each in statements if "nextval" in each and "pg_stat" not in each]) == 1


async def test_the_guest_of_somebody_who_goes_away_keeps_nobody_else_waiting(
    engine: AsyncEngine, newcomers: Guests, closed_door: Callable[[], Awaitable[None]]
) -> None:
    impatient = asyncio.ensure_future(newcomers.newcomer())
    await until_somebody_waits(engine)
    patient = asyncio.ensure_future(newcomers.newcomer())

    impatient.cancel()
    await closed_door()

    assert (await patient).is_guest
    assert isinstance((await asyncio.gather(impatient, return_exceptions=True))[0], asyncio.CancelledError)


async def test_when_it_fails_everybody_who_waited_is_told(engine: AsyncEngine, newcomers: Guests) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO nobody"))

    told = await asyncio.gather(*(newcomers.newcomer() for _ in range(10)), return_exceptions=True)

    assert all(isinstance(error, Exception) for error in told)


async def test_no_user_gets_a_number_that_is_at_hand(engine: AsyncEngine, newcomers: Guests) -> None:
    guest = await newcomers.newcomer()

    async with engine.begin() as connection:
        known = await users.insert_guest(connection, "ada@example.org")

    later = [await newcomers.newcomer() for _ in range(IDS_AT_ONCE)]
    assert known not in {guest.id, *(each.id for each in later)}
