"""A rival comes between the reading and the writing of a batch that has the lock: what changes no seat takes none."""

from uuid import UUID

import orjson
import pytest

from app.db.box_office import writing
from app.db.box_office.rows_written import KEYS_MADE
from app.db.box_office.writing import Writes
from app.db.connections import OfficeConnection
from app.domain.box_office.commands import Cancel, Command, Confirm, Release, ReleaseAll
from app.domain.idempotency import Key
from app.domain.people.people import Person
from app.domain.refusals import KeyReused
from app.resources import Resources
from app.services.box_office import clerk as module
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from tests.conftest import OpenApp, resources_of
from tests.order import Connection
from tests.services.box_office.asking import book, busy, hold, key, told


@pytest.fixture
async def here(resources: Resources) -> BoxOffice:
    """A box office that has seen screening 1, and looks without a lock."""
    await resources.box_office.ask(1, ReleaseAll(Person(1)))
    return resources.box_office


@pytest.fixture
async def there(open_app: OpenApp) -> BoxOffice:
    """That of another process, which locks first."""
    box_office = resources_of(await open_app()).box_office
    box_office.locks_first = module.LOCKS_FIRST
    return box_office


class Rival:
    """Asks when the next batch with a new key has looked, and before it writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Answer | BaseException] = []
        self._asks: list[tuple[BoxOffice, Command, Key]] = []
        self._write = writing.write
        monkeypatch.setattr(writing, "write", self._write_after_it)

    def comes_between(self, box_office: BoxOffice, command: Command, its_key: Key, times: int = 1) -> None:
        self._asks = [(box_office, command, its_key)] * times

    async def _write_after_it(
        self, connection: OfficeConnection, writes: Writes, *, of: int | None = None
    ) -> list[int]:
        if self._asks and writes.rows(KEYS_MADE):
            box_office, command, its_key = self._asks.pop()
            asks, self._asks = self._asks, []  # it writes undisturbed
            self.answers += await told(box_office.ask(1, command, key=its_key))
            self._asks = asks
        return await self._write(connection, writes, of=of)


@pytest.fixture
def rival(monkeypatch: pytest.MonkeyPatch) -> Rival:
    return Rival(monkeypatch)


async def what_changes_nothing(here: BoxOffice) -> dict[str, Command]:
    """User 1 has done all of this before."""
    await here.ask(1, hold(1, "A1"))
    released, confirmed = [UUID(orjson.loads((await here.ask(1, hold(1, label))).body)["id"]) for label in ("A2", "A3")]
    await here.ask(1, Release(Person(1), released))
    await here.ask(1, Confirm(Person(1), confirmed, UUID(int=1), "paid"))
    await here.ask(1, book(1, "A4"))
    cancelled = UUID(orjson.loads((await here.ask(1, book(1, "A5"))).body)["id"])
    await here.ask(1, Cancel(Person(1), cancelled))
    return {
        "hold": hold(1, "A1"),
        "book": book(1, "A4"),
        "release": Release(Person(1), released),
        "confirm": Confirm(Person(1), confirmed, UUID(int=1), "paid"),
        "cancel": Cancel(Person(1), cancelled),
        "release all": ReleaseAll(Person(2)),
    }


@pytest.mark.parametrize("what", ["hold", "book", "release", "confirm", "cancel", "release all"])
async def test_a_key_that_a_rival_used_meanwhile_is_replayed(
    here: BoxOffice, there: BoxOffice, rival: Rival, database: Connection, what: str
) -> None:
    command = (await what_changes_nothing(here))[what]
    version = await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1")
    rival.comes_between(here, command, key("k"))

    answer = await there.ask(1, command, key=key("k"))

    [first] = rival.answers
    assert isinstance(first, Answer)
    assert (answer.body, first.replayed, answer.replayed) == (first.body, False, True)
    assert await database.fetchval("SELECT count(*) FROM idempotency_keys") == 1
    assert await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1") == version


async def test_a_key_that_a_rival_used_for_something_else_is_reused(
    here: BoxOffice, there: BoxOffice, rival: Rival, database: Connection
) -> None:
    rival.comes_between(here, ReleaseAll(Person(1)), key("k", sent_for="something else"))

    [answer] = await told(there.ask(1, hold(1, "A1"), key=key("k")))

    assert isinstance(answer, KeyReused)
    assert await database.fetchval("SELECT count(*) FROM seat_claims") == 0


async def test_the_others_of_the_batch_get_what_they_want(
    here: BoxOffice, there: BoxOffice, rival: Rival, database: Connection
) -> None:
    async with busy(there, database):
        rival.comes_between(here, ReleaseAll(Person(1)), key("k"))
        batch = told(
            there.ask(1, hold(2, "A2"), key=key("two", 2)),
            there.ask(1, ReleaseAll(Person(1)), key=key("k")),
            there.ask(1, hold(3, "A3"), key=key("three", 3)),
        )
    answers = await batch

    assert [isinstance(answer, Answer) and answer.replayed for answer in answers] == [False, True, False]
    taken = await database.fetch("SELECT seat_id FROM seat_claims WHERE screening_id = 1 ORDER BY seat_id")
    assert [row["seat_id"] for row in taken] == [2, 3]


async def test_what_is_refused_whoever_comes_is_a_mistake_of_ours_and_fails_alone(
    there: BoxOffice, database: Connection
) -> None:
    await database.execute("CREATE UNIQUE INDEX wrong ON seat_events (screening_id) WHERE seat_id IN (1, 2)")
    await there.ask(1, hold(1, "A1"))

    async with busy(there, database):
        batch = told(there.ask(1, hold(2, "A2")), there.ask(1, hold(3, "A3")))
    guilty, other = await batch

    assert isinstance(guilty, Exception)
    assert isinstance(other, Answer)
