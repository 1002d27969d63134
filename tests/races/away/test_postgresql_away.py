"""PostgreSQL stops, hangs, takes no writes, or is not safe: everybody is told so in time, and nothing is lost."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from httpx import AsyncClient, Response

from app.adapters.embedded import EmbeddedPostgreSQL, postgresql
from app.db.connections import NotDurable
from app.settings import Settings
from tests.conftest import serving
from tests.kept import Keeper
from tests.order import Connection, let_run_out, locked, until, until_so, until_waiting
from tests.patience import patience, until_true
from tests.races.buyers import Buyer, codes, seats, sent, somebody
from tests.races.conftest import connected


@pytest.fixture
async def client(on_own_postgresql: Settings) -> AsyncIterator[AsyncClient]:
    """A process on the PostgreSQL that tests stop."""
    async with serving(on_own_postgresql) as client:
        yield client


@pytest.fixture
async def buyer(client: AsyncClient) -> Buyer:
    return await somebody(client)


def all_say_come_again(answers: list[Response]) -> bool:
    return all(
        answer.status_code == 503 and answer.json()["code"] == "busy" and int(answer.headers["retry-after"]) >= 1
        for answer in answers
    )


async def everything(buyer: Buyer, label: str) -> list[Response]:
    """All kinds of calls at once, with a crowd of readers, more than there are connections."""
    writes = [buyer.hold(label), buyer.book(label), buyer.toggle(label, screening=2), newcomer(buyer, label)]
    reads = [buyer.ask("GET", path) for path in ("/me", "/reservations", "/bookings", "/screenings/1/changes") * 5]
    async with patience():
        return await asyncio.gather(*writes, *reads)


@pytest.mark.parametrize("stop", [EmbeddedPostgreSQL.stop, EmbeddedPostgreSQL.kill, EmbeddedPostgreSQL.pause])
async def test_without_postgresql_everybody_is_told_to_come_again_and_it_goes_on_by_itself(
    buyer: Buyer, own_postgresql: EmbeddedPostgreSQL, database: Connection, stop: Callable[[EmbeddedPostgreSQL], None]
) -> None:
    booked = await buyer.book("A1", key="k")
    assert await seats(buyer.client) == {"A1": "booked"}

    stop(own_postgresql)
    first = await everything(buyer, "A2")
    second = await everything(buyer, "A2")

    async def map_is_there() -> bool:  # a look at PostgreSQL that hung has to be followed by one that is refused
        return (await buyer.client.get("/screenings/1/seats")).status_code == 200

    await until_so(database, map_is_there)
    map_meanwhile = await seats(buyer.client)
    own_postgresql.resume()
    own_postgresql.start()

    async def goes_on() -> bool:
        return (await buyer.hold("A3")).status_code != 503

    await until_so(database, goes_on)
    again = await buyer.book("A1", key="k")
    assert all_say_come_again(first)
    assert all_say_come_again(second)
    assert map_meanwhile == {"A1": "booked"}  # Valkey knows it
    assert again.content == booked.content
    assert await seats(buyer.client) == {"A1": "booked", "A3": "reserved"}
    assert not any(answer.status_code == 503 for answer in await everything(buyer, "A4"))


async def test_a_server_that_hangs_in_the_middle_of_a_batch(
    buyer: Buyer, on_own_postgresql: Settings, own_postgresql: EmbeddedPostgreSQL, database: Connection
) -> None:
    async with connected(on_own_postgresql) as rival:
        async with locked(rival, 1):
            holding = sent(buyer.hold("A1"), buyer.hold("A2", screening=2))
            await until_waiting(rival)
            own_postgresql.pause()
            async with patience():
                answers = await holding
            own_postgresql.resume()

        async def goes_on() -> bool:
            return (await buyer.hold("A3")).status_code == 201

        await until_so(database, goes_on)
        assert all_say_come_again(answers)
        assert await rival.fetchval("SELECT count(*) FROM seat_claims") == 1


async def test_the_sweeper_goes_on_when_it_returns(
    on_own_postgresql: Settings, own_postgresql: EmbeddedPostgreSQL
) -> None:
    async with serving(on_own_postgresql.model_copy(update={"sweep": True})) as client:
        buyer = await somebody(client)
        await buyer.hold("A1", "A2")

        own_postgresql.kill()
        refused = await buyer.hold("A3")
        own_postgresql.start()
        async with connected(on_own_postgresql) as admin:
            await let_run_out(admin)
            await until(admin, "count(*) = 0 FROM seat_claims")

            causes = await admin.fetchval("SELECT array_agg(cause) FROM seat_events WHERE to_status = 'available'")

    assert all_say_come_again([refused])
    assert causes == ["expiry", "expiry"]


async def test_its_absence_is_one_line_when_it_begins_and_one_when_it_is_over(
    on_own_postgresql: Settings,
    own_postgresql: EmbeddedPostgreSQL,
    database: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lines() -> list[str]:
        return [line.getMessage().partition(":")[0] for line in caplog.records if line.getMessage().startswith("Post")]

    async def is_away() -> bool:
        return "PostgreSQL is not reachable" in lines()

    async def is_back() -> bool:
        return "PostgreSQL is reachable again" in lines()

    caplog.set_level(logging.INFO, "app")
    async with serving(on_own_postgresql.model_copy(update={"sweep": True})):
        own_postgresql.kill()
        await until_so(database, is_away)
        own_postgresql.start()
        await until_so(database, is_back)

    assert lines() == ["PostgreSQL is not reachable", "PostgreSQL is reachable again"]


async def test_however_many_ask_meanwhile_and_however_often_the_loops_try_nothing_is_said_twice(
    on_own_postgresql: Settings, own_postgresql: EmbeddedPostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app")
    async with serving(on_own_postgresql.model_copy(update={"sweep": True, "log_requests": False})) as client:
        buyer = await somebody(client)
        own_postgresql.kill()
        for _ in range(3):
            await everything(buyer, "A2")
        await until_true(lambda: any("is not reachable" in record.getMessage() for record in caplog.records))
        await everything(buyer, "A2")
        said = Counter(record.getMessage() for record in caplog.records)
        own_postgresql.start()

    assert [line for line, times in said.items() if times > 1] == []


async def test_a_process_that_starts_meanwhile_waits_for_it(
    on_own_postgresql: Settings, own_postgresql: EmbeddedPostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    async def start_and_hold() -> list[object]:
        async with serving(on_own_postgresql) as client:
            return codes([await (await somebody(client)).hold("A1")])

    own_postgresql.stop()
    held = asyncio.create_task(start_and_hold())
    await until_true(lambda: "waiting for it" in caplog.text)
    own_postgresql.start()

    assert await held == [201]


async def test_the_loss_of_one_idle_connection_disturbs_nobody(buyer: Buyer, on_own_postgresql: Settings) -> None:
    """The connection that only feels the pulse is ended, while somebody waits for a lock over another one."""
    async with connected(on_own_postgresql) as rival:
        async with locked(rival, 1):
            holding = asyncio.ensure_future(buyer.hold("A1"))
            await until_waiting(rival)
            of_the_pulse = "FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT'"
            await until(rival, f"count(*) = 1 {of_the_pulse}")
            (ended,) = await rival.fetch(f"SELECT pid, pg_terminate_backend(pid) {of_the_pulse}")
            await until(rival, f"count(*) = 1 {of_the_pulse} AND pid <> $1", ended["pid"])
        answer = await holding

    assert codes([answer]) == [201]


async def test_a_database_that_takes_no_writes(buyer: Buyer, on_own_postgresql: Settings) -> None:
    async with connected(on_own_postgresql) as admin:
        await buyer.book("A1")
        await switch(admin, "SET default_transaction_read_only = on")
        answers = [await buyer.hold("A2"), await buyer.book("A3"), await newcomer(buyer, "A2")]
        reading = await buyer.ask("GET", "/bookings")
        if reading.status_code == 503:  # whoever is the first to use a connection that was ended
            reading = await buyer.ask("GET", "/bookings")
        answers.append(await newcomer(buyer, "A2"))

        await switch(admin, "RESET default_transaction_read_only", end_connections=False)
        afterwards = [await newcomer(buyer, f"B{attempt}") for attempt in (1, 2, 3)]

        assert all_say_come_again(answers)
        assert len(reading.json()["items"]) == 1
        assert afterwards[-1].status_code == 201  # connections that were opened meanwhile are gone after two attempts
        assert (await buyer.hold("A5")).status_code == 201


async def newcomer(buyer: Buyer, label: str) -> Response:
    """Somebody whom nobody knows holds a seat, and must be written down first."""
    return await buyer.client.post("/api/v1/screenings/1/reservations", json={"seats": [label]})


async def switch(admin: Connection, change: str, *, end_connections: bool = True) -> None:
    """Change a setting of this database, for connections to come."""
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} {change}")
    if end_connections:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        await until(admin, f"count(pg_terminate_backend(pid)) >= 0 {others}")
        await until(admin, f"count(*) = 0 {others} AND query <> 'SELECT'")


async def test_it_does_not_start_where_a_commit_is_not_safe_at_once(
    settings: Settings, database: Connection, keeper: Keeper | None
) -> None:
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    if keeper is not None:
        await keeper.forget_connections(settings)

    with pytest.RaisesGroup(pytest.RaisesExc(NotDurable, match="set synchronous_commit = on")):
        async with serving(settings):
            pass


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_it_does_not_start_where_a_crash_may_lose_commits(
    on_own_postgresql: Settings, own_postgresql: EmbeddedPostgreSQL, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    own_postgresql.stop()
    monkeypatch.setitem(postgresql._SETTINGS, setting, "off")
    own_postgresql.start()

    with pytest.RaisesGroup(pytest.RaisesExc(NotDurable, match=f"set {setting} = on")):
        async with serving(on_own_postgresql):
            pass

    own_postgresql.stop()  # the next one to start is safe again
