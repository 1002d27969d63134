"""What is heard while the tests run is held against the rules, and the exceptions are about what there is."""

import ast
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.box_office import buyers, idempotency_keys
from app.db.connections import call, open_engine
from app.domain.idempotency import Key
from app.settings import Settings
from tests.citus.exceptions import ALL_NODES, UNTIL_REWRITTEN
from tests.citus.hearing import ROOT, Heard, complaints

SLOW = "SELECT id FROM bookings WHERE user_id = $1"
REFUSED = "UPDATE bookings SET cancelled_at = clock_timestamp() WHERE user_id = $1"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A connection of a pool."""
    engine = open_engine(settings)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


def functions_of(file: str) -> Iterator[str]:
    """The functions of a file, as an origin names them."""

    def within(node: ast.AST, before: str) -> Iterator[str]:
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.ClassDef):
                yield from within(each, f"{before}{each.name}.")
            elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{before}{each.name}"

    return within(ast.parse((ROOT / file).read_text()), "")


@pytest.mark.parametrize("origin", sorted(ALL_NODES.keys() | UNTIL_REWRITTEN.keys()))
def test_an_exception_is_about_a_function_that_exists(origin: str) -> None:
    file, function = origin.split()

    assert function in set(functions_of(file))


def test_an_exception_for_slow_statements_is_for_nothing_else() -> None:
    origin = next(origin for origin in ALL_NODES if origin not in UNTIL_REWRITTEN)

    assert complaints(origin, SLOW) == []
    assert complaints(origin, REFUSED) != []


def test_a_complaint_says_where_what_and_why() -> None:
    [complaint] = complaints("app/db/somewhere.py something", SLOW)

    assert complaint.startswith("app/db/somewhere.py something ")
    assert "each table names the screening: bookings does not" in complaint
    assert complaint.endswith(SLOW)


def test_what_is_no_query_breaks_no_rule() -> None:
    assert complaints("app/db/somewhere.py something", "BEGIN;") == []


async def test_the_program_is_heard_and_tests_are_not(settings: Settings) -> None:
    heard = Heard()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncpg, "connect", heard.by(asyncpg.connect))
        async with call(settings) as connection, opened(settings) as pool:
            await idempotency_keys.screening_of(pool, Key(1, "key", b""))
            await buyers.holds_of(connection, [1])
            await connection.fetch("SELECT FROM reservations")

    assert [origin for said, origin in heard.said.items() if said != "BEGIN;"] == [
        "app/db/box_office/idempotency_keys.py screening_of",
        "app/db/box_office/buyers.py holds_of",
    ]


async def test_an_office_with_generic_plans_is_not_heard(settings: Settings) -> None:
    heard = Heard()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asyncpg, "connect", heard.by(asyncpg.connect))
        async with call(settings, plan_cache_mode="force_generic_plan") as connection:
            await buyers.holds_of(connection, [1])

    assert heard.said == {}
