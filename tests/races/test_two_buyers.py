"""Two who want the same seat: whoever comes second is told so, whatever the first one did and when."""

import asyncio

import pytest
from httpx import AsyncClient

from tests.conftest import resources_of
from tests.order import Connection, let_run_out, locked, until_waiting
from tests.races.buyers import codes, seats, sent, somebody


async def claims(database: Connection) -> list[tuple[int, str]]:
    rows = await database.fetch("SELECT seat_id, status FROM seat_claims ORDER BY seat_id")
    return [(row[0], row[1]) for row in rows]


async def statuses(database: Connection) -> list[str]:
    return [row[0] for row in await database.fetch("SELECT status FROM reservations ORDER BY created_at")]


async def version(database: Connection) -> int:
    found: int = await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1")
    return found


# --- hold against hold


async def test_of_two_holds_in_one_process_one_gets_the_seat(client: AsyncClient, database: Connection) -> None:
    first, second = await somebody(client), await somebody(client)

    async with locked(database, 1):
        holding = sent(first.hold("A1"), second.hold("A1"))
        await until_waiting(database)
    answers = await holding

    assert codes(answers) == [201, "seats-unavailable"]
    assert await claims(database) == [(1, "held")]
    assert await version(database) == 1


async def test_of_two_holds_in_two_processes_one_gets_the_seat_and_the_other_gets_nothing(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    first, second = await somebody(client), await somebody(other)

    async with locked(database, 1):
        holding = sent(first.hold("A1", "A2"), second.hold("A2", "A3"))
        await until_waiting(database, 2)
    answers = await holding

    refused = next(answer for answer in answers if answer.status_code == 409)
    assert codes(answers) == [201, "seats-unavailable"]
    assert [seat["label"] for seat in refused.json()["seats"]] == ["A2"]
    assert len(await claims(database)) == 2
    assert await version(database) == 1


async def test_seat_lists_in_opposite_order_never_deadlock(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    labels = [f"A{number}" for number in range(1, 9)]
    buyers = [await somebody(process) for process in (client, other) for _ in range(16)]

    answers = await sent(*(each.hold(*labels[:: 1 - 2 * (place % 2)]) for place, each in enumerate(buyers)))

    assert codes(answers) == [201] + ["seats-unavailable"] * 31
    assert all(len(answer.json()["seats"]) == 8 for answer in answers)
    assert len(await claims(database)) == 8
    assert await version(database) == 1


async def test_commands_for_several_screenings_in_opposite_order_never_deadlock(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    """Two batches, each for three screenings, asked for in opposite order, held up until both want their locks."""
    buyers = [await somebody(process) for process in (client, other)]

    async with locked(database, 1, 2, 3):
        holding = sent(
            *(buyers[0].hold("A1", screening=screening) for screening in (1, 2, 3)),
            *(buyers[1].hold("A1", screening=screening) for screening in (3, 2, 1)),
        )
        await until_waiting(database, 2)
    answers = await holding

    assert codes(answers) == [201] * 3 + ["seats-unavailable"] * 3
    assert await database.fetchval("SELECT count(*) FROM seat_claims") == 3


# --- hold against expiry


async def test_a_hold_that_waited_past_a_rivals_end_gets_the_seat(client: AsyncClient, database: Connection) -> None:
    """Its transaction began, and asked for the lock, while the rival still held the seat: that time does not count."""
    first, second = await somebody(client), await somebody(client)
    await first.hold("A1", "A2")
    resources_of(client).box_office.locks_first = 1

    async with locked(database, 1):
        holding = asyncio.ensure_future(second.hold("A1"))
        await until_waiting(database)
        await let_run_out(database)
    answer = await holding

    assert codes([answer]) == [201]
    assert await claims(database) == [(1, "held")]  # the hold that ran out is over as a whole
    assert await statuses(database) == ["expired", "held"]


async def test_a_hold_that_comes_before_a_rivals_end_does_not_get_the_seat(
    client: AsyncClient, database: Connection
) -> None:
    first, second = await somebody(client), await somebody(client)
    await first.hold("A1")

    assert codes([await second.hold("A1")]) == ["seats-unavailable"]


@pytest.mark.parametrize("sweeper_is_first", [True, False])
async def test_at_the_instant_of_its_end_a_seat_is_freed_once_and_goes_to_the_rival(
    client: AsyncClient, other: AsyncClient, database: Connection, sweeper_is_first: bool
) -> None:
    """The sweeper and a rival both wait for the screening when the hold ends, the one behind the other."""
    first, second = await somebody(client), await somebody(client)
    await first.hold("A1")
    await let_run_out(database)

    sweeping, holding = resources_of(other).sweeper.sweep(), second.hold("A1")
    async with locked(database, 1):
        earlier = asyncio.ensure_future(sweeping if sweeper_is_first else holding)
        await until_waiting(database, 1)
        later = asyncio.ensure_future(holding if sweeper_is_first else sweeping)
        await until_waiting(database, 2)
    await asyncio.gather(earlier, later)

    assert await seats(client) == {"A1": "reserved"}
    assert await statuses(database) == ["expired", "held"]
    assert await version(database) == (3 if sweeper_is_first else 2)
    frees = "SELECT count(*) FROM seat_events WHERE to_status = 'available'"
    assert await database.fetchval(frees) == (1 if sweeper_is_first else 0)


async def test_of_confirming_late_and_a_rivals_hold_the_first_wins(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    first, second = await somebody(client), await somebody(other)
    held = (await first.hold("A1", "A2")).json()
    await let_run_out(database)

    async with locked(database, 1):
        holding = asyncio.ensure_future(second.hold("A2"))
        await until_waiting(database, 1)
        confirming = asyncio.ensure_future(first.confirm(held["id"]))
        await until_waiting(database, 2)
    answers = [await holding, await confirming]

    assert codes(answers) == [201, "reservation-expired"]
    assert [seat["label"] for seat in answers[1].json()["seats"]] == ["A2"]
    assert await claims(database) == [(2, "held")]


# --- book against cancel


@pytest.mark.parametrize("cancel_is_first", [True, False])
async def test_a_seat_that_is_cancelled_and_booked_at_once_has_one_owner(
    client: AsyncClient, other: AsyncClient, database: Connection, cancel_is_first: bool
) -> None:
    first, second = await somebody(client), await somebody(other)
    booked = (await first.book("A1")).json()

    cancelling, booking = first.cancel(booked["id"]), second.book("A1")
    async with locked(database, 1):
        earlier = asyncio.ensure_future(cancelling if cancel_is_first else booking)
        await until_waiting(database, 1)
        later = asyncio.ensure_future(booking if cancel_is_first else cancelling)
        await until_waiting(database, 2)
    answers = [await earlier, await later]

    assert codes(answers) == ([200, 201] if cancel_is_first else [200, "seats-unavailable"])
    assert await claims(database) == ([(1, "booked")] if cancel_is_first else [])
    live = "SELECT count(*) FROM booking_seats WHERE cancelled_at IS NULL"
    assert await database.fetchval(live) == (1 if cancel_is_first else 0)


# --- one key


@pytest.mark.parametrize("in_two_processes", [False, True])
async def test_the_same_key_twice_at_once_is_one_effect_and_one_answer(
    client: AsyncClient, other: AsyncClient, database: Connection, in_two_processes: bool
) -> None:
    """A toggle, because done twice it would be undone."""
    buyer = await somebody(client)
    again = buyer.at(other) if in_two_processes else buyer

    async with locked(database, 1):
        toggling = sent(buyer.toggle("A1", key="k"), again.toggle("A1", key="k"))
        await until_waiting(database, 2 if in_two_processes else 1)
    answers = await toggling

    assert codes(answers) == [200, 200]
    assert answers[0].content == answers[1].content
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == ["", "true"]
    assert await claims(database) == [(1, "held")]
    assert await version(database) == 1
