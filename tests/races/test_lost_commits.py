"""A COMMIT whose answer is lost happened, or it did not: either way once, and the caller hears what is true."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp
from tests.order import Connection, until, until_waiting
from tests.races.buyers import Buyer, codes, seats, sent, somebody
from tests.races.lines import Fate, Line

COMMIT = b"COMMIT\0"


@pytest.fixture
async def client(open_app: OpenApp, to_postgresql: tuple[Line, str]) -> AsyncClient:
    """A process that speaks to PostgreSQL over the line."""
    return await open_app(database_url=to_postgresql[1])


@pytest.fixture
def line(to_postgresql: tuple[Line, str]) -> Line:
    return to_postgresql[0]


@pytest.fixture
async def buyer(client: AsyncClient) -> Buyer:
    return await somebody(client)


async def events(database: Connection) -> list[tuple[int, int, str]]:
    rows = await database.fetch("SELECT version, seat_id, to_status FROM seat_events ORDER BY version, seat_id")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
async def test_a_toggle_without_a_key_happens_once(buyer: Buyer, line: Line, database: Connection, fate: Fate) -> None:
    line.when(COMMIT, fate)

    answer = await buyer.toggle("A1")

    assert line.happened.is_set()
    assert codes([answer]) == [200]
    assert [seat["label"] for seat in answer.json()["reserved"]] == ["A1"]
    assert await events(database) == [(1, 1, "reserved")]
    assert await seats(buyer.client) == {"A1": "reserved"}


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
async def test_with_postgresql_away_the_outcome_is_unknown_and_the_key_settles_it(
    buyer: Buyer, line: Line, database: Connection, fate: Fate
) -> None:
    line.when(COMMIT, fate, closes_then=True)

    broken = await buyer.book("A1", key="k")
    line.is_closed = False
    again = await buyer.book("A1", key="k")

    assert line.happened.is_set()
    assert codes([broken]) == ["busy"]
    assert broken.status_code == 503
    assert broken.headers["retry-after"] == "1"
    assert "unknown" in broken.json()["detail"]
    assert "retry with the same key" in broken.json()["detail"]
    assert codes([again]) == [201]
    assert again.headers.get("idempotent-replayed") == ("true" if fate is Fate.CUT_AFTER else None)
    assert await events(database) == [(1, 1, "booked")]


@asynccontextmanager
async def commits_waiting(database: Connection) -> AsyncIterator[None]:
    """Until the block ends, whoever has changed seats waits in the middle of COMMIT."""
    await database.execute("""
        CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM set_config('lock_timeout', '0', true), pg_advisory_xact_lock(1);
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER wait_in_commit AFTER INSERT ON seat_events DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
        SELECT pg_advisory_lock(1);
    """)
    yield
    await database.execute("SELECT pg_advisory_unlock(1)")


async def test_a_backend_that_is_ended_in_the_middle_of_commit_is_replaced(buyer: Buyer, database: Connection) -> None:
    async with commits_waiting(database):
        toggling = asyncio.ensure_future(buyer.toggle("A1"))
        await until_waiting(database)
        await database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
    answer = await toggling

    assert codes([answer]) == [200]
    assert await events(database) == [(1, 1, "reserved")]


@pytest.mark.parametrize("screenings", [(1,), (1, 2)])
async def test_what_is_still_committing_when_the_line_is_lost_is_not_done_again(
    open_app: OpenApp, to_postgresql: tuple[Line, str], database: Connection, screenings: tuple[int, ...]
) -> None:
    client = await open_app(database_url=to_postgresql[1], lock_timeout_ms=50)
    buyer = await somebody(client)

    async with commits_waiting(database):
        toggling = sent(*(buyer.toggle("A1", screening=screening) for screening in screenings))
        await until_waiting(database)
        to_postgresql[0].cut()
        answers = await toggling
    await until(database, "count(*) = $1 FROM seat_events", len(screenings))
    afterwards = await buyer.toggle("A2")

    assert codes(answers) == ["busy"] * len(screenings)
    assert all("unknown" in answer.json()["detail"] for answer in answers)
    assert codes([afterwards]) == [200]
    assert [label for seat in afterwards.json()["reservation"]["seats"] if (label := seat["label"])] == ["A1", "A2"]
