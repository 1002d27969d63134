"""Ids for callers whom nobody knew: nobody gets one that somebody else has, had or will have."""

import asyncio

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import accounts, customers, users
from app.db.people.user_ids import new_id, new_ids
from app.domain.people.people import Role
from app.services.people.guests import Guests

EXACT_IN_JAVASCRIPT = 2**53 - 1


async def test_everybody_is_somebody_else_in_every_process(engine: AsyncEngine) -> None:
    processes = [Guests(engine) for _ in range(4)]

    guests = [each.newcomer() for _ in range(5_000) for each in processes]

    assert len({guest.id for guest in guests}) == len(guests)
    assert all(guest.is_guest and guest.is_new for guest in guests)


def test_ids_are_numbers_that_every_client_reads() -> None:
    blocks = [new_ids() for _ in range(1_000)]

    assert all(block[0] >= 4_096 and block[-1] <= EXACT_IN_JAVASCRIPT for block in blocks)
    assert len({block[0] for block in blocks}) == len(blocks)
    assert 1 <= new_id() <= EXACT_IN_JAVASCRIPT


@pytest.mark.parametrize("kind", ["guest", "account", "machine", "customer"])
async def test_no_id_comes_again_when_the_sequence_goes_back(engine: AsyncEngine, kind: str) -> None:
    """As after a fail-over to a standby that had not heard of the last values."""

    async def one_more(number: int) -> int | None:
        async with engine.begin() as connection:
            match kind:
                case "guest":
                    return await users.insert_guest(connection, "ada@example.org")
                case "account":
                    name = f"ada{number}"
                    return await accounts.insert_account(connection, name, name, None, "hash", Role.CUSTOMER)
                case "machine":
                    return await accounts.insert_machine(connection, Role.STAFF)
                case _:
                    owner_id = await accounts.insert_machine(connection, Role.CUSTOMER)
                    return await customers.insert(connection, owner_id, f"{number}")

    lost = await one_more(1)
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE users RESTART IDENTITY CASCADE"))

    assert await one_more(2) != lost


# --- where they are written before what they take


async def ids_written(engine: AsyncEngine) -> set[int]:
    async with engine.connect() as connection:
        return set(await connection.scalars(text("SELECT id FROM users WHERE is_guest")))


async def until_somebody_waits(engine: AsyncEngine) -> None:
    """Until somebody waits to write users."""
    question = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() "
        "AND query LIKE '%INSERT INTO users%' AND pid <> pg_backend_pid()"
    )
    waiting = 0
    while not waiting:
        async with engine.connect() as connection:
            waiting = await connection.scalar(question) or 0


async def test_a_crowd_is_written_in_few_statements(engine: AsyncEngine) -> None:
    sent: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *about: sent.append(about[2]))
    guests = Guests(engine)

    crowd = await asyncio.gather(*(guests.written() for _ in range(100)))

    assert await ids_written(engine) == {each.id for each in crowd}
    assert not any(each.is_new for each in crowd)
    assert len([each for each in sent if each.startswith("INSERT INTO users")]) <= 2


async def test_when_it_fails_nobody_believes_to_be_written(engine: AsyncEngine) -> None:
    guests = Guests(engine)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE users RENAME TO nobody"))

    told = await asyncio.gather(*(guests.written() for _ in range(10)), return_exceptions=True)

    assert all(isinstance(each, Exception) for each in told)


async def test_who_goes_away_takes_nobody_along(engine: AsyncEngine) -> None:
    guests = Guests(engine)
    async with engine.begin() as rival:
        await rival.execute(text("LOCK TABLE users"))
        impatient = asyncio.ensure_future(guests.written())
        patient = asyncio.ensure_future(guests.written())
        await until_somebody_waits(engine)
        impatient.cancel()
        await asyncio.wait((impatient,))

    assert (await patient).id in await ids_written(engine)
