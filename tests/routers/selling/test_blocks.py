"""Blocking seats that somebody holds: when their hold ends, whoever ends it, and never when it is booked."""

from threading import get_ident
from typing import Any

import pytest
from httpx import AsyncClient

from app.services.box_office import batch
from app.services.running import beside
from tests.conftest import OpenApp, resources_of
from tests.organizers import token_of
from tests.routers.visitors import Database, Json, Visitor, refused, time_passes, told

BLOCKS = "/screenings/1/blocks"


@pytest.fixture
async def boss(client: AsyncClient, database: Database) -> Visitor:
    """An organizer."""
    return Visitor(client, await token_of(database))


async def ask_for(boss: Visitor, *labels: str) -> list[Json]:
    """Block these seats when they are free."""
    answer = await boss.post(BLOCKS, {"seats": labels, "reason": "a broken lamp", "when_free": True})
    items: list[Json] = told(answer, 200)["items"]
    return items


async def last_of(boss: Visitor, seat_id: int) -> tuple[str, str, str]:
    """What happened to a seat last."""
    last = (await boss.read(f"/screenings/1/seats/{seat_id}/history"))["items"][0]
    return last["from"], last["to"], last["cause"]


async def test_a_held_seat_says_that_it_will_be_blocked(boss: Visitor, ada: Visitor) -> None:
    await ada.hold("A1")
    await ada.book("A2")

    items = await ask_for(boss, "A1", "A2", "A3")

    assert items == [
        {"seat_id": 1, "label": "A1", "outcome": "reserved", "will_be_blocked": True},
        {"seat_id": 2, "label": "A2", "outcome": "booked"},
        {"seat_id": 3, "label": "A3", "outcome": "blocked"},
    ]
    assert await ada.taken() == {"A1": "reserved", "A2": "booked", "A3": "blocked"}


async def test_it_is_blocked_when_it_is_released_in_any_process(
    open_app: OpenApp, boss: Visitor, ada: Visitor, bob: Visitor
) -> None:
    elsewhere = await open_app()
    hers = await ada.hold("A1", "A2")
    await ask_for(boss, "A1")

    told(await Visitor(elsewhere, ada.token).delete(f"/reservations/{hers['id']}"), 200)

    assert await ada.taken() == {"A1": "blocked"}
    assert await last_of(boss, 1) == ("reserved", "blocked", "api")
    answer = await bob.post("/screenings/1/reservations", {"seats": ["A1"]})
    refused(answer, 409, "seats-unavailable", "seats", "available_seats", "suggestions")


async def test_it_is_blocked_when_its_hold_runs_out(
    client: AsyncClient, boss: Visitor, ada: Visitor, bob: Visitor, database: Database
) -> None:
    hers = await ada.hold("A1", "A2")
    await ask_for(boss, "A1")
    await time_passes(database, hers, 301)

    answer = await bob.post("/screenings/1/reservations", {"seats": ["A1"]})
    problem = refused(answer, 409, "seats-unavailable", "seats", "available_seats", "suggestions")
    assert problem["seats"][0]["status"] == "blocked"
    await resources_of(client).sweeper.sweep()

    assert await ada.taken() == {"A1": "blocked"}
    assert await last_of(boss, 1) == ("reserved", "blocked", "expiry")
    assert await last_of(boss, 2) == ("reserved", "available", "expiry")


async def test_it_is_kept_by_an_extension_in_another_process(
    open_app: OpenApp, boss: Visitor, ada: Visitor, database: Database
) -> None:
    elsewhere = Visitor(await open_app(), ada.token)
    hers = await elsewhere.hold("A1")
    await ask_for(boss, "A1")
    await time_passes(database, hers, 10)

    told(await elsewhere.post(f"/reservations/{hers['id']}/extend"), 200)
    await elsewhere.delete("/screenings/1/reservations")

    assert await ada.taken() == {"A1": "blocked"}


async def test_what_is_booked_stays_booked_and_is_free_again(boss: Visitor, ada: Visitor) -> None:
    hers = await ada.hold("A1")
    await ask_for(boss, "A1")

    booking = await ada.confirm(hers)

    assert await ada.taken() == {"A1": "booked"}
    await ada.delete(f"/bookings/{booking['id']}")
    assert await ada.taken() == {}


async def test_unblocking_takes_it_back(boss: Visitor, ada: Visitor) -> None:
    hers = await ada.hold("A1")
    await ask_for(boss, "A1")

    answer = await boss.ask("DELETE", BLOCKS, {"seats": ["A1"]})

    assert told(answer, 200)["items"] == [{"seat_id": 1, "label": "A1", "outcome": "unblocked"}]
    await ada.delete(f"/reservations/{hers['id']}")
    assert await ada.taken() == {}


async def test_it_is_a_wish_for_blocking_only(boss: Visitor) -> None:
    wanted = {"seats": ["A1"], "when_free": True}

    refused(await boss.ask("DELETE", BLOCKS, wanted), 422, "validation", "errors")
    refused(await boss.post(BLOCKS, {"seats": ["A1"], "when_free": "yes"}), 422, "validation", "errors")


async def test_thousands_of_seats_are_blocked_beside_the_loop(
    boss: Visitor, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ada.hold("A1")
    decided_in: list[int] = []
    as_usual = batch.decide

    def noted(*given: Any) -> Any:
        decided_in.append(get_ident())
        return as_usual(*given)

    monkeypatch.setattr(batch, "decide", noted)
    monkeypatch.setattr(beside, "AT_ONCE", 1)

    answer = await boss.post(BLOCKS, {"seats": ["A1", "A2", "A3"]})

    assert [each["outcome"] for each in told(answer, 200)["items"]] == ["reserved", "blocked", "blocked"]
    assert decided_in
    assert get_ident() not in decided_in
    assert await ada.taken() == {"A1": "reserved", "A2": "blocked", "A3": "blocked"}
    refused(await boss.post(BLOCKS, {"seats": ["A1", "nowhere"]}), 404, "unknown-seats", "unknown", "available_seats")
