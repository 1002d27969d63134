"""Limits are checked inside the transaction that takes the seats: parallel requests cannot beat them."""

import asyncio
from collections import Counter
from typing import TypeAlias

import asyncpg
import pytest
from httpx import AsyncClient, Response

from tests.conftest import OpenApp, resources_of
from tests.order import edit
from tests.races.buyers import Buyer, somebody

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
DAILY = {"bookings_per_user_per_day": 1}


def told(answers: list[Response]) -> Counter[tuple[int, str | None]]:
    """How often which status was answered, and for which limit."""
    return Counter((answer.status_code, answer.json().get("limit")) for answer in answers)


async def both(open_app: OpenApp, **limits: int) -> tuple[AsyncClient, AsyncClient]:
    """Two processes, so to say, under the same limits."""
    return await open_app(**limits), await open_app(**limits)


async def test_of_ten_parallel_bookings_with_one_a_day_one_succeeds(open_app: OpenApp) -> None:
    one, other = await both(open_app, bookings_per_user_per_day=1)
    buyer = await somebody(one)

    answers = await asyncio.gather(
        *(buyer.at((one, other)[each % 2]).book(f"A{each}", screening=1 + each % 3) for each in range(1, 11))
    )

    assert told(answers) == {(201, None): 1, (409, "bookings_per_user_per_day"): 9}
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert (refused["allowed"], refused["current"]) == (1, 1)


async def test_a_cancelled_booking_does_not_count(open_app: OpenApp) -> None:
    one, other = await both(open_app, bookings_per_user_per_day=1)
    buyer = await somebody(one)
    booked = (await buyer.book("A1")).json()

    await buyer.cancel(booked["id"])
    again = await buyer.at(other).book("A2")

    assert again.status_code == 201


async def test_of_parallel_holds_with_one_at_a_time_one_succeeds(open_app: OpenApp) -> None:
    one, other = await both(open_app, max_active_reservations_per_user=1)
    buyer = await somebody(one)

    answers = await asyncio.gather(
        *(buyer.at((one, other)[each % 2]).hold(f"A{each}", screening=1 + each % 3) for each in range(1, 11))
    )

    assert told(answers) == {(201, None): 1, (409, "max_active_reservations_per_user"): 9}


async def test_held_and_booked_seats_of_a_screening_count_together(open_app: OpenApp) -> None:
    one, other = await both(open_app, max_seats_per_user=3)
    buyer = await somebody(one)
    await buyer.book("A1")
    await buyer.hold("A2")

    answers = await asyncio.gather(*(buyer.at((one, other)[each % 2]).hold(f"B{each}") for each in range(1, 5)))

    assert told(answers) == {(201, None): 1, (409, "max_seats_per_user"): 3}


async def test_guests_of_one_email_are_one_buyer(open_app: OpenApp) -> None:
    one, other = await both(open_app, bookings_per_user_per_day=1)
    guests: list[Buyer] = [await somebody((one, other)[each % 2], "ada") for each in range(6)]
    stranger = await somebody(one, "charles")

    answers = await asyncio.gather(*(guest.book(f"A{each}") for each, guest in enumerate(guests, start=1)))
    theirs = await stranger.book("B1")

    assert told(answers) == {(201, None): 1, (409, "bookings_per_user_per_day"): 5}
    assert theirs.status_code == 201


async def registers(buyer: Buyer, **account: str) -> Buyer:
    """A guest becomes an account, and signs in."""
    known = {"username": "ada", "password": "a long sentence"}
    answer = await buyer.ask("POST", "/auth/register", known | account)
    assert answer.status_code == 201, answer.text
    signed_in = await buyer.client.post("/api/v1/auth/login", json=known)
    return Buyer(buyer.client, signed_in.json()["access_token"])


async def signs_up(client: AsyncClient, username: str, email: str) -> Buyer:
    """A new account with this email."""
    account = {"username": username, "password": "a long sentence"}
    made = await client.post("/api/v1/auth/register", json=account | {"email": email})
    assert made.status_code == 201, made.text
    answer = await client.post("/api/v1/auth/login", json=account)
    return Buyer(client, answer.json()["access_token"])


async def must_be_one_buyer(buyer: Buyer, *, screening: int = 2) -> None:
    """What they want to book is one booking too many for today."""
    answer = await buyer.book("B1", screening=screening)

    assert told([answer]) == {(409, "bookings_per_user_per_day"): 1}, answer.text


async def test_who_registers_stays_the_same_buyer(open_app: OpenApp) -> None:
    one = await open_app(**DAILY)
    guest = await somebody(one, "ada")
    await guest.book("A1")

    await registers(guest)

    await must_be_one_buyer(await somebody(one, "ada"))


