"""A COMMIT whose answer is lost happened, or it did not: either way once, and the caller hears what is true.

With a lock it is a word of its own, without one the statement that writes is its own commit.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from asyncpg import NotNullViolationError
from httpx import AsyncClient

from app.db.box_office import writing
from app.db.box_office.writing import Writes
from app.db.connections import OfficeConnection, office_connection
from app.domain.refusals import Busy
from app.resources import Resources
from app.services.box_office import batch as batches
from app.services.box_office import clerk
from app.services.box_office.commits import CommitBroke, happened
from app.settings import Settings
from tests.conftest import PER_SCREENING, OpenApp, resources_of
from tests.order import Connection, locked, until, until_waiting
from tests.races.buyers import Buyer, codes, seats, sent, somebody
from tests.races.lines import Fate, Line
from tests.services.box_office.asking import hold, toggle

COMMIT = b"COMMIT\0"
WRITE = b'"must_be_as_read":'


@pytest.fixture(params=[COMMIT, WRITE], ids=["with a lock", "without a lock"])
def last_word(request: pytest.FixtureRequest) -> bytes:
    word: bytes = request.param
    return word


@pytest.fixture
async def client(open_app: OpenApp, to_postgresql: tuple[Line, str]) -> AsyncClient:
    """A process that speaks to PostgreSQL over the line."""
    return await open_app(database_url=to_postgresql[1])


@pytest.fixture
def line(to_postgresql: tuple[Line, str]) -> Line:
    return to_postgresql[0]


@pytest.fixture
async def buyer(client: AsyncClient, last_word: bytes) -> Buyer:
    buyer = await somebody(client)
    if last_word == WRITE:
        for screening in (1, 2):  # what was never seen is locked
            await buyer.hold("nowhere", screening=screening)
    return buyer


async def events(database: Connection) -> list[tuple[int, int, str]]:
    rows = await database.fetch("SELECT version, seat_id, to_status FROM seat_events ORDER BY version, seat_id")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
async def test_a_toggle_without_a_key_happens_once(
    buyer: Buyer, line: Line, database: Connection, last_word: bytes, fate: Fate
) -> None:
    line.when(last_word, fate)

    answer = await buyer.toggle("A1")

    assert line.happened.is_set()
    assert codes([answer]) == [200]
    assert [seat["label"] for seat in answer.json()["reserved"]] == ["A1"]
    assert await events(database) == [(1, 1, "reserved")]
    assert await seats(buyer.client) == {"A1": "reserved"}


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
async def test_with_postgresql_away_the_outcome_is_unknown_and_the_key_settles_it(
    buyer: Buyer, line: Line, database: Connection, last_word: bytes, fate: Fate
) -> None:
    line.when(last_word, fate, closes_then=True)

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


@pytest.mark.parametrize("screenings", [(1,)] if PER_SCREENING else [(1,), (1, 2)])
@pytest.mark.parametrize("locks_first", [0, 1], ids=["without a lock", "with a lock"])
async def test_what_is_still_committing_when_the_line_is_lost_is_not_done_again(
    open_app: OpenApp,
    to_postgresql: tuple[Line, str],
    database: Connection,
    screenings: tuple[int, ...],
    locks_first: int,
) -> None:
    client = await open_app(database_url=to_postgresql[1], lock_timeout_ms=50)
    buyer = await somebody(client)
    for screening in screenings:
        await buyer.hold("nowhere", screening=screening)
    resources_of(client).box_office.locks_first = locks_first

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


async def test_what_was_written_off_is_never_written(
    resources: Resources, database: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is lost before the statement arrives; it arrives after all, when everything was done anew."""
    late: list[tuple[Writes, int | None]] = []

    async def lost(connection: object, writes: Writes, *, of: int | None) -> None:
        late.append((writes, of))
        monkeypatch.undo()
        raise ConnectionResetError

    await resources.box_office.ask(1, hold(2, "A1"))
    monkeypatch.setattr(batches.writing, "write", lost)
    await resources.box_office.ask(1, toggle(1, "A2"))
    await resources.box_office.ask(1, toggle(1, "A2"))
    before = await events(database)

    async with office_connection(settings) as connection:
        with pytest.raises(NotNullViolationError):
            await writing.write(connection, late[0][0], of=late[0][1])

    assert [status for _, _, status in before] == ["reserved", "reserved", "available"]
    assert await events(database) == before


async def test_what_was_written_off_is_not_written_even_if_nothing_was_done_since(
    resources: Resources, database: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[tuple[Writes, int | None]] = []

    async def lost(connection: object, writes: Writes, *, of: int | None) -> None:
        late.append((writes, of))
        raise ConnectionResetError

    async def only_look(connection: OfficeConnection, broke: CommitBroke) -> None:
        assert await happened(connection, broke) is None
        raise NotImplementedError

    await resources.box_office.ask(1, hold(2, "A1"))
    monkeypatch.setattr(batches.writing, "write", lost)
    monkeypatch.setattr(clerk, "happened", only_look)
    with pytest.raises(Busy) as busy:
        await resources.box_office.ask(1, toggle(1, "A2"))
    monkeypatch.undo()

    async with office_connection(settings) as connection:
        with pytest.raises(NotNullViolationError):
            await writing.write(connection, late[0][0], of=late[0][1])

    assert busy.value.outcome_unknown
    assert [status for _, _, status in await events(database)] == ["reserved"]


@pytest.mark.parametrize("others_first", [0, 5], ids=["nobody came between", "others came between"])
async def test_whoever_learns_that_it_happened_is_told_the_version_that_was_written(
    buyer: Buyer, line: Line, database: Connection, last_word: bytes, others_first: int
) -> None:
    """Others changed other seats between looking and writing, and then the answer to the write was lost."""
    line.when(last_word, Fate.CUT_AFTER)

    async with locked(database, 1):
        holding = sent(buyer.hold("A1", key="k"))
        await until_waiting(database)
        await database.execute(
            "UPDATE screening_states SET version = version + $1 WHERE screening_id = 1", others_first
        )
    [answer] = await holding
    replay = await buyer.hold("A1", key="k")

    assert line.happened.is_set()
    assert answer.json()["version"] == others_first + 1
    assert await events(database) == [(others_first + 1, 1, "reserved")]
    assert replay.content == answer.content
    assert replay.headers["idempotent-replayed"] == "true"
