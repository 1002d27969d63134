"""How tables are distributed: the script as PostgreSQL's parser reads it, what is missing, and a plain PostgreSQL."""

from dataclasses import replace

import pglast
import pytest
from pglast import ast
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import schema
from app.db.cluster import distribution
from app.db.cluster.distribution import DISTRIBUTED, SCREENING, SETTINGS, STATES, Cluster, NoCluster, Place
from app.server import commands
from app.settings import Settings
from tests.citus.hearing import ROOT
from tests.conftest import JWT_SECRET

WHOLE = Cluster(
    version="15.0",
    nodes=2,
    tables=frozenset(schema.metadata.tables) | set(DISTRIBUTED),
    places={table: Place(SCREENING, 1) for table in DISTRIBUTED},
    types_here=(),
    settings=SETTINGS,
    behind=(),
)


def test_the_script_is_the_one_in_ops() -> None:
    assert (ROOT / "ops/citus/distribute.sql").read_text() == distribution.script()


def test_the_script_is_one_transaction_of_statements_that_postgresql_understands() -> None:
    first, *_, last = [each.stmt for each in pglast.parse_sql(distribution.script())]

    assert isinstance(first, ast.TransactionStmt)
    assert isinstance(last, ast.TransactionStmt)


def test_what_it_does_within_plpgsql_is_understood_too() -> None:
    blocks = [each for _, statements in distribution.STEPS for each in statements if each.startswith("DO ")]

    assert len(blocks) == 2
    for block in blocks:
        body = block.split("$$")[1]
        assert pglast.parse_plpgsql(f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $f${body}$f$")


def test_every_table_of_a_screening_is_distributed_and_no_other() -> None:
    of_a_screening = {
        table.fullname for table in schema.metadata.tables.values() if SCREENING in table.primary_key.columns
    }

    assert of_a_screening | {STATES} == set(DISTRIBUTED)


def test_tables_come_after_those_that_they_refer_to() -> None:
    for table in DISTRIBUTED:
        its = schema.metadata.tables.get(table)
        referred_to = {key.column.table.fullname for key in its.foreign_keys} if its is not None else set()
        before = DISTRIBUTED[: DISTRIBUTED.index(table)]
        assert referred_to & set(DISTRIBUTED) <= set(before)


def test_a_table_is_distributed_only_where_it_is_not_yet() -> None:
    for table in DISTRIBUTED:
        [said] = [
            each
            for each in dict(distribution.STEPS)["What belongs to a screening is on the node of its state."]
            if f"'{table}', '{SCREENING}'" in each
        ]
        [select] = pglast.parse_sql(said)
        assert select.stmt.whereClause is not None
        assert ("colocate_with" in said) is (table != STATES)


def test_nothing_is_missing_where_all_is_well() -> None:
    assert WHOLE.missing == []


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (replace(WHOLE, nodes=0), "No node takes shards: SELECT citus_add_node('host', 5432) on the coordinator"),
        (replace(WHOLE, tables=WHOLE.tables - {STATES}), f"There is no table {STATES}: ./usher migrate"),
        (
            replace(WHOLE, places={name: place for name, place in WHOLE.places.items() if name != "bookings"}),
            "bookings is not distributed",
        ),
        (
            replace(WHOLE, places={**WHOLE.places, "bookings": Place(None, 2, is_reference=True)}),
            "bookings is not distributed",
        ),
        (
            replace(WHOLE, places={**WHOLE.places, "bookings": Place("user_id", 1)}),
            "bookings is distributed by user_id, not by screening_id",
        ),
        (
            replace(WHOLE, places={**WHOLE.places, "bookings": Place(SCREENING, 2)}),
            f"bookings is not colocated with {STATES}",
        ),
        (
            replace(WHOLE, places={**WHOLE.places, "theaters": Place(None, 2, is_reference=True)}),
            "theaters must be whole on the coordinator: SELECT undistribute_table('theaters')",
        ),
        (replace(WHOLE, types_here=("usher_claim",)), "The row type usher_claim is not on the nodes"),
        (
            replace(WHOLE, settings={**SETTINGS, "citus.override_table_visibility": "on"}),
            "citus.override_table_visibility is on for this role, not off",
        ),
        (replace(WHOLE, behind=("seats",)), "The next id of seats is one that was given out before"),
    ],
)
def test_what_is_missing_is_said(cluster: Cluster, said: str) -> None:
    assert cluster.missing == [said]


@pytest.mark.parametrize("flag", ["--check", "--apply"])
def test_a_postgresql_without_citus_is_left_as_it_is(
    flag: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "DATABASE_URL": settings.database_url,
        "JWT_SECRET": JWT_SECRET,
        "REDIS_URL": settings.redis_url,
    }.items():
        monkeypatch.setenv(name, value or "")

    code = commands.run(["distribute", flag])

    assert code == 1
    assert capsys.readouterr().err.startswith("Citus is not in this database: everything is on one machine.")


def test_the_script_is_printed_without_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(["distribute", "--sql"]) == 0
    assert capsys.readouterr().out == distribution.script()


async def test_a_table_that_would_give_out_an_id_again_is_found_and_moved_on(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        assert await distribution.behind(connection) == ()
        await connection.execute(
            text("INSERT INTO theaters (id, name, timezone) OVERRIDING SYSTEM VALUE VALUES (7, 'Lyceum', 'UTC')")
        )
        found = await distribution.behind(connection)

        for statement in distribution.STEPS[-1][1]:
            await connection.exec_driver_sql(statement)
        assert found == ("theaters",)
        assert await distribution.behind(connection) == ()
        assert await connection.scalar(text("SELECT nextval(pg_get_serial_sequence('theaters', 'id'))")) == 8


async def test_without_citus_nothing_can_be_looked_into(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(NoCluster, match="CREATE EXTENSION citus"):
            await distribution.look(connection)


def test_a_foreign_key_that_leaves_the_node_is_dropped() -> None:
    leaving = {
        (table, key.name)
        for table in distribution.DISTRIBUTED
        for key in schema.metadata.tables[table].foreign_key_constraints
        if key.referred_table.name not in distribution.DISTRIBUTED
    }

    assert leaving == set(distribution.LOCAL_KEYS.items())
