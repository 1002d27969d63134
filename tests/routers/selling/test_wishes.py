"""A wish in the place of named seats: keys, repeats, guests, limits and live updates as for named ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import MakeSettings, OpenApp
from tests.listeners import House, house, seats
from tests.order import edit
from tests.organizers import token_of
from tests.routers.selling.test_anonymous_holds import LIMITED
from tests.routers.visitors import NOBODYS_ID, Database, Json, Visitor, guest, labels, refused, time_passes, told

HOLD = "/screenings/1/reservations"
DOORS = [
    (HOLD, {}),
    ("/theaters/1/reserve", {"screening_id": 1}),
    ("/theaters/1/reserve", {}),
    ("/bookings", {"screening_id": 1}),
    ("/theaters/1/book", {"screening_id": 1}),
    ("/theaters/1/book", {}),
]


def best(count: int, **more: Any) -> Json:
    return {"best_available": {"count": count}, **more}


@pytest.fixture
async def only_one(database: Database) -> None:
    """One screening is on sale in theater 1."""
    await edit(database, "sales_open_at = starts_at", "theater_id = 1 AND id <> 1")


@pytest.mark.usefixtures("only_one")
@pytest.mark.parametrize(("path", "more"), DOORS)
async def test_with_the_same_key_it_is_done_once(ada: Visitor, path: str, more: Json) -> None:
    first = await ada.post(path, best(2, **more), key="once")
    again = await ada.post(path, best(2, **more), key="once")
    other = await ada.post(path, best(3, **more), key="once")

    held = told(first, 201)
    assert (labels(held["seats"]), held["adjacent"]) == (["A10", "A11"], True)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    refused(other, 422, "idempotency-key-reused")
    assert len(await ada.taken()) == 2


@pytest.mark.usefixtures("only_one")
@pytest.mark.parametrize(("path", "more"), DOORS)
async def test_without_a_key_it_is_another_wish(ada: Visitor, path: str, more: Json) -> None:
    """What is held or booked already is no more among the best available: nothing is there to be repeated."""
    first = told(await ada.post(path, best(2, **more)), 201)
    second = told(await ada.post(path, best(2, **more)), 201)

    assert (labels(first["seats"]), labels(second["seats"])) == (["A10", "A11"], ["A8", "A9"])
    assert first["id"] != second["id"]


@pytest.mark.parametrize("path", ["/bookings", "/theaters/1/book"])
async def test_a_booking_id_serves_as_the_key(ada: Visitor, path: str) -> None:
    body = best(2, screening_id=1, booking_id=NOBODYS_ID)
    first, again = await ada.post(path, body), await ada.post(path, body)

    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert len(await ada.taken()) == 2


async def test_the_seats_that_were_found_are_mine_by_name_too(ada: Visitor) -> None:
    held = told(await ada.post(HOLD, best(2)), 201)
    named = told(await ada.post(HOLD, {"seats": ["A10", "A11"]}), 200)
    booked = told(await ada.post("/bookings", {"screening_id": 1, "seats": ["A10", "A11"]}), 201)
    again = told(await ada.post("/bookings", {"screening_id": 1, "seats": ["A10", "A11"]}), 200)

    assert (named["id"], again["id"]) == (held["id"], booked["id"])


@pytest.mark.parametrize(("path", "more"), [DOORS[0], DOORS[1], DOORS[3], DOORS[4]])
async def test_nobody_signed_in_becomes_the_same_guest_when_the_key_comes_again(
    nobody: Visitor, path: str, more: Json
) -> None:
    first = await nobody.post(path, best(2, **more), key=NOBODYS_ID)
    again = await nobody.post(path, best(2, **more), key=NOBODYS_ID)
    refused(await nobody.post(path, best(2, **more), key="no uuid"), 400, "idempotency-key-invalid")

    got = told(first, 201)
    assert (again.status_code, again.content) == (201, first.content)
    me = Visitor(nobody.client, got["guest_token"])
    assert (await me.read("/me"))["id"] == got["user_id"]
    assert len(await nobody.taken()) == 2


async def test_a_toggle_names_its_seats(ada: Visitor) -> None:
    refused(await ada.post(f"{HOLD}/toggle", best(1)), 422, "validation", "errors")
    refused(await ada.post("/reserve", best(1)), 422, "validation", "errors")
    assert await ada.taken() == {}


@pytest.mark.parametrize(
    ("limits", "path", "allowed"),
    [
        ({"max_seats_per_user": 3}, HOLD, 3),
        ({"max_seats_per_user": 3}, "/bookings", 3),
        ({"max_active_reservations_per_user": 1}, HOLD, 1),
        ({"bookings_per_user_per_day": 1}, "/bookings", 1),
    ],
)
async def test_a_limit_holds_for_wishes_that_come_at_once(
    ada: Visitor, nobody: Visitor, database: Database, limits: Json, path: str, allowed: int
) -> None:
    olga = Visitor(nobody.client, await token_of(database))
    told(await olga.ask("PATCH", "/screenings/1", {"limits": limits}), 200)
    more = {} if path == HOLD else {"screening_id": 1}

    answers = await asyncio.gather(*(ada.post(path, best(2, **more)) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    problems = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(each["code"], each["limit"], each["allowed"]) for each in problems} == {
        ("limit-exceeded", next(iter(limits)), allowed)
    }
    assert len(await ada.taken()) == 2


async def test_one_address_without_an_account_holds_twenty_seats_by_wishes(open_app: OpenApp) -> None:
    limited: AsyncClient = await open_app(**LIMITED)

    async def wish(path: str, address: str, **more: Any) -> Any:
        return await limited.post(path, json=best(10, **more), headers={"x-forwarded-for": address})

    first = await wish("/screenings/4/reservations", "192.0.2.1")
    second = await wish("/theaters/3/reserve", "192.0.2.1", screening_id=4)
    third = await wish("/screenings/4/reservations", "192.0.2.1")
    elsewhere = await wish("/screenings/4/reservations", "198.51.100.1")

    assert [each.status_code for each in (first, second, third, elsewhere)] == [201, 201, 409, 201]
    problem = third.json()
    assert (problem["limit"], problem["current"]) == ("anonymous_holds_per_address", 20)


async def test_the_cap_goes_on_counting_for_the_same_seats(ada: Visitor, bob: Visitor, database: Database) -> None:
    """Given back, or run out and swept or not: holding them again is no free extension."""
    held = told(await ada.post(HOLD, best(2)), 201)
    for seconds in (250, 301, 250):
        await time_passes(database, held, seconds)
        if seconds == 250:
            told(await ada.delete(f"/reservations/{held['id']}"), 200)
        held = told(await ada.post(HOLD, best(2)), 201)
        assert labels(held["seats"]) == ["A10", "A11"]
    assert held["expires_in_seconds"] < 100
    assert held["extensions_left"] == 0

    await time_passes(database, held, 95)
    told(await ada.delete(f"/reservations/{held['id']}"), 200)
    others = told(await ada.post(HOLD, best(2)), 201)
    assert (labels(others["seats"]), others["expires_in_seconds"]) == (["A8", "A9"], 300)
    theirs = told(await bob.post(HOLD, best(2)), 201)
    assert (labels(theirs["seats"]), theirs["expires_in_seconds"]) == (["A10", "A11"], 300)


# --- live ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def usher(make_settings: MakeSettings) -> AsyncIterator[House]:
    async with house(make_settings()) as opened:
        yield opened


async def test_listeners_hear_of_seats_that_were_found(usher: House) -> None:
    ada = await guest(usher.client, "ada@example.org")
    async with usher.stream(headers={"authorization": f"Bearer {ada.token}"}) as stream:
        await stream.next()

        held = told(await ada.post(HOLD, best(2)), 201)
        message = await seats(stream)
        told(await ada.post("/theaters/1/book", best(1, screening_id=1)), 201)
        booked = await seats(stream)

    assert message["version"] == held["version"]
    assert [(each["label"], each["status"]) for each in message["updates"]] == [
        ("A10", "reserved_by_me"),
        ("A11", "reserved_by_me"),
    ]
    assert [(each["label"], each["status"], each["is_mine"]) for each in booked["updates"]] == [("A9", "booked", True)]


# --- paying ----------------------------------------------------------------------------------------------------------


async def test_booking_by_theater_takes_a_payment(ada: Visitor) -> None:
    with_token = {"method": "card", "token": "ok"}
    for payment in (with_token, {**with_token, "colour": "red"}, {"token": "ok"}, {}, None):
        told(await ada.post("/theaters/1/book", best(1, screening_id=1, payment=payment)), 201)
    named = {"screening_id": 1, "seat": "D1"}
    declined = await ada.post("/theaters/1/book", {**named, "payment": {"token": "declined"}})
    assert (declined.status_code, declined.json()["code"]) == (402, "payment-declined")
    told(await ada.post("/theaters/1/book", {**named, "payment": with_token}), 201)

    for wrong in ("card", {"token": 7}, {"method": "m" * 65}, [with_token]):
        body = best(1, screening_id=1, payment=wrong)
        refused(await ada.post("/theaters/1/book", body), 422, "validation", "errors")
