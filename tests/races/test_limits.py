"""Limits are checked inside the transaction that takes the seats: parallel requests cannot beat them."""

import asyncio
from collections import Counter

from httpx import AsyncClient, Response

from tests.conftest import OpenApp
from tests.races.buyers import Buyer, somebody


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