async def test_who_registers_with_another_email_stays_the_same_buyer(open_app: OpenApp) -> None:
    one = await open_app(**DAILY)
    guest = await somebody(one, "ada")
    await guest.book("A1")

    await registers(guest, email="lovelace@example.org")

    await must_be_one_buyer(await somebody(one, "ada"))
    await must_be_one_buyer(await somebody(one, "lovelace"))


async def test_who_deletes_themself_stays_the_same_buyer(open_app: OpenApp) -> None:
    one = await open_app(**DAILY)
    guest = await somebody(one, "ada")
    await guest.book("A1")

    assert (await guest.ask("DELETE", "/me")).status_code == 204

    await must_be_one_buyer(await somebody(one, "ADA"))


async def test_an_account_with_the_email_is_the_same_buyer(open_app: OpenApp) -> None:
    one = await open_app(**DAILY)
    await (await somebody(one, "ada")).book("A1")

    account = await signs_up(one, "ada", "Ada@example.org")
    await must_be_one_buyer(account)
    stranger = await signs_up(one, "charles", "charles@example.org")

    assert (await stranger.book("B1")).status_code == 201


async def test_accounts_of_one_email_hold_together(open_app: OpenApp) -> None:
    one = await open_app(max_seats_per_user=2)
    ada, other = await signs_up(one, "ada", "ada@example.org"), await signs_up(one, "lovelace", "ada@example.org")
    await ada.hold("A1", "A2")

    answer = await other.hold("B1")

    assert told([answer]) == {(409, "max_seats_per_user"): 1}


async def test_a_deleted_users_email_is_forgotten_when_nothing_counts_it(open_app: OpenApp, database: Database) -> None:
    one = await open_app(**DAILY)
    booked, idle = await somebody(one, "ada"), await somebody(one, "charles")
    await booked.book("A1")
    for each in (booked, idle):
        await each.ask("DELETE", "/me")
    await database.execute("UPDATE buyer_emails SET left_at = left_at - interval '3 days' WHERE left_at IS NOT NULL")
    kept = "SELECT count(*) FROM buyer_emails WHERE left_at IS NOT NULL"

    await resources_of(one).sweeper.tidy()
    for_booking = await database.fetchval(kept)
    await database.execute("UPDATE bookings SET created_at = created_at - interval '3 days'")
    await resources_of(one).sweeper.tidy()
    for_screening_to_come = await database.fetchval(kept)
    await edit(database, "starts_at = now() - interval '1 hour', sales_close_at = NULL")
    await resources_of(one).sweeper.tidy()

    assert (for_booking, for_screening_to_come, await database.fetchval(kept)) == (1, 1, 0)


async def test_nobodys_email_can_be_read_once_they_are_gone(open_app: OpenApp, database: Database) -> None:
    guest = await somebody(await open_app(), "ada")

    await guest.ask("DELETE", "/me")

    assert not await database.fetchval("SELECT count(*) FROM users u WHERE u::text LIKE '%ada@%'")
    assert await database.fetchval("SELECT length(email_key) FROM buyer_emails WHERE left_at IS NOT NULL") == 32


@pytest.mark.parametrize("limit", ["max_seats_per_user", "max_active_reservations_per_user", *DAILY])
async def test_where_limits_need_an_email_guests_without_one_are_told_how_to_give_it(
    open_app: OpenApp, limit: str
) -> None:
    one = await open_app(limits_need_email=True, **{limit: 3})
    wanted = {"screening_id": 1, "seats": ["A1"]}

    held = await one.post("/api/v1/screenings/1/reservations", json={"seats": ["A1"]})
    toggled = await one.post("/api/v1/screenings/1/reservations/toggle", json={"seats": ["A1"]})
    booked = await one.post("/api/v1/bookings", json=wanted)

    for answer in (held, toggled, booked):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation")
        assert [error["code"] for error in answer.json()["errors"]] == ["email_needed"]
        assert "POST /auth/guest" in answer.json()["detail"]
    assert (await (await somebody(one, "ada")).hold("A1")).status_code == 201


async def test_without_a_limit_nobody_needs_an_email(open_app: OpenApp) -> None:
    one = await open_app(limits_need_email=True)

    answer = await one.post("/api/v1/screenings/1/reservations", json={"seats": ["A1"]})

    assert answer.status_code == 201


async def test_an_account_without_an_email_is_known(open_app: OpenApp) -> None:
    here, there = await open_app(), await open_app(limits_need_email=True, **DAILY)
    answer = await here.post("/api/v1/screenings/1/reservations", json={"seats": ["A1"]})
    guest = Buyer(there, answer.json()["guest_token"])

    before = await guest.hold("A2")
    after = await (await registers(guest)).hold("A2")

    assert (before.status_code, after.status_code) == (422, 201)
