"""Several clerks serve side by side: each screening is served by one of them at a time."""

import asyncio

import pytest

from app.domain.box_office.commands import Block
from app.domain.people.people import Person, Role
from app.domain.refusals import Busy
from app.domain.seats import SeatNames
from app.resources import Resources
from app.services.box_office.answers import Answer
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, locked, until_so, until_waiting
from tests.services.box_office.asking import be_patient, hold, told

ORGANIZER = Person(1, Role.ORGANIZER)


@pytest.fixture
async def two_clerks(open_app: OpenApp) -> Resources:
    return resources_of(await open_app(office_connections=2))


async def test_a_screening_that_somebody_keeps_locked_holds_up_no_other_one(
    two_clerks: Resources, database: Connection
) -> None:
    async with locked(database, 1):
        waiting = asyncio.ensure_future(two_clerks.box_office.ask(1, hold(1, "A1")))
        await until_waiting(database)
        others = await told(*(two_clerks.box_office.ask(screening, hold(1, "A1")) for screening in (2, 3)))
        assert not waiting.done()
    await waiting

    assert all(isinstance(each, Answer) for each in others)


async def test_whoever_wants_a_screening_that_is_being_served_waits_for_its_next_batch(
    two_clerks: Resources, database: Connection
) -> None:
    box_office = two_clerks.box_office
    await box_office.ask(1, hold(9, "B9"))
    async with locked(database, 1):
        first = asyncio.ensure_future(box_office.ask(1, hold(1, "A1")))
        await until_waiting(database)
        rest = told(*(box_office.ask(1, hold(user, f"A{user}")) for user in range(2, 6)))
        await database.execute("SELECT")
        waiting = await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    answers = await rest

    assert waiting == 1
    assert isinstance(await first, Answer)
    assert len({answer.at for answer in answers if isinstance(answer, Answer)}) == 1


async def test_locked_screenings_have_one_clerk_among_them_however_many_they_are(
    open_app: OpenApp, database: Connection
) -> None:
    """They were locked before, and are again: the other clerk sells all that is not."""
    box_office = resources_of(await open_app(office_connections=2, lock_timeout_ms=200)).box_office
    async with locked(database, 1, 2, 3):
        failed = await told(*(box_office.ask(screening, hold(1, "A1")) for screening in (1, 2, 3)))
        assert all(isinstance(each, Busy) for each in failed)
        again = told(*(box_office.ask(screening, hold(1, "A1")) for screening in (1, 2, 3)))
        await until_waiting(database)
        assert isinstance(await box_office.ask(4, Block(ORGANIZER, SeatNames(ids=(101,)))), Answer)
        assert not again.done()
    await again


async def test_everybody_is_served_whatever_the_number_of_screenings(open_app: OpenApp, database: Connection) -> None:
    box_office = resources_of(await open_app(office_connections=3, batch_max=2)).box_office

    answers = await told(*(box_office.ask(1 + user % 3, hold(1 + user, f"A{1 + user // 3}")) for user in range(24)))

    assert all(isinstance(each, Answer) for each in answers)
    assert await database.fetchval("SELECT count(*) FROM seat_claims") == 24


async def test_who_waits_too_long_is_told_while_the_clerks_are_busy(open_app: OpenApp, database: Connection) -> None:
    box_office = resources_of(await open_app(office_connections=2, command_deadline_seconds=0.5)).box_office
    async with locked(database, 1):
        first = asyncio.ensure_future(box_office.ask(1, hold(1, "A1")))
        await until_waiting(database)
        with pytest.raises(Busy):
            await box_office.ask(1, hold(2, "A2"))
    await first
    be_patient(box_office)

    assert isinstance(await box_office.ask(1, hold(3, "A3")), Answer)


async def test_each_clerk_has_a_connection_of_its_own(two_clerks: Resources, database: Connection) -> None:
    async def both_are_there() -> bool:
        await told(*(two_clerks.box_office.ask(screening, hold(1, "A1")) for screening in (1, 2)))
        return all(clerk.connection is not None for clerk in two_clerks.box_office.clerks)

    await until_so(database, both_are_there)

    one, other = (clerk.connection for clerk in two_clerks.box_office.clerks)
    assert one is not other
