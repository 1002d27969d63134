"""A process dies at the worst moment, after COMMIT and before it told anybody: nothing is lost, the map is right."""

import asyncio

import httpx
import pytest
from httpx import AsyncClient, Response

from app.adapters.embedded import EmbeddedPostgreSQL
from app.settings import Settings
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until_so
from tests.races.buyers import Buyer, codes, seats, somebody
from tests.races.conftest import StartProcess
from tests.races.lines import Fate, Line


async def test_a_process_that_is_killed_between_commit_and_announcement(
    start_process: StartProcess, to_valkey: tuple[Line, str], open_app: OpenApp, database: Connection
) -> None:
    line, url = to_valkey
    killed = await start_process(redis_url=url)
    living = await open_app()
    buyer = await somebody(living)
    await resources_of(living).reconciler.look()
    before = await seats(living)

    line.when(b":news:", Fate.SWALLOWED, closes_then=True)
    async with killed.client() as client:
        asking = asyncio.ensure_future(buyer.at(client).book("A1", key="k"))
        await line.happened.wait()
        committed = await database.fetchval("SELECT count(*) FROM bookings")
        killed.kill()
        with pytest.raises(httpx.TransportError):
            await asking
    not_yet = await seats(living)
    await resources_of(living).reconciler.look()

    assert committed == 1
    assert before == not_yet == {}
    assert await seats(living) == {"A1": "booked"}
    again = await buyer.book("A1", key="k")
    assert codes([again]) == [201]
    assert again.headers["idempotent-replayed"] == "true"
    assert await database.fetchval("SELECT count(*) FROM bookings") == 1


async def test_a_process_that_is_killed_before_commit(
    start_process: StartProcess, open_app: OpenApp, to_postgresql: tuple[Line, str], database: Connection
) -> None:
    line, url = to_postgresql
    killed = await start_process(database_url=url)
    living = await open_app()
    buyer = await somebody(living)

    line.when(b"COMMIT\0", Fate.SWALLOWED)
    async with killed.client() as client:
        asking = asyncio.ensure_future(buyer.at(client).book("A1", key="k"))
        await line.happened.wait()
        killed.kill()
        with pytest.raises(httpx.TransportError):
            await asking
    again = await buyer.book("A1", key="k")

    assert codes([again]) == [201]
    assert "idempotent-replayed" not in again.headers
    assert await seats(living) == {"A1": "booked"}
    assert await database.fetchval("SELECT count(*) FROM bookings") == 1


@pytest.mark.parametrize("repeats_with_key", [True, False])
async def test_whoever_is_told_so_by_a_repeat_reads_a_map_that_knows_it(
    client: AsyncClient, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch, repeats_with_key: bool
) -> None:
    """One process dies before it could tell Redis; its caller repeats the request at another one."""
    dying, living = client, await open_app()
    buyer = await somebody(living)
    await resources_of(living).reconciler.look()
    assert await seats(living) == {}
    is_dead = asyncio.Event()

    async def die(*_: object) -> None:
        is_dead.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(resources_of(dying).cache, "move", die)
    key = "k" if repeats_with_key else None
    unanswered = asyncio.ensure_future(buyer.at(dying).book("A1", key=key))
    await is_dead.wait()
    again = await buyer.book("A1", key=key)
    seen = await seats(living)

    assert again.status_code == (201 if repeats_with_key else 200)
    assert seen == {"A1": "booked"}
    unanswered.cancel()


async def hold_as_newcomer(client: AsyncClient, label: str) -> Response:
    return await client.post("/api/v1/screenings/1/reservations", json={"seats": [label]})


@pytest.mark.parametrize("kills_the_process", [False, True])
@pytest.mark.parametrize("per_screening", ["off", "on"])
async def test_newcomers_stay_as_many_when_postgresql_crashes_right_behind_each_of_them(
    start_process: StartProcess,
    on_own_postgresql: Settings,
    own_postgresql: EmbeddedPostgreSQL,
    database: Connection,
    per_screening: str,
    kills_the_process: bool,
) -> None:
    """What was acknowledged is there after `kill -9` of PostgreSQL, and nobody else is that guest."""
    changes = {"database_url": on_own_postgresql.database_url, "batch_per_screening": per_screening == "on"}
    server = await start_process(**changes)
    holds: dict[str, Response] = {}
    for label in ("A1", "A2", "A3", "A4"):
        async with server.client() as client:

            async def is_held(client: AsyncClient = client, label: str = label) -> bool:
                holds[label] = await hold_as_newcomer(client, label)
                return holds[label].status_code == 201

            await until_so(database, is_held)
            own_postgresql.kill()
        if kills_the_process:
            server.kill()
            await server.ended()
        own_postgresql.start()
        if kills_the_process:
            server = await start_process(**changes)

    async with server.client() as client:

        async def is_back() -> bool:
            return (await client.get("/api/v1/health/ready")).status_code == 200

        await until_so(database, is_back)
        told = {label: each.json() for label, each in holds.items()}
        for label, held in told.items():
            guest = Buyer(client, held["guest_token"])
            mine = (await guest.ask("GET", "/reservations")).json()["items"]
            assert [(each["id"], each["status"]) for each in mine] == [(held["id"], "held")], label
            for other in told.values():
                if other is not held:
                    assert (await guest.ask("DELETE", f"/reservations/{other['id']}")).status_code == 404
        assert await seats(client) == dict.fromkeys(told, "reserved")
    assert len({each["user_id"] for each in told.values()}) == len(told)
