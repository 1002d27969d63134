"""One process asks which holds end, for all of them."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.box_office import sweeping
from app.resources import Resources
from app.services import sweeper as module
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, let_run_out, until, until_so
from tests.services.box_office.asking import hold


def questions_of(resources: Resources) -> list[str]:
    """What a process asks about holds that end, from now on."""
    asked: list[str] = []

    def note(*said: object) -> None:
        if "FROM reservations" in (statement := str(said[2])):
            asked.append(statement)

    event.listen(resources.engine.sync_engine, "before_cursor_execute", note)
    return asked


async def test_the_lease_is_of_one_until_it_is_over_or_given_up(engine: AsyncEngine) -> None:
    one, other = uuid4(), uuid4()
    async with engine.connect() as connection:
        taken = [await sweeping.take_lease(connection, each, 60.0) for each in (one, other, one)]
        await sweeping.give_up_lease(connection, other)  # it is not theirs
        assert not await sweeping.take_lease(connection, other, 60.0)
        await sweeping.give_up_lease(connection, one)
        assert await sweeping.take_lease(connection, other, -1.0)
        assert await sweeping.take_lease(connection, one, 60.0)

    assert taken == [True, False, True]


async def test_of_two_processes_one_asks_and_the_other_when_it_stops(open_app: OpenApp, database: Connection) -> None:
    first, second = [resources_of(await open_app()) for _ in range(2)]
    await first.sweeper._look()
    asked = questions_of(second)
    await second.sweeper._look()
    assert asked == []

    asked_first = questions_of(first)

    async def has_asked() -> bool:
        return bool(asked_first)

    running = asyncio.ensure_future(first.sweeper.run())
    await until_so(database, has_asked)
    running.cancel()
    await asyncio.wait((running,))
    await second.sweeper._look()

    assert len(asked) == 1


async def test_what_another_process_holds_is_expired_and_told(open_app: OpenApp, database: Connection) -> None:
    sweeping_one = resources_of(await open_app(sweep=True))
    other = resources_of(await open_app())
    await other.box_office.ask(1, hold(1, "A1"))
    await let_run_out(database)

    await until(database, "status = 'expired' FROM reservations")

    async def is_told() -> bool:
        return (await sweeping_one.availability.of(1)).counts["reserved"] == 0

    await until_so(database, is_told)


async def test_an_idle_process_asks_one_question_a_look(resources: Resources) -> None:
    asked = questions_of(resources)

    pause = await resources.sweeper._look()

    assert len(asked) == 1
    assert 1.0 < pause <= module.LOOK_SECONDS == 2.0


async def test_a_hold_that_ends_before_the_next_look_is_expired_when_it_does(
    resources: Resources, database: Connection
) -> None:
    await resources.box_office.ask(1, hold(1, "A1"))
    for table in ("reservations", "seat_claims"):
        await database.execute(f"UPDATE {table} SET expires_at = clock_timestamp() + interval '0.3 seconds'")  # noqa: S608
    asked = questions_of(resources)

    await resources.sweeper._look()

    assert len(asked) == 1
    assert await database.fetchval("SELECT status FROM reservations") == "expired"
    assert await database.fetchval(
        "SELECT at >= (SELECT max(expires_at) FROM reservations) FROM seat_events ORDER BY version DESC LIMIT 1"
    )


@pytest.mark.parametrize(("usually", "seconds"), [(300, 2.0), (2, 0.5), (1, 0.5)])
async def test_it_looks_more_often_where_holds_are_shorter_than_a_look(
    open_app: OpenApp, usually: int, seconds: float
) -> None:
    resources = resources_of(await open_app(reservation_timeout=usually))

    assert await resources.sweeper._look() <= seconds
    assert resources.sweeper._look_seconds == seconds
