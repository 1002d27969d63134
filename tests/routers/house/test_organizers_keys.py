"""Keys of calls that create what belongs to no screening: theaters and screenings, row by row of section 2."""

import asyncio
from threading import get_ident
from typing import Any

import pytest
from httpx import AsyncClient

from app.http import edge, request
from app.services.house import creating
from tests.conftest import PER_SCREENING, OpenApp, resources_of
from tests.order import until_waiting
from tests.organizers import token_of
from tests.routers.house.test_organizing import PRICES
from tests.routers.selling.test_idempotency import HOLD, assert_replayed
from tests.routers.visitors import BASES, Database, Visitor, refused, told

Json = dict[str, Any]

THEATER: Json = {
    "name": "Studio",
    "timezone": "Europe/Berlin",
    "layout": {"sections": [{"name": "S", "category": "standard", "rows": [{"row": "A", "seats": 8}]}]},
}
SCREENING: Json = {"title": "Matinee", "starts_at": "2030-06-01T13:00:00.000Z", "prices": PRICES}
CREATING = [("/theaters", THEATER), ("/theaters/1/screenings", SCREENING)]
PUT_ON = "/theaters/1/screenings"


async def things(database: Database) -> int:
    """How many theaters and screenings there are."""
    count: int = await database.fetchval("SELECT (SELECT count(*) FROM theaters) + (SELECT count(*) FROM screenings)")
    return count


@pytest.fixture
async def olga(client: AsyncClient, database: Database) -> Visitor:
    """An organizer."""
    return Visitor(client, await token_of(database))


