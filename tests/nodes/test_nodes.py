"""What the nodes of PostgreSQL say, and who looks: the start, /health and doctor. Citus is played by two objects."""

import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.cluster import nodes
from app.db.cluster.nodes import Address, Node
from app.db.connections import NotDurable, must_be_durable
from app.server import doctor
from app.settings import Settings
from tests.conftest import OpenApp
from tests.order import Connection

WELL: dict[str, Any] = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "lock_timeout": "2s",
    "statement_timeout": "5s",
}


async def has_nodes(database: Connection, **said: dict[str, Any] | None) -> None:
    """PostgreSQL has a coordinator and these nodes; what each says differs so from what it should. None: nothing."""
    await database.execute("""
        CREATE TABLE pg_dist_node (nodename text, nodeport int, groupid int, isactive bool, noderole text, said text);
        CREATE FUNCTION master_run_on_worker(names text[], ports int[], commands text[], parallel bool,
                                             OUT node_name text, OUT node_port int, OUT success bool, OUT result text)
        RETURNS SETOF record LANGUAGE plpgsql AS $$
        DECLARE own text; other text;
        BEGIN
            EXECUTE commands[1] INTO own;
            SELECT n.said INTO other FROM pg_dist_node n WHERE n.nodename = names[1];
            RETURN QUERY SELECT names[1], ports[1], other IS NOT NULL,
                                CAST(CAST(own AS jsonb) || CAST(other AS jsonb) AS text);
        END $$
    """)
    for number, (name, differs) in enumerate({"coordinator": {}, **said}.items()):
        told = None if differs is None else json.dumps(WELL | differs)
        await database.execute(
            "INSERT INTO pg_dist_node VALUES ($1, 5432, $2, true, 'primary', $3)", name, number, told
        )


async def test_one_machine_has_no_nodes(demo_engine: AsyncEngine) -> None:
    assert await nodes.ask_all(demo_engine) == []


async def test_each_node_is_asked(demo_engine: AsyncEngine, database: Connection) -> None:
    await has_nodes(database, here={"synchronous_commit": "remote_apply"}, gone=None)

    first, here, gone = await nodes.ask_all(demo_engine)

    assert first.address == Address("coordinator", 5432, is_coordinator=True)
    assert here.settings is not None
    assert here.settings["synchronous_commit"] == "remote_apply"
    assert abs(here.seconds_ahead) < 1
    assert (str(gone.address), gone.settings) == ("gone:5432", None)


@pytest.mark.parametrize(
    ("differs", "ahead", "problems"),
    [
        ({}, 0.5, []),
        ({"fsync": "off"}, 0.0, ["fsync is off"]),
        ({"lock_timeout": "0"}, 0.0, ["lock_timeout is not set"]),
        ({}, -2.5, ["its clock is -2.5 s off"]),
        ({"version": 17}, 0.0, ["is PostgreSQL 17, not 18"]),
    ],
)
def test_what_is_wrong_with_a_node(differs: dict[str, Any], ahead: float, problems: list[str]) -> None:
    node = Node(Address("n", 5432, is_coordinator=False), {**WELL, "version": 18, **differs}, ahead)

    assert node.problems(18) == problems


async def test_usher_does_not_start_on_a_node_that_may_lose_what_it_said(
    demo_engine: AsyncEngine, database: Connection
) -> None:
    await has_nodes(database, well={}, gone=None, unsafe={"fsync": "off"})

    with pytest.raises(NotDurable, match=r"fsync = off on the node unsafe:5432"):
        await must_be_durable(demo_engine)


async def test_health_names_the_node_that_is_away_and_is_degraded(open_app: OpenApp, database: Connection) -> None:
    await has_nodes(database, here={}, gone=None)
    client = await open_app()

    ready = await client.get("/health/ready")

    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["checks"]["nodes"] == {"coordinator:5432": "ok", "here:5432": "ok", "gone:5432": "down"}


async def test_doctor_names_each_node_and_what_is_wrong_with_it(
    settings: Settings, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    url = settings.database_url or ""

    told = await doctor._postgresql(url)
    await has_nodes(database, here={})
    told_of_two = await doctor._postgresql(url)
    await database.execute("UPDATE pg_dist_node SET said = NULL WHERE nodename = 'here'")
    with pytest.raises(doctor.Problem, match="2 nodes, of which: here:5432 does not answer"):
        await doctor._postgresql(url)

    assert "nodes" not in told
    assert told_of_two.endswith("2 nodes: coordinator:5432, here:5432")
