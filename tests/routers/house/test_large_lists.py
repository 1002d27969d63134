"""As many seats and prices as a call takes fit into its body, however they are written; only organizers may send it."""

import json
from typing import Any, Final

import pytest

from app.domain.house.planning import MOST_PRICES
from app.http.bodies import LARGEST_BODY, LARGEST_LAYOUT
from app.schemas.blocks import MOST_SEATS
from tests.organizers import token_of
from tests.routers.visitors import Database, Visitor, refused, told

Json = dict[str, Any]

EUROS: Final = {"amount_minor": 1_000_000, "currency": "EUR"}
LATER: Final = {"title": "Gala", "starts_at": "2030-06-01T13:00:00.000Z", "sales_open_at": "2030-05-01T08:00:00.000Z"}
LONG: Final = "é" * 60


@pytest.fixture
async def boss(nobody: Visitor, database: Database) -> Visitor:
    """An organizer."""
    return Visitor(nobody.client, await token_of(database))


async def arena(boss: Visitor, database: Database) -> tuple[int, list[Json]]:
    """A screening in a house whose seats have long ids and long labels, and its seats."""
    await database.execute("SELECT setval(pg_get_serial_sequence('seats', 'id'), 4000000000000000)")
    rows = [{"row": f"{LONG}{row}", "seats": 500} for row in range(MOST_SEATS // 1_000)]
    sections = [{"name": f"{LONG}{number}", "rows": rows} for number in (1, 2)]
    wanted = {"name": "Arena", "timezone": "UTC", "layout": {"sections": sections}}
    theater = told(await boss.post("/theaters", wanted), 201)
    on = told(await boss.post(f"/theaters/{theater['id']}/screenings", {**LATER, "prices": {"standard": EUROS}}), 201)
    return on["id"], (await boss.read(f"/theaters/{theater['id']}/layout"))["seats"]


async def test_as_many_seats_as_a_call_takes_are_blocked_and_unblocked(boss: Visitor, database: Database) -> None:
    screening, seats = await arena(boss, database)
    by_id = {"seat_ids": [seat["id"] for seat in seats]}
    by_label = {"seats": [seat["label"] for seat in seats]}
    blocks = f"/screenings/{screening}/blocks"

    blocked = told(await boss.post(blocks, {**by_id, "reason": "a concert", "when_free": True}), 200)
    unblocked = told(await boss.ask("DELETE", blocks, by_label), 200)

    assert len(seats) == MOST_SEATS
    assert min(len(json.dumps(by_id)), len(json.dumps(by_label))) > 2 * LARGEST_BODY
    assert [each["outcome"] for each in blocked["items"]] == ["blocked"] * MOST_SEATS
    assert [each["outcome"] for each in unblocked["items"]] == ["unblocked"] * MOST_SEATS


async def test_one_more_is_refused_and_says_how_many(boss: Visitor) -> None:
    for wanted in ({"seat_ids": list(range(1, MOST_SEATS + 2))}, {"seats": [str(at) for at in range(MOST_SEATS + 1)]}):
        problem = refused(await boss.post("/screenings/1/blocks", wanted), 422, "validation", "errors")

        assert [error["code"] for error in problem["errors"]] == ["too_long"]
        assert str(MOST_SEATS) in problem["errors"][0]["message"]


async def test_who_may_not_block_is_told_so_and_nothing_is_read(nobody: Visitor, ada: Visitor, boss: Visitor) -> None:
    large = {"seats": ["x" * LARGEST_BODY]}

    refused(await nobody.post("/screenings/1/blocks", large), 401, "unauthenticated")
    refused(await ada.post("/screenings/1/blocks", large), 403, "forbidden")
    refused(await boss.post("/screenings/1/blocks", large), 422, "validation", "errors")
    refused(await boss.post("/screenings/1/blocks", {"seats": ["x" * LARGEST_LAYOUT]}), 413, "payload-too-large")


async def test_as_many_prices_as_there_may_be_fit_however_they_are_written(boss: Visitor) -> None:
    prices = {f"{LONG}{number:04}": EUROS for number in range(MOST_PRICES - 3)}
    escaped = json.dumps({"prices": prices})
    headers = {"authorization": f"Bearer {boss.token}", "content-type": "application/json"}

    answer = await boss.client.patch("/screenings/1", content=escaped, headers=headers)

    assert len(escaped) > LARGEST_BODY
    assert len(told(answer, 200)["prices"]) == MOST_PRICES
