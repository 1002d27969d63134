"""How the box office's statements find rows, planned as they are when a table was empty: its plans are kept while it
fills.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.routers.visitors import Database
from tests.services.box_office.test_earlier_holds import Node, nodes
from tests.services.box_office.test_statements import in_the_file

# The tables that may become empty again: what is in them is given back, or forgotten after a time.
EMPTIED: Final = ("seat_claims", "seat_events", "idempotency_keys", "kept_seats", "anonymous_holds")

# The ways to their rows: the index, by which columns of it, and by what others these are looked through. Of all claims
# of a screening everything is wanted; of what was written at one moment there is little.
WAYS: Final = {
    ("seat_claims_pkey", "screening_id seat_id", ""),
    ("seat_claims_pkey", "screening_id seat_id", "booking_id"),
    ("seat_claims_pkey", "screening_id", ""),
    ("claims_of_user", "screening_id user_id", ""),
    ("seat_events_pkey", "screening_id version", ""),
    ("seat_events_pkey", "screening_id version seat_id", "at"),
    ("seat_events_by_age", "at", "version screening_id seat_id"),
    ("keys_of_owner", "owner_id key", ""),
    ("keys_of_owner", "owner_id key", "screening_id"),
    ("kept_seats_pkey", "screening_id address_key seat_id", ""),
    ("anonymous_holds_of_network", "screening_id network_key", ""),
}


@pytest.fixture
async def emptied(database: Database) -> Database:
    """Nobody has anything, PostgreSQL knows it, and statements are planned as the box office's are."""
    for table in EMPTIED:
        assert await database.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - our own names
        await database.execute(f"ANALYZE {table}")
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):  # as in db.connections.office_connection
        await database.execute(f"SET {setting} = off")
    await database.execute("SET plan_cache_mode = force_generic_plan")
    return database


async def ways(database: Database, statement: str) -> Iterator[tuple[str, str, str]]:
    """How a statement comes to rows of these tables."""
    parameters = len(set(re.findall(r"\$\d+", statement)))
    await database.execute(f"PREPARE planned AS {statement}")
    given_ones = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    [plan] = json.loads(await database.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned{given_ones}"))
    await database.execute("DEALLOCATE planned")
    scans = (node for node in nodes(plan["Plan"]) if node.get("Relation Name") in EMPTIED)
    return (_way(node) for node in scans if node["Node Type"] != "ModifyTable")


def _way(scan: Node) -> tuple[str, str, str]:
    [index] = scan["Plans"] if scan["Node Type"] == "Bitmap Heap Scan" else [scan]
    return index.get("Index Name", ""), _columns(index.get("Index Cond", "")), _columns(scan.get("Filter", ""))


def _columns(condition: str) -> str:
    return " ".join(dict.fromkeys(re.findall(r"\((\w+) [=<>]", condition)))


async def test_a_plan_of_an_empty_table_finds_a_row_without_looking_at_others(emptied: Database) -> None:
    statements = [each for each in in_the_file(per_screening=False).values() if each.strip() not in ("BEGIN", "COMMIT")]

    found = {way for statement in statements for way in await ways(emptied, statement)}

    assert found <= WAYS
    assert {index for index, _, _ in found} >= {index for index, _, _ in WAYS} - {"seat_events_by_age"}