@pytest.mark.parametrize(("path", "body"), CREATING)
async def test_what_is_sent_again_is_created_once(olga: Visitor, database: Database, path: str, body: Json) -> None:
    before = await things(database)

    first = await olga.post(path, body, key="once")
    repeats = [await olga.post(base + path, body, key=key) for base in BASES for key in ("once", '"once"')]

    made = told(first, 201)
    for again in repeats:
        assert_replayed(first, again)
        assert again.headers["etag"] == first.headers["etag"]
    assert await things(database) == before + 1
    shown = await olga.get(first.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (made, first.headers["etag"])


@pytest.mark.parametrize(("path", "body"), CREATING)
async def test_without_a_key_each_is_another(olga: Visitor, path: str, body: Json) -> None:
    first, second = [told(await olga.post(path, body), 201)["id"] for _ in range(2)]

    assert first != second


async def test_a_replay_tells_what_was_whatever_happened_since(olga: Visitor) -> None:
    first = await olga.post("/theaters", THEATER, key="once")
    told(await olga.ask("PATCH", first.headers["location"], {"name": "Another"}), 200)

    assert_replayed(first, await olga.post("/theaters", THEATER, key="once"))


async def test_a_key_says_one_thing(olga: Visitor, database: Database) -> None:
    told(await olga.post("/theaters", THEATER, key="once"), 201)
    before = await things(database)

    others = [("/theaters", THEATER | {"name": "Other"}), (PUT_ON, SCREENING)]
    if not PER_SCREENING:  # a key is one of user and screening there, and a theater is of none
        others += [(path, {"seat": "A1"}) for path in (HOLD, "/theaters/1/reserve", "/bookings")]

    for path, body in others:
        refused(await olga.post(path, body, key="once"), 422, "idempotency-key-reused")
    assert await things(database) == before


@pytest.mark.parametrize(("path", "body"), CREATING)
async def test_the_key_of_a_hold_creates_nothing(olga: Visitor, database: Database, path: str, body: Json) -> None:
    told(await olga.post(HOLD, {"seat": "A1"}, key="once"), 201)
    before = await things(database)

    refused(await olga.post(path, body, key="once"), 422, "idempotency-key-reused")

    assert await things(database) == before
    assert (await olga.post(HOLD, {"seat": "A1"}, key="once")).headers["idempotent-replayed"] == "true"


async def test_keys_belong_to_their_users(olga: Visitor, database: Database) -> None:
    other = Visitor(olga.client, await token_of(database))

    first, second = [told(await who.post("/theaters", THEATER, key="once"), 201)["id"] for who in (olga, other)]

    assert first != second


async def test_what_was_refused_stores_nothing(olga: Visitor, ada: Visitor, database: Database) -> None:
    for path, body, status in (
        (PUT_ON, SCREENING | {"prices": {}}, 422),
        ("/theaters/99/screenings", SCREENING, 404),
        ("/theaters", THEATER | {"timezone": "Nowhere"}, 422),
    ):
        assert (await olga.post(path, body, key="once")).status_code == status
    refused(await ada.post("/theaters", THEATER, key="once"), 403, "forbidden")

    assert await database.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    assert "idempotent-replayed" not in (await olga.post(PUT_ON, SCREENING, key="once")).headers


async def test_what_failed_stores_nothing(olga: Visitor, open_app: OpenApp, database: Database) -> None:
    hasty = Visitor(await open_app(lock_timeout_ms=50), olga.token)
    async with database.transaction():
        await database.execute("SELECT FROM theaters WHERE id = 1 FOR UPDATE")
        failed = await hasty.post(PUT_ON, SCREENING, key="once")

    again = await hasty.post(PUT_ON, SCREENING, key="once")

    refused(failed, 503, "busy")
    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers


async def test_a_malformed_key_is_refused(olga: Visitor, database: Database) -> None:
    before = await things(database)

    refused(await olga.post("/theaters", THEATER, key="a b"), 400, "idempotency-key-invalid")

    assert await things(database) == before


async def test_the_same_key_at_once_in_two_processes_creates_one(
    olga: Visitor, open_app: OpenApp, database: Database
) -> None:
    elsewhere = Visitor(await open_app(), olga.token)
    before = await things(database)

    async with asyncio.TaskGroup() as both, database.transaction():
        await database.execute("SELECT FROM theaters WHERE id = 1 FOR UPDATE")
        asked = [both.create_task(who.post(PUT_ON, SCREENING, key="once")) for who in (olga, elsewhere)]
        await until_waiting(database, 2)

    answers = [one.result() for one in asked]
    [first] = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    [again] = [answer for answer in answers if answer is not first]
    assert_replayed(first, again)
    assert await things(database) == before + 1


async def test_while_the_first_is_still_running_one_is_told_to_come_again(
    olga: Visitor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creating, "SAME_KEY_WAITS_SECONDS", 0.05)
    async with asyncio.TaskGroup() as both, database.transaction():
        await database.execute("SELECT FROM theaters WHERE id = 1 FOR UPDATE")
        running = both.create_task(olga.post(PUT_ON, SCREENING, key="once"))
        await until_waiting(database)
        answer = await olga.post(PUT_ON, SCREENING, key="once")

    refused(answer, 409, "idempotency-key-in-use")
    assert int(answer.headers["retry-after"]) >= 1
    assert_replayed(running.result(), await olga.post(PUT_ON, SCREENING, key="once"))


async def test_after_a_day_a_key_is_forgotten(olga: Visitor, database: Database) -> None:
    first = told(await olga.post("/theaters", THEATER, key="once"), 201)
    await database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")

    await resources_of(olga.client).sweeper.tidy()

    assert told(await olga.post("/theaters", THEATER, key="once"), 201)["id"] != first["id"]


def large_theater(**differently: Any) -> Json:
    """A body of more than 64 KiB."""
    seats = [{"number": at, "label": f"{at}"} for at in range(3_000)]
    rows = [{"row": "A", "seats": seats}]
    return THEATER | {"layout": {"sections": [{"name": "S", "category": "standard", "rows": rows}]}} | differently


async def test_a_large_body_is_read_hashed_and_freed_beside_the_loop(
    olga: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, int] = {}

    def noted(name: str, call: Any) -> Any:
        def noting(*args: Any) -> Any:
            threads[name] = get_ident()
            return call(*args)

        return noting

    monkeypatch.setattr(request.strict, "parse", noted("read", request.strict.parse))
    monkeypatch.setattr(request.portions, "dump", noted("hashed", request.portions.dump))
    monkeypatch.setattr(edge, "take_apart", noted("freed", edge.take_apart))

    told(await olga.post("/theaters", large_theater(), key="large"), 201)

    is_plain = resources_of(olga.client).settings.usher_plain  # by FastAPI's own routing, JSON is read in the loop
    beside = {name for name, thread in threads.items() if thread != get_ident()}
    assert beside == ({"freed"} if is_plain else {"read", "hashed", "freed"})


async def test_a_large_body_has_a_key_like_any_other(olga: Visitor, database: Database) -> None:
    first = told(await olga.post("/theaters", large_theater(), key="large"), 201)
    before = await things(database)

    body = dict(reversed(large_theater().items()))
    assert told(await olga.post("/theaters", body, key="large"), 201) == first
    refused(await olga.post("/theaters", large_theater(name="Other"), key="large"), 422, "idempotency-key-reused")

    assert await things(database) == before


@pytest.mark.parametrize("key", ["large", None])
async def test_a_large_body_that_is_no_json_is_refused_with_a_key_or_without(olga: Visitor, key: str | None) -> None:
    headers = {"authorization": f"Bearer {olga.token}", "content-type": "application/json"}
    keyed = headers | ({"idempotency-key": key} if key else {})

    answer = await olga.client.post("/theaters", content=b'{"a": ' + b"[] " * 30_000, headers=keyed)

    assert refused(answer, 422, "validation", "errors")["errors"][0]["code"] == "json_invalid"
