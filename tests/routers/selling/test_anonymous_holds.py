"""How many seats are held from one address without an account: an attacker gets few, a class is served as it pays."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from httpx import AsyncClient, Response

from tests.conftest import OpenApp, resources_of
from tests.routers.visitors import Database, Visitor, refused, time_passes, told

HOLD = "/screenings/4/reservations"
LIMITED: dict[str, Any] = {
    "rate_limits": True,
    "rate_reading": "9000/second",
    "rate_taking": "9000/second",
    "trusted_proxies": "127.0.0.1",
}

pytestmark = pytest.mark.usefixtures("nobody_waits_for_the_bank")


@pytest.fixture
async def limited(open_app: OpenApp) -> AsyncClient:
    return await open_app(**LIMITED)


async def hold(client: AsyncClient, ids: list[int], address: str = "192.0.2.1") -> Response:
    """As somebody without a token."""
    return await client.post(HOLD, json={"seat_ids": ids}, headers={"x-forwarded-for": address})


async def seats_of(client: AsyncClient) -> list[int]:
    return [each["seat_id"] for each in (await client.get("/screenings/4/seats")).json()["seats"]]


async def test_one_address_without_a_token_holds_twenty_seats_of_the_hall(limited: AsyncClient) -> None:
    seats = await seats_of(limited)

    answers = [await hold(limited, seats[start : start + 10]) for start in range(0, 50, 10)]

    assert [answer.status_code for answer in answers] == [201, 201, 409, 409, 409]
    problem = answers[-1].json()
    assert (problem["limit"], problem["allowed"], problem["current"]) == ("anonymous_holds_per_address", 20, 20)


async def test_an_evasion_by_toggling_or_by_another_guests_token_is_counted_too(limited: AsyncClient) -> None:
    seats = await seats_of(limited)
    first = told(await hold(limited, seats[:10]), 201)
    await hold(limited, seats[10:20])
    mine = {"x-forwarded-for": "192.0.2.1", "authorization": f"Bearer {first['guest_token']}"}

    for headers in (mine, {"x-forwarded-for": "192.0.2.1"}):
        answer = await limited.post(f"{HOLD}/toggle", json={"seat_ids": [seats[20]]}, headers=headers)
        assert (answer.status_code, answer.json()["limit"]) == (409, "anonymous_holds_per_address")
    exchanged = await limited.post(f"{HOLD}/toggle", json={"seat_ids": [seats[0], seats[20]]}, headers=mine)
    assert exchanged.status_code == 200


async def test_a_network_holds_four_times_as_many(limited: AsyncClient) -> None:
    seats = await seats_of(limited)

    answers = [
        await hold(limited, seats[start : start + 10], f"192.0.2.{1 + start // 20}") for start in range(0, 100, 10)
    ]
    elsewhere = await hold(limited, seats[100:110], "198.51.100.1")

    assert Counter(answer.status_code for answer in answers) == {201: 8, 409: 2}
    assert answers[-1].json()["allowed"] == 80
    assert elsewhere.status_code == 201


async def test_a_class_behind_one_address_is_served_as_it_pays(limited: AsyncClient) -> None:
    for seat in (await seats_of(limited))[:30]:
        held = told(await hold(limited, [seat]), 201)
        pupil = Visitor(limited, held["guest_token"])
        await pupil.confirm(held)


async def test_whoever_has_an_account_is_not_bounded(limited: AsyncClient) -> None:
    seats = await seats_of(limited)
    account = {"username": "teacher", "password": "a long password"}
    told(await limited.post("/auth/register", json=account), 201)
    teacher = Visitor(limited, told(await limited.post("/auth/login", json=account), 200)["access_token"])

    for start in range(0, 30, 10):
        told(await teacher.post(HOLD, {"seat_ids": seats[start : start + 10]}), 201)
    told(await hold(limited, seats[30:40], "127.0.0.1"), 201)


async def test_ten_parallel_requests_to_two_processes_do_not_beat_it(open_app: OpenApp, limited: AsyncClient) -> None:
    other = await open_app(**LIMITED)
    seats = await seats_of(limited)

    answers = await asyncio.gather(
        *(hold((limited, other)[each % 2], seats[each * 5 : each * 5 + 5]) for each in range(10))
    )

    assert Counter(answer.status_code for answer in answers) == {201: 4, 409: 6}


async def test_a_late_extension_is_counted_and_addresses_are_forgotten_with_the_hold(
    limited: AsyncClient, database: Database
) -> None:
    seats = await seats_of(limited)
    first = told(await hold(limited, seats[:10]), 201)
    await time_passes(database, first, 301)
    for start in (10, 20):
        told(await hold(limited, seats[start : start + 10]), 201)

    late = await limited.post(
        f"/reservations/{first['id']}/extend",
        headers={"x-forwarded-for": "192.0.2.1", "authorization": f"Bearer {first['guest_token']}"},
    )
    sweeper = resources_of(limited).sweeper
    await sweeper.sweep()
    await sweeper.tidy()

    problem = refused(late, 409, "limit-exceeded", "limit", "allowed", "current")
    assert problem["limit"] == "anonymous_holds_per_address"
    assert await database.fetchval("SELECT count(*) FROM anonymous_holds") == 2


async def test_switched_off_nothing_is_counted_or_stored(client: AsyncClient, database: Database) -> None:
    seats = await seats_of(client)

    answers = [await hold(client, seats[start : start + 10]) for start in range(0, 30, 10)]

    assert {answer.status_code for answer in answers} == {201}
    assert await database.fetchval("SELECT count(*) FROM anonymous_holds") == 0
    assert await database.fetchval("SELECT count(*) FROM kept_seats") == 0


async def test_the_same_seats_are_held_again_and_again_only_with_pauses_that_grow(
    limited: AsyncClient, database: Database
) -> None:
    seats = (await seats_of(limited))[:10]

    pauses = []
    for _ in range(5):
        held = await hold(limited, seats)
        while held.status_code == 409:
            problem = refused(held, 409, "limit-exceeded", "limit", "allowed", "current")
            assert (problem["limit"], problem["allowed"]) == ("anonymous_holds_per_address", 20)
            pauses.append(int(held.headers["retry-after"]))
            await everything_is_longer_ago(database, pauses[-1])
            held = await hold(limited, seats)
        told(held, 201)
        await everything_is_longer_ago(database, 300)

    assert [round(pause, -1) for pause in pauses] == [30, 60, 120]


async def test_other_seats_and_addresses_and_accounts_wait_for_nothing(
    limited: AsyncClient, database: Database
) -> None:
    seats = await seats_of(limited)
    await keep(limited, database, seats[:1])

    refusal = await hold(limited, seats[:2])
    checked = await limited.post(
        "/screenings/4/check-selection",
        json={"seat_ids": seats[:2]},
        headers={"x-forwarded-for": "192.0.2.1"},
    )

    detail = refused(refusal, 409, "limit-exceeded", "limit", "allowed", "current")["detail"]
    assert "not booked: Block D-14-1. Try again in" in detail
    assert checked.json()["problem"]["limit"] == "anonymous_holds_per_address"
    told(await hold(limited, seats[1:2]), 201)
    told(await hold(limited, seats[:1], "192.0.2.2"), 201)


async def test_the_best_available_are_not_the_same_again(limited: AsyncClient, database: Database) -> None:
    async def best() -> list[int]:
        answer = await limited.post(
            HOLD, json={"best_available": {"count": 2}}, headers={"x-forwarded-for": "192.0.2.1"}
        )
        return [each["seat_id"] for each in told(answer, 201)["seats"]]

    first = await best()
    await everything_is_longer_ago(database, 300)
    again = await best()
    await everything_is_longer_ago(database, 300)
    third = await best()

    assert first == again
    assert set(third).isdisjoint(first)


async def test_a_hold_that_ran_out_is_not_extended_while_its_seats_pause(
    limited: AsyncClient, database: Database
) -> None:
    seats = (await seats_of(limited))[:1]
    late = await keep(limited, database, seats)

    extended = await Visitor(limited, late["guest_token"]).ask(
        "POST", f"/reservations/{late['id']}/extend", x_forwarded_for="192.0.2.1"
    )

    assert extended.json()["limit"] == "anonymous_holds_per_address"
    assert extended.headers["retry-after"]


async def test_a_pause_stands_in_the_way_of_no_booking_and_a_cancelled_one_does_not_end_it(
    limited: AsyncClient, database: Database
) -> None:
    seats = (await seats_of(limited))[:1]
    late = await keep(limited, database, seats)
    guest = Visitor(limited, late["guest_token"])

    booking = await guest.confirm(late)
    told(await guest.delete(f"/bookings/{booking['id']}"), 200)

    held = told(await hold(limited, seats), 201)
    told(await Visitor(limited, held["guest_token"]).delete(f"/reservations/{held['id']}"), 200)
    await everything_is_longer_ago(database, 1)
    told(await hold(limited, seats), 201)
    await everything_is_longer_ago(database, 300)
    refused(await hold(limited, seats), 409, "limit-exceeded", "limit", "allowed", "current")


async def test_how_seats_were_kept_is_forgotten(limited: AsyncClient, database: Database) -> None:
    seats = await seats_of(limited)
    told(await hold(limited, seats[:10]), 201)
    await everything_is_longer_ago(database, 2701)
    told(await hold(limited, seats[10:11]), 201)

    await resources_of(limited).sweeper.tidy()

    assert await database.fetch("SELECT seat_id FROM kept_seats") == [(seats[10],)]


async def keep(client: AsyncClient, database: Database, seats: list[int]) -> dict[str, Any]:
    """Two guests of one address keep the seats for a hold time each. Returns the second hold, which has run out."""
    for _ in range(2):
        held = told(await hold(client, seats), 201)
        await everything_is_longer_ago(database, 300)
    return held


async def everything_is_longer_ago(database: Database, seconds: int) -> None:
    """Nobody has to wait."""
    await database.execute(
        """
        WITH ago AS (SELECT make_interval(secs => $1) AS long),
             reservations AS (UPDATE reservations SET created_at = created_at - long, expires_at = expires_at - long,
                              first_held_at = first_held_at - long FROM ago),
             claims AS (UPDATE seat_claims SET expires_at = expires_at - long FROM ago)
        UPDATE kept_seats SET began_at = began_at - long, forget_at = forget_at - long FROM ago
        """,
        seconds,
    )


async def test_what_waits_for_its_payment_is_held_and_counts(limited: AsyncClient, database: Database) -> None:
    seats = await seats_of(limited)
    late = told(await hold(limited, seats[:10]), 201)
    await time_passes(database, late, 301)
    told(await buy(limited, seats[10:20], "slow:3600"), 202)
    told(await hold(limited, seats[20:30]), 201)

    confirmed_late = await confirm(limited, late, "slow:3600")
    bought = await buy(limited, seats[30:31], "slow:3600")
    held = await hold(limited, seats[30:31])

    for answer in (confirmed_late, bought, held):
        problem = refused(answer, 409, "limit-exceeded", "limit", "allowed", "current")
        assert (problem["limit"], problem["allowed"], problem["current"]) == ("anonymous_holds_per_address", 20, 20)
    assert await database.fetchval("SELECT count(*) FROM reservations WHERE status = 'paying'") == 1


async def test_a_late_confirmation_that_waits_for_its_payment_is_counted_from_then_on(
    limited: AsyncClient, database: Database
) -> None:
    seats = await seats_of(limited)
    late = told(await hold(limited, seats[:10]), 201)
    await time_passes(database, late, 301)
    await resources_of(limited).sweeper.sweep()
    await resources_of(limited).sweeper.tidy()
    told(await confirm(limited, late, "slow:3600"), 202)

    answers = [await hold(limited, seats[start : start + 10]) for start in (10, 20)]

    assert [answer.status_code for answer in answers] == [201, 409]


async def test_whoever_pays_at_once_is_not_counted(limited: AsyncClient, database: Database) -> None:
    """Nothing of it is ever held and unpaid: a hold that ran out and direct bookings, beside all that may be held."""
    seats = await seats_of(limited)
    late = told(await hold(limited, seats[:10]), 201)
    await time_passes(database, late, 301)
    for start in (10, 20):
        told(await hold(limited, seats[start : start + 10]), 201)

    told(await confirm(limited, late, "ok"), 201)
    for start in (30, 40, 50):
        told(await buy(limited, seats[start : start + 10], "ok"), 201)


async def test_moving_a_hold_into_a_booking_that_waits_takes_nothing_more(limited: AsyncClient) -> None:
    seats = await seats_of(limited)
    first = told(await hold(limited, seats[:10]), 201)
    told(await hold(limited, seats[10:20]), 201)

    told(await buy(limited, seats[:10], "slow:3600", first["guest_token"]), 202)


async def test_an_account_buys_slowly_as_much_as_it_likes(limited: AsyncClient) -> None:
    seats = await seats_of(limited)
    account = {"username": "teacher", "password": "a long password"}
    told(await limited.post("/auth/register", json=account), 201)
    token = told(await limited.post("/auth/login", json=account), 200)["access_token"]

    for start in (0, 10, 20):
        told(await buy(limited, seats[start : start + 10], "slow:3600", token), 202)


async def buy(client: AsyncClient, ids: list[int], token: str, of: str | None = None) -> Response:
    """Directly, from one address; as somebody without a token, or with this one."""
    headers = {"x-forwarded-for": "192.0.2.1"} | ({"authorization": f"Bearer {of}"} if of else {})
    body = {"screening_id": 4, "seat_ids": ids, "payment": {"method": "dummy", "token": token}}
    return await client.post("/bookings", json=body, headers=headers)


async def confirm(client: AsyncClient, held: dict[str, Any], token: str) -> Response:
    headers = {"x-forwarded-for": "192.0.2.1", "authorization": f"Bearer {held['guest_token']}"}
    body = {"payment": {"method": "dummy", "token": token}}
    return await client.post(f"/reservations/{held['id']}/confirm", json=body, headers=headers)
