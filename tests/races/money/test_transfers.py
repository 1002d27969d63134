"""Seats change hands while somebody else wants something of them, in another process: one of the two comes second.

Whoever that is finds what the first one left: a seat has one owner, a code is good once, and the books are right.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

import pytest
from httpx import AsyncClient, Response

from app.services.money import books
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, locked, until_waiting
from tests.organizers import token_of
from tests.races.buyers import Buyer, codes, seats, somebody
from tests.races.lines import Fate, Line

ORDERS: Final = pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])


async def one_after_the_other(
    database: Connection, first: Awaitable[Response], second: Awaitable[Response]
) -> tuple[Response, Response]:
    """Both are asked before either is served, and wait for the screening the one behind the other."""
    async with locked(database, 1):
        earlier = asyncio.ensure_future(first)
        await until_waiting(database, 1)
        later = asyncio.ensure_future(second)
        await until_waiting(database, 2)
    return await earlier, await later


async def in_order(
    database: Connection, one: Awaitable[Response], other: Awaitable[Response], is_first: bool
) -> tuple[Response, Response]:
    """What the one and the other are answered, if the one is first or second."""
    if is_first:
        return await one_after_the_other(database, one, other)
    told_other, told_one = await one_after_the_other(database, other, one)
    return told_one, told_other


class Scene:
    """Ann has booked seats and offers some of them; Bob has the code, and everybody is at a process of their own."""

    def __init__(self, here: AsyncClient, there: AsyncClient, ann: Buyer, bob: Buyer) -> None:
        self.here, self.there, self.ann, self.bob = here, there, ann, bob
        self.booking: dict[str, Any] = {}

    @classmethod
    async def of(cls, here: AsyncClient, there: AsyncClient, *labels: str) -> "Scene":
        scene = cls(here, there, await somebody(here, "ann"), await somebody(there, "bob"))
        scene.booking = (await scene.ann.book(*labels)).json()
        return scene

    async def offer(self, *labels: str) -> str:
        """The code."""
        answer = await self.offering(*labels)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])

    async def offering(self, *labels: str) -> Response:
        return await self.ann.ask("POST", f"/bookings/{self.booking['id']}/transfers", {"seats": labels})

    async def status(self, code: str) -> str:
        return str((await self.ann.ask("GET", f"/transfers/{code}")).json()["status"])

    async def the_books_are_right(self) -> None:
        found = await books.examine(resources_of(self.here).engine)
        assert (found.wrong, found.unbalanced) == ([], [])

    async def seats_of(self, buyer: Buyer) -> set[str]:
        """The seats of the bookings that somebody has."""
        found = (await buyer.ask("GET", "/bookings?status=confirmed")).json()["items"]
        return {seat["label"] for booking in found for seat in booking["seats"]}


def accepting(buyer: Buyer, code: str) -> Awaitable[Response]:
    return buyer.ask("POST", f"/transfers/{code}/accept")


async def test_of_two_who_accept_one_gets_the_seats_in_two_processes(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    cleo, code = await somebody(client, "cleo"), await scene.offer("A1", "A2")

    first, second = await one_after_the_other(database, accepting(scene.bob, code), accepting(cleo, code))

    assert codes([first, second]) == [201, "transfer-over"]
    assert second.json()["transfer_status"] == "accepted"
    assert await scene.seats_of(scene.bob) == {"A1", "A2"}
    assert await scene.seats_of(cleo) == await scene.seats_of(scene.ann) == set()
    await scene.the_books_are_right()


async def test_of_many_who_accept_at_once_one_gets_the_seats_in_one_process(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    scene = await Scene.of(client, other, "A1")
    many, code = [await somebody(client, f"taker{number}") for number in range(12)], await scene.offer("A1")

    async with locked(database, 1):
        asking = asyncio.gather(*(accepting(each, code) for each in many))
        await until_waiting(database)
    answers = await asking

    assert codes(answers) == [201] + ["transfer-over"] * 11
    assert await database.fetchval("SELECT count(*) FROM bookings WHERE status = 'confirmed'") == 1
    await scene.the_books_are_right()


async def test_two_offers_of_one_booking_are_accepted_side_by_side(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    cleo = await somebody(client, "cleo")
    one, another = await scene.offer("A1"), await scene.offer("A2")

    answers = await one_after_the_other(database, accepting(scene.bob, one), accepting(cleo, another))

    assert codes(answers) == [201, 201]
    assert (await scene.seats_of(scene.bob), await scene.seats_of(cleo)) == ({"A1"}, {"A2"})
    assert await scene.seats_of(scene.ann) == set()
    await scene.the_books_are_right()


@ORDERS
async def test_accepting_and_cancelling_the_booking(
    client: AsyncClient, other: AsyncClient, database: Connection, is_first: bool
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    code = await scene.offer("A1")

    taken, cancelled = await in_order(
        database, accepting(scene.bob, code), scene.ann.cancel(scene.booking["id"]), is_first
    )

    assert cancelled.json()["status"] == "cancelled"
    if is_first:
        assert codes([taken]) == [201]
        assert await seats(client) == {"A1": "booked"}
    else:
        assert codes([taken]) == ["transfer-over"]
        assert taken.json()["transfer_status"] == await scene.status(code) == "withdrawn"
        assert await seats(client) == {}
    await scene.the_books_are_right()


@ORDERS
async def test_accepting_and_cancelling_just_that_seat(
    client: AsyncClient, other: AsyncClient, database: Connection, is_first: bool
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    code, seat_id = await scene.offer("A1"), scene.booking["seats"][0]["seat_id"]

    taken, cancelled = await in_order(
        database,
        accepting(scene.bob, code),
        scene.ann.ask("DELETE", f"/bookings/{scene.booking['id']}/seats/{seat_id}"),
        is_first,
    )

    assert cancelled.status_code == 200
    assert codes([taken]) == [201 if is_first else "transfer-over"]
    assert await seats(client) == ({"A1": "booked", "A2": "booked"} if is_first else {"A2": "booked"})
    refunded = await database.fetchval("SELECT count(*) FROM refunds")
    assert refunded == (0 if is_first else 1)
    await scene.the_books_are_right()


@ORDERS
@pytest.mark.parametrize("other_seat", ["A3", "C1"], ids=["for the same price", "for less"])
async def test_accepting_and_exchanging_just_that_seat(
    client: AsyncClient, other: AsyncClient, database: Connection, is_first: bool, other_seat: str
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    code = await scene.offer("A1")
    wanted = {"give": {"seat": "A1"}, "take": {"seat": other_seat}}

    taken, exchanged = await in_order(
        database,
        accepting(scene.bob, code),
        scene.ann.ask("POST", f"/bookings/{scene.booking['id']}/exchange", wanted),
        is_first,
    )

    assert codes([taken, exchanged]) == ([201, "not-found"] if is_first else [200, "transfer-over"])
    assert await scene.seats_of(scene.bob) == ({"A1"} if is_first else set())
    assert await scene.seats_of(scene.ann) == ({"A2"} if is_first else {"A2", other_seat})
    assert await scene.status(code) == ("accepted" if is_first else "withdrawn")
    await scene.the_books_are_right()


@ORDERS
async def test_accepting_and_withdrawing(
    client: AsyncClient, other: AsyncClient, database: Connection, is_first: bool
) -> None:
    scene = await Scene.of(client, other, "A1")
    code = await scene.offer("A1")

    taken, withdrawn = await in_order(
        database, accepting(scene.bob, code), scene.ann.ask("DELETE", f"/transfers/{code}"), is_first
    )

    assert taken.status_code == (201 if is_first else 409)
    assert withdrawn.status_code == (409 if is_first else 204)
    assert await scene.status(code) == ("accepted" if is_first else "withdrawn")
    assert await scene.seats_of(scene.bob if is_first else scene.ann) == {"A1"}


@ORDERS
async def test_accepting_and_offering_the_seat_again(
    client: AsyncClient, other: AsyncClient, database: Connection, is_first: bool
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    code = await scene.offer("A1")

    taken, again = await in_order(database, accepting(scene.bob, code), scene.offering("A1"), is_first)

    assert codes([taken]) == [201 if is_first else "transfer-over"]
    assert again.status_code == (404 if is_first else 201)
    assert await scene.status(code) == ("accepted" if is_first else "withdrawn")
    assert await scene.seats_of(scene.ann) == ({"A2"} if is_first else {"A1", "A2"})


@ORDERS
async def test_accepting_and_the_house_cancelling_the_screening(
    client: AsyncClient, other: AsyncClient, database: Connection, is_first: bool
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    code, house = await scene.offer("A1"), Buyer(other, await token_of(database))

    taken, cancelled = await in_order(
        database, accepting(scene.bob, code), house.ask("DELETE", "/screenings/1"), is_first
    )

    assert cancelled.status_code == 204
    assert codes([taken]) == [201 if is_first else "transfer-over"]
    assert await database.fetchval("SELECT count(*) FROM bookings WHERE status = 'confirmed'") == 0
    kept = await database.fetchval("SELECT captured_minor - refunding_minor - refunded_minor FROM payments")
    assert kept == 0
    await scene.the_books_are_right()


async def test_of_two_offers_of_one_seat_at_once_the_second_is_good(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    scene = await Scene.of(client, other, "A1", "A2")
    elsewhere = Scene(other, client, scene.ann.at(other), scene.bob)
    elsewhere.booking = scene.booking

    first, second = await one_after_the_other(database, scene.offering("A1", "A2"), elsewhere.offering("A2"))

    assert (first.status_code, second.status_code) == (201, 201)
    statuses = [await scene.status(each.json()["code"]) for each in (first, second)]
    assert statuses == ["withdrawn", "offered"]


async def test_an_offer_that_was_made_while_the_booking_was_being_cancelled_is_good_for_nothing(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    """The cancellation has read before the offer, which is no change that it could see."""
    scene = await Scene.of(client, other, "A1")
    await scene.ann.at(other).hold("C1")  # its process has seen the screening, and looks without a lock

    offered, cancelled = await one_after_the_other(
        database, scene.offering("A1"), scene.ann.at(other).cancel(scene.booking["id"])
    )

    assert (offered.status_code, cancelled.status_code) == (201, 200)
    code = offered.json()["code"]
    assert await database.fetchval("SELECT status FROM transfers") == "offered"
    assert await scene.status(code) == "withdrawn"
    assert codes([await accepting(scene.bob, code)]) == ["transfer-over"]
    assert await seats(client) == {"C1": "reserved"}
    await scene.the_books_are_right()


async def test_two_retries_of_an_offer_at_once_are_told_one_code(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    scene = await Scene.of(client, other, "A1")
    path = f"/bookings/{scene.booking['id']}/transfers"

    first, second = await one_after_the_other(
        database,
        scene.ann.ask("POST", path, {"seats": ["A1"]}, key="k"),
        scene.ann.at(other).ask("POST", path, {"seats": ["A1"]}, key="k"),
    )

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert await database.fetchval("SELECT count(*) FROM transfers") == 1
    assert await scene.status(first.json()["code"]) == "offered"


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
async def test_whatever_became_of_a_commit_the_seats_are_offered_withdrawn_and_accepted_once(
    open_app: OpenApp, to_postgresql: tuple[Line, str], database: Connection, fate: Fate
) -> None:
    """Without a key. An offer leaves no event by which it could be found; the second attempt finds the offer itself."""
    line, url = to_postgresql
    here = await open_app(database_url=url)
    scene = await Scene.of(here, here, "A1", "A2")

    line.when(b"COMMIT\0", fate)
    code = await scene.offer("A1")
    assert line.happened.is_set()
    kept = await scene.offer("A2")
    line.when(b"COMMIT\0", fate)
    withdrawn = await scene.ann.ask("DELETE", f"/transfers/{code}")
    line.when(b"COMMIT\0", fate)
    taken = await accepting(scene.bob, kept)

    assert (withdrawn.status_code, taken.status_code) == (204, 201)
    assert await database.fetchval("SELECT count(*) FROM transfers") == 2
    assert (await scene.status(code), await scene.status(kept)) == ("withdrawn", "accepted")
    assert await scene.seats_of(scene.bob) == {"A2"}
    await scene.the_books_are_right()
