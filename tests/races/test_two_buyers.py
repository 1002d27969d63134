"""Two who want the same seat: whoever comes second is told so, whatever the first one did and when."""

import asyncio

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp
from tests.order import Connection, locked, until_run_out, until_waiting
from tests.races.buyers import codes, seats, sent, somebody


async def claims(database: Connection) -> list[tuple[int, str]]:
    rows = await database.fetch("SELECT seat_id, status FROM seat_claims ORDER BY seat_id")
    return [(row[0], row[1]) for row in rows]


async def version(database: Connection) -> int:
    found: int = await database.fetchval("SELECT version FROM screenings WHERE id = 1")
    return found


async def test_of_two_holds_in_one_batch_one_gets_the_seat(client: AsyncClient, database: Connection) -> None:
    first, second = await somebody(client), await somebody(client)

    async with locked(database, 1):
        holding = sent(first.hold("A1"), second.hold("A1"))
        await until_waiting(database)
    answers = await holding

    assert codes(answers) == [201, "seats-unavailable"]
    assert await claims(database) == [(1, "held")]
    assert await version(database) == 1


async def test_of_two_holds_in_two_processes_one_gets_the_seat(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    first, second = await somebody(client), await somebody(other)

    async with locked(database, 1):
        holding = sent(first.hold("A1", "A2"), second.hold("A2", "A3"))
        await until_waiting(database, 2)
    answers = await holding

    assert codes(answers) == [201, "seats-unavailable"]
    refused = next(each for each in answers if each.status_code == 409)
    assert [seat["label"] for seat in refused.json()["seats"]] == ["A2"]
    assert len(await claims(database)) == 2
    assert await version(database) == 1


async def test_a_hold_that_waits_past_a_rivals_end_gets_the_seat(open_app: OpenApp, database: Connection) -> None:
    client = await open_app(reservation_timeout=1)
    first, second = await somebody(client), await somebody(client)
    await first.hold("A1", "A2")

    async with locked(database, 1):
        holding = asyncio.ensure_future(second.hold("A1"))
        await until_waiting(database)
        was_live = await database.fetchval("SELECT max(expires_at) > now() FROM reservations")
        await until_run_out(database)
    answer = await holding

    assert was_live, "the second came while the first still held it"
    assert answer.status_code == 201
    assert await claims(database) == [(1, "held")]  # the run-out hold is over as a whole
    assert sorted(await database.fetch("SELECT status FROM reservations")) == [("expired",), ("held",)]


async def test_a_hold_that_comes_just_before_a_rivals_end_does_not_get_the_seat(
    client: AsyncClient, database: Connection
) -> None:
    first, second = await somebody(client), await somebody(client)
    await first.hold("A1")
    await database.execute("UPDATE seat_claims SET expires_at = now() + interval '1 minute'")

    answer = await second.hold("A1")

    assert codes([answer]) == ["seats-unavailable"]


@pytest.mark.parametrize("sweeper_is_first", [True, False])
async def test_at_the_very_instant_of_its_end_a_seat_goes_to_the_rival_and_is_swept_once(
    open_app: OpenApp, database: Connection, sweeper_is_first: bool
) -> None:
    """The sweeper and a rival wait for the same screening when the hold ends; either may be first."""
    client, other = await open_app(reservation_timeout=1), await open_app()
    first, second = await somebody(client), await somebody(client)
    await first.hold("A1")
    await until_run_out(database)
    sweeper = other._transport.app.state.resources.sweeper  # type: ignore[attr-defined]

    async with locked(database, 1):
        if sweeper_is_first:
            sweeping = asyncio.ensure_future(sweeper.sweep())
            await until_waiting(database, 1)
            holding = asyncio.ensure_future(second.hold("A1"))
            await until_waiting(database, 2)
        else:
            holding = asyncio.ensure_future(second.hold("A1"))
            await until_waiting(database, 1)
            sweeping = asyncio.ensure_future(sweeper.sweep())
            await until_waiting(database, 2)
    answer, _ = await holding, await sweeping

    assert answer.status_code == 201
    assert await seats(client) == {"A1": "reserved"}
    assert await database.fetchval("SELECT count(*) FROM reservations WHERE status = 'expired'") == 1
    assert await version(database) == (3 if sweeper_is_first else 2)
