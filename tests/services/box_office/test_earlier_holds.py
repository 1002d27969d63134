"""What a batch reads of earlier holds of a seat by the same buyer: only those, whatever else there is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.db.box_office import questions
from tests.routers.visitors import Database

Node = dict[str, Any]

MANY = 3_000

# Reservations of one buyer, each of one seat: of the same, or of others.
_PAST = """
WITH made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, created_at, first_held_at, expires_at, version)
    SELECT 1, gen_random_uuid(), $1, 'expired', now(), now(), now() + interval '1 second', n
      FROM generate_series(1, $2::int) n
    RETURNING screening_id, id, user_id, version
)
INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency, released_at)
SELECT screening_id, id, CASE WHEN $3 THEN 1 ELSE 1 + version END, user_id, 0, 'EUR', now() FROM made
"""


def nodes(plan: Node) -> Iterator[Node]:
    """A node of a plan, and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def rows_looked_at(database: Database, kind: str, *values: str, is_one: bool) -> float:
    """How many rows of any table are looked at to know what a buyer had of a seat before, or of all seats."""
    statement = questions.reading((kind,), is_one=is_one)
    for number, value in enumerate(values, 1):
        statement = statement.replace(f"${number}", value)
    [plan] = json.loads(await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"))
    scans = [node for node in nodes(plan["Plan"]) if "Relation Name" in node]
    assert scans
    seen = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(node["Actual Loops"] * sum(node.get(each, 0) for each in seen) for node in scans)


@pytest.mark.parametrize("is_one", [False, True], ids=["many screenings", "one screening"])
async def test_neither_other_seats_nor_other_buyers_make_a_hold_dearer(database: Database, is_one: bool) -> None:
    await database.execute("INSERT INTO users (id) OVERRIDING SYSTEM VALUE VALUES (9001), (9002), (9003)")
    await database.execute(_PAST, 9001, MANY, False)
    await database.execute(_PAST, 9002, MANY, True)
    await database.execute(_PAST, 9003, 2, False)
    await database.execute("ANALYZE reservations")
    await database.execute("ANALYZE reservation_seats")
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):  # as in db.connections.office_connection
        await database.execute(f"SET {setting} = off")
    screening = "1" if is_one else "'{1}'"

    async def seen(kind: str, *values: str) -> float:
        return await rows_looked_at(database, kind, screening, *values, is_one=is_one)

    assert await seen("lapses", "'{9001}'", "'{1}'") == 0
    assert await seen("lapses", "'{9001}'", "'{2}'") <= 3
    assert await seen("all_lapses", "'{9003}'") <= 6


# One reservation each of the seats 1 to 5: held, being paid for, run out and not swept, released, run out and swept.
_OF_EACH_KIND = """
WITH made AS (
    INSERT INTO reservations (screening_id, id, user_id, status, created_at, first_held_at, expires_at, version)
    SELECT 1, gen_random_uuid(), 9001, status, now() - interval '1 hour', now() - interval '1 hour',
           now() + minutes * interval '1 minute', version
      FROM (VALUES (1, 'held', 5), (2, 'paying', 5), (3, 'held', -1), (4, 'released', 5), (5, 'expired', -1))
           AS kinds(version, status, minutes)
    RETURNING screening_id, id, user_id, version
)
INSERT INTO reservation_seats (screening_id, reservation_id, seat_id, user_id, amount_minor, currency)
SELECT screening_id, id, version, user_id, 0, 'EUR' FROM made
"""


@pytest.mark.parametrize("is_one", [False, True], ids=["many screenings", "one screening"])
async def test_for_a_wish_only_holds_that_are_over_are_read(database: Database, is_one: bool) -> None:
    await database.execute("INSERT INTO users (id) OVERRIDING SYSTEM VALUE VALUES (9001)")
    await database.execute(_OF_EACH_KIND)
    await database.execute(
        "UPDATE reservation_seats SET released_at = now() WHERE user_id = 9001 AND seat_id IN (4, 5)"
    )
    statement = questions.reading(("all_lapses",), is_one=is_one)
    for number, value in enumerate(("1" if is_one else "'{1}'", "'{9001}'"), 1):
        statement = statement.replace(f"${number}", value)

    seats = await database.fetchval(
        f"SELECT array_agg(l.seat_id ORDER BY l.seat_id) FROM ({statement}) s, unnest(s.all_lapses) l"  # noqa: S608
    )

    assert seats == [3, 4, 5]
