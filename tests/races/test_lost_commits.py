"""A COMMIT whose answer is lost happened, or it did not: either way once, and the caller hears what is true."""

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp
from tests.order import Connection
from tests.races.buyers import Buyer, codes, seats, somebody
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
