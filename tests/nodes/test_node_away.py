"""One node of many is away: its screenings cannot be sold, and everything else goes on."""

import asyncpg
from httpx import AsyncClient
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.exc import InternalError

from app.db.errors import is_away, is_of_a_node
from app.domain.refusals import Busy
from app.services.box_office.answers import Answer
from tests.conftest import OpenApp, resources_of
from tests.nodes.away import away
from tests.order import Connection, let_run_out, until
from tests.services.box_office.asking import hold, told


async def selling(open_app: OpenApp, **changes: object) -> AsyncClient:
    """A process that sells screening by screening, over several connections."""
    return await open_app(batch_per_screening=True, office_connections=3, **changes)


async def test_its_screenings_answer_503_and_all_others_sell(open_app: OpenApp, database: Connection) -> None:
    client = await selling(open_app)

    async with away(database, 1):
        refused = await client.post("/api/v1/screenings/1/reservations", json={"seats": ["A1"]})
        sold = await client.post("/api/v1/screenings/2/reservations", json={"seats": ["A1"]})
        refused_map = await client.get("/api/v1/screenings/1/seats")
        read = await client.get("/api/v1/screenings/2/seats")
    back = await client.post("/api/v1/screenings/1/reservations", json={"seats": ["A1"]})

    assert (refused.status_code, refused.json()["code"]) == (503, "busy")
    assert (refused_map.status_code, refused_map.json()["code"]) == (503, "busy")
    assert [each.status_code for each in (sold, read, back)] == [201, 200, 201]


async def test_everything_is_listed_all_the_same(open_app: OpenApp, database: Connection) -> None:
    client = await selling(open_app)
    for screening in (1, 2):
        await client.post(f"/api/v1/screenings/{screening}/reservations", json={"seats": ["A1"]})

    async with away(database, 1):
        listed = (await client.get("/api/v1/screenings")).json()["items"]
        one = await client.get("/api/v1/screenings/1")
        theaters = await client.get("/api/v1/theaters")

    assert {each["id"]: each["version"] for each in listed} == {1: 0, 2: 1, 3: 0, 4: 0}
    assert (one.status_code, one.json()["version"]) == (200, 0)
    assert theaters.status_code == 200


async def test_what_ran_out_elsewhere_is_swept(open_app: OpenApp, database: Connection) -> None:
    resources = resources_of(await selling(open_app))
    await told(*(resources.box_office.ask(screening, hold(1, "A1")) for screening in (1, 2, 3)))
    await let_run_out(database)

    async with away(database, 1):
        assert await resources.sweeper.sweep() == 2
    assert await resources.sweeper.sweep() == 1


async def test_the_sweeper_goes_on_by_itself(open_app: OpenApp, database: Connection) -> None:
    resources = resources_of(await selling(open_app, sweep=True, reservation_timeout=1))
    await resources.box_office.ask(1, hold(1, "A1"))

    async with away(database, 1):
        await resources.box_office.ask(2, hold(1, "A1"))
        await until(database, "status = 'expired' FROM reservations_there WHERE screening_id = 2")
    await until(database, "status = 'expired' FROM reservations WHERE screening_id = 1")


async def test_the_cache_of_the_others_stays_true(open_app: OpenApp, database: Connection) -> None:
    resources = resources_of(await selling(open_app))
    await told(*(resources.box_office.ask(screening, hold(1, "A1")) for screening in (1, 2)))
    for screening in (1, 2):
        await resources.availability.of(screening)

    async with away(database, 1):
        await database.execute("UPDATE screening_states SET version = version + 1 WHERE screening_id = 2")
        await resources.reconciler.look()
        stale = await resources.cache.known_map_versions()

    assert stale[2] == 1 + 1 + 1 + 1
    assert stale[1] == 1 + 1 + 1


async def test_many_screenings_of_a_node_that_is_away_do_not_use_up_the_clerks(
    open_app: OpenApp, database: Connection
) -> None:
    resources = resources_of(await selling(open_app))

    async with away(database, 1):
        answers = await told(
            *(resources.box_office.ask(1, hold(user, f"A{user}")) for user in range(1, 6)),
            *(resources.box_office.ask(2, hold(user, f"A{user}")) for user in range(1, 6)),
        )

    assert [type(each) for each in answers] == [Busy] * 5 + [Answer] * 5


def test_a_connection_of_which_postgresql_says_nothing_is_no_nodes_fault() -> None:
    """Its statement was never answered: to ask screening by screening over it would be of no use."""
    of_a_node, in_between = (
        InternalError("SELECT", {}, asyncpg_dialect.AsyncAdapt_asyncpg_dbapi.InternalError("lost", said))
        for said in (asyncpg.ConnectionFailureError(), asyncpg.InternalClientError())
    )

    assert is_away(of_a_node)
    assert is_of_a_node(of_a_node)
    assert is_away(in_between)
    assert not is_of_a_node(in_between)
