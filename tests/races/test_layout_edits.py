"""A house is rebuilt while people take its seats: whoever comes second knows what the first one did."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient, Response

from tests import order
from tests.order import Connection, locked, until_waiting
from tests.organizers import token_of
from tests.races.buyers import Buyer, codes, seats, somebody


@pytest.fixture
async def organizer(client: AsyncClient, database: Connection) -> Buyer:
    return Buyer(client, await token_of(database))


def house(last_row: int = 20) -> dict[str, Any]:
    """Theater A, with so many seats in row D."""
    categories = {"A": "premium", "B": "standard", "C": "standard", "D": "economy"}
    return {
        "sections": [
            {"name": name, "category": category, "rows": [{"row": name, "seats": last_row if name == "D" else 20}]}
            for name, category in categories.items()
        ]
    }


async def rebuild(organizer: Buyer, **house_of: int) -> Response:
    return await organizer.ask("PUT", "/theaters/1/layout", house(**house_of))


async def test_a_hold_that_waits_for_an_edit_does_not_get_a_seat_that_went(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    buyer = await somebody(other)
    assert (await buyer.hold("D20")).status_code == 201
    assert (await buyer.ask("DELETE", "/screenings/1/reservations")).status_code == 200

    async with database.transaction():
        await database.execute("SELECT FROM seats WHERE id = 80 FOR UPDATE")
        editing = asyncio.ensure_future(rebuild(organizer, last_row=19))
        await until_waiting(database, 1)
        holding = asyncio.ensure_future(buyer.hold("D19", "D20"))
        await until_waiting(database, 2)
    edit, hold = await editing, await holding

    assert edit.status_code == 200
    assert codes([hold]) == ["unknown-seats"]
    assert hold.json()["unknown"] == ["D20"]


async def test_an_edit_that_waits_for_a_hold_leaves_its_seat_alone(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    buyer = await somebody(other)

    async with locked(database, 1):
        holding = asyncio.ensure_future(buyer.hold("D20"))
        await until_waiting(database, 1)
        editing = asyncio.ensure_future(rebuild(organizer, last_row=19))
        await until_waiting(database, 2)
    hold, edit = await holding, await editing

    assert hold.status_code == 201
    assert codes([edit]) == ["layout-in-use"]
    assert edit.json()["seats"] == [
        {"seat_id": 80, "label": "D20", "status": "reserved", "reason": "Held in screening 1."}
    ]
    assert await seats(client) == {"D20": "reserved"}


async def test_nobody_reads_an_older_map_than_an_edit_that_was_answered(
    client: AsyncClient, other: AsyncClient, organizer: Buyer
) -> None:
    assert len((await other.get("/screenings/1/seats")).json()["seats"]) == 80

    await rebuild(organizer, last_row=21)

    for process in (client, other):
        assert len((await process.get("/screenings/1/seats")).json()["seats"]) == 81


async def test_of_two_edits_of_the_same_revision_one_is_told_so(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    headers = {"authorization": f"Bearer {organizer.token}", "if-match": '"1"'}

    async with locked(database, 1):
        first = asyncio.ensure_future(client.put("/theaters/1/layout", json=house(21), headers=headers))
        await until_waiting(database, 1)
        second = asyncio.ensure_future(other.put("/theaters/1/layout", json=house(22), headers=headers))
        await until_waiting(database, 2)
    answers = [await first, await second]

    assert [each.status_code for each in answers] == [200, 412]
    assert len((await client.get("/theaters/1/layout")).json()["seats"]) == 81


async def test_a_screening_put_on_while_the_house_is_rebuilt_has_a_price_for_the_new_seats(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    """Screening 1 has a price for the box that is built, the new screening has none."""
    gold = {"amount_minor": 9900, "currency": "EUR"}
    await organizer.ask("PATCH", "/screenings/1", {"prices": {"gold": gold}})
    with_a_box = house()
    with_a_box["sections"].append({"name": "Box", "category": "gold", "rows": [{"row": "X", "seats": 2}]})
    without_gold = {"title": "Matinee", "starts_at": "2030-06-01T13:00:00Z", "prices": {}}
    for category in ("premium", "standard", "economy"):
        without_gold["prices"][category] = gold  # type: ignore[index]

    async with locked(database, 1):
        editing = asyncio.ensure_future(organizer.ask("PUT", "/theaters/1/layout", with_a_box))
        await until_waiting(database, 1)
        adding = asyncio.ensure_future(organizer.at(other).ask("POST", "/theaters/1/screenings", without_gold))
        await until_waiting(database, 2)
    edit, added = await editing, await adding

    assert edit.status_code == 200, edit.text
    assert codes([added]) == ["validation"]
    assert added.json()["errors"][0]["loc"] == ["body", "prices", "gold"]


BEGINS = "starts_at = now() - interval '1 second', sales_close_at = '2030-01-01'"


async def test_a_screening_that_begins_while_an_edit_waits_keeps_its_seats(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    buyer = await somebody(other)
    await buyer.hold("D20")
    before = (await client.get("/screenings/1/seats")).json()

    async with locked(database, 1):
        editing = asyncio.ensure_future(rebuild(organizer, last_row=19))
        await until_waiting(database, 1)
        await order.edit(database, BEGINS, "id = 1")
    edit = await editing

    assert edit.status_code == 200, edit.text
    assert len((await other.get("/theaters/1/layout")).json()["seats"]) == 79
    for process in (client, other):
        assert (await process.get("/screenings/1/seats")).json() == before


async def test_whoever_buys_in_a_screening_that_has_begun_does_not_wait_for_an_edit(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    buyer = await somebody(other)
    await order.edit(database, BEGINS, "id = 1")

    async with database.transaction():
        await database.execute("SELECT FROM seats WHERE id = 80 FOR UPDATE")
        editing = asyncio.ensure_future(rebuild(organizer, last_row=19))
        await until_waiting(database, 1)
        hold = await buyer.hold("D20")
    edit = await editing

    assert (hold.status_code, edit.status_code) == (201, 200)
    assert await seats(client) == {"D20": "reserved"}


async def test_a_screening_comes_back_onto_the_house_as_an_edit_leaves_it(
    client: AsyncClient, other: AsyncClient, organizer: Buyer, database: Connection
) -> None:
    await order.edit(database, BEGINS, "id = 1")
    assert (await rebuild(organizer, last_row=19)).status_code == 200

    async with locked(database, 1):
        moving = asyncio.ensure_future(organizer.ask("PATCH", "/screenings/1", {"starts_at": "2030-06-01T13:00:00Z"}))
        await until_waiting(database, 1)
        editing = asyncio.ensure_future(rebuild(organizer.at(other), last_row=22))
        await until_waiting(database, 2)
    move, edit = await moving, await editing

    assert (move.status_code, edit.status_code) == (200, 200), move.text
    for process in (client, other):
        assert len((await process.get("/screenings/1/seats")).json()["seats"]) == 82
