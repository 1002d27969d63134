"""Two processes with four office connections each sell by way of a pooler that has fewer sessions than they ask for."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from httpx import AsyncClient, Response

from tests.conftest import OpenApp
from tests.order import Connection, locked, until_waiting
from tests.pooler.conftest import PooledSettings
from tests.races.buyers import codes, seats, sent, somebody

SCREENINGS, SEATS, BUYERS = (1, 2, 3), 12, 8

Asked = tuple[int, str, Response]
"""The screening, the label of the seat, and the answer."""


@pytest.fixture
async def two(open_app: OpenApp, pooled: PooledSettings) -> tuple[AsyncClient, AsyncClient]:
    how = {
        "database_url": pooled().database_url,
        "statement_cache_size": 0,
        "office_connections": 4,
        "batch_per_screening": True,
        "command_deadline_seconds": 60,
    }
    return await open_app(**how), await open_app(**how)


async def label_of_each(client: AsyncClient, screening: int) -> list[str]:
    answer = await client.get(f"/api/v1/screenings/{screening}/seats")
    return [seat["label"] for seat in answer.json()["seats"] if seat["status"] == "available"][:SEATS]


Want = Callable[[], "asyncio.Future[list[Asked]]"]


@pytest.fixture
async def crowd(two: tuple[AsyncClient, AsyncClient]) -> Want:
    """Everybody wants every seat, at both processes, all at once. Await it for the answers; keys stay the same."""
    buyers = [await somebody(two[number % 2], f"buyer{number}") for number in range(BUYERS)]
    labels = {screening: await label_of_each(two[0], screening) for screening in SCREENINGS}

    async def want(number: int, screening: int, label: str) -> Asked:
        key = f"{number}-{screening}-{label}"
        return screening, label, await buyers[number].hold(label, screening=screening, key=key)

    def ask() -> "asyncio.Future[list[Asked]]":
        wanted = [(screening, label) for screening in SCREENINGS for label in labels[screening]]
        return sent(*(want(number, *each) for each in wanted for number in range(BUYERS)))

    return ask


def sold(answers: Sequence[Asked]) -> dict[tuple[int, str], bytes]:
    """What was said of each seat that was sold. Fails if one was sold twice."""
    said = [((screening, label), answer.content) for screening, label, answer in answers if answer.status_code == 201]
    assert len(dict(said)) == len(said)
    return dict(said)


async def test_a_storm_of_holds_sells_each_seat_once(
    two: tuple[AsyncClient, AsyncClient], crowd: Want, database: Connection
) -> None:
    answers = await crowd()

    assert len(sold(answers)) == len(SCREENINGS) * SEATS
    refused = [answer.json() for _, _, answer in answers if answer.status_code != 201]
    assert {(each["code"], each.get("reason")) for each in refused} == {("seats-unavailable", None)}, refused[-1]
    assert await database.fetchval("SELECT count(*) FROM seat_claims") == len(SCREENINGS) * SEATS
    assert await database.fetchval("SELECT count(*) FROM seat_events") == len(SCREENINGS) * SEATS
    versions = await database.fetch("SELECT version FROM screening_states WHERE version > 0")
    assert [row["version"] for row in versions] == [SEATS] * len(SCREENINGS)
    for screening in SCREENINGS:
        assert await seats(two[0], screening) == await seats(two[1], screening)
        assert len(await seats(two[0], screening)) == SEATS


async def test_a_key_is_one_booking_at_both(two: tuple[AsyncClient, AsyncClient], database: Connection) -> None:
    buyer = await somebody(two[0])

    answers = await asyncio.gather(*(buyer.at(client).book("A1", key="k") for client in two * 5))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await database.fetchval("SELECT count(*) FROM bookings") == 1


async def test_a_screening_that_somebody_keeps_locked_holds_up_no_other_one(
    two: tuple[AsyncClient, AsyncClient], database: Connection
) -> None:
    buyer = await somebody(two[0])

    async with locked(database, 1):
        waiting = sent(buyer.hold("A1", screening=1))
        await until_waiting(database)
        others = [await buyer.hold("A1", screening=screening) for screening in (2, 3)]
    answers = await waiting

    assert codes([*others, *answers]) == [201, 201, 201]


async def test_sessions_that_are_ended_in_the_middle_lose_nothing_that_was_acknowledged(
    crowd: Want, database: Connection
) -> None:
    end_all = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'usher'"""

    selling = crowd()
    for _ in range(5):
        await database.execute("SELECT pg_sleep(0.05)")
        await database.fetchval(end_all)
    before = await selling
    after = await crowd()
    while any(answer.status_code == 503 for _, _, answer in after):
        after = await crowd()

    assert {answer.status_code for _, _, answer in before} <= {201, 409, 503}
    assert sold(before).items() <= sold(after).items()
    assert len(sold(after)) == len(SCREENINGS) * SEATS
    assert await database.fetchval("SELECT count(*) FROM seat_claims") == len(SCREENINGS) * SEATS
