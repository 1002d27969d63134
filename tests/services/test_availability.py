"""Reading availability: never older than what was acknowledged, and one reader works for all who wait."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.adapters.redis_cache import RedisCache
from app.db import occupancy
from app.domain.commands import Command
from app.domain.refusals import NotFound
from app.resources import Resources
from app.services.clock import Clock
from app.services.seat_map import SeatMap
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until_run_out
from tests.services.counter import book, hold


class Gate:
    """Somebody comes here, and goes on when the test says so; it counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.inside = 0
        self.most = 0
        self.reached = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()

    def close(self) -> None:
        self.reached.clear()
        self.is_open.clear()

    async def pass_through(self) -> None:
        self.count += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.reached.set()
        await self.is_open.wait()
        self.inside -= 1


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Everybody who has read a map from PostgreSQL passes here before they do anything with it."""
    gate, read = Gate(), occupancy.read

    async def gated(*asked: Any) -> Any:
        found = await read(*asked)
        await gate.pass_through()
        return found

    monkeypatch.setattr(occupancy, "read", gated)
    return gate


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Everybody who is about to keep a map in Valkey passes here."""
    gate, keep = Gate(), RedisCache.keep

    async def gated(cache: RedisCache, *kept: Any) -> None:
        await gate.pass_through()
        await keep(cache, *kept)

    monkeypatch.setattr(RedisCache, "keep", gated)
    return gate


@pytest.fixture
def telling(here: Resources, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Whatever the process `here` tells Valkey passes here before."""
    gate, move = Gate(), here.cache.move

    async def gated(*told: Any) -> None:
        await gate.pass_through()
        await move(*told)

    monkeypatch.setattr(here.cache, "move", gated)
    return gate


@pytest.fixture
async def here(resources: Resources) -> Resources:
    """A process that believes Valkey."""
    await resources.reconciler.look()
    return resources


@pytest.fixture
async def there(here: Resources, open_app: OpenApp) -> Resources:
    """A second one on the same servers."""
    resources = resources_of(await open_app())
    await resources.reconciler.look()
    return resources


def taken(seat_map: SeatMap) -> int:
    return seat_map.occupancy.version


async def change(resources: Resources, command: Command) -> None:
    """A change that is acknowledged."""
    await resources.box_office.ask(1, command)


# --- one works for all


async def test_of_all_who_wait_one_reads(here: Resources, reading: Gate, database: Connection) -> None:
    reading.close()
    first = asyncio.ensure_future(here.availability.of(1))
    await reading.reached.wait()
    waiting = asyncio.gather(*(here.availability.of(1) for _ in range(100)))
    await database.execute("SELECT pg_sleep(0.1)")  # they come to where the first one is
    reading.is_open.set()
    maps = [await first, *await waiting]

    assert reading.most == 1
    assert reading.count <= 3  # whoever comes while a question is under way shares the next
    assert len({id(seat_map) for seat_map in maps}) <= 3


async def test_after_a_change_one_reads_for_all(here: Resources, there: Resources, reading: Gate) -> None:
    await there.availability.of(1)
    before = reading.count
    await change(here, hold(1, "A1"))

    maps = await asyncio.gather(*(there.availability.of(1) for _ in range(100)))

    assert reading.count == before + 1
    assert {taken(seat_map) for seat_map in maps} == {1}


async def test_without_valkey_one_reads_for_all(open_app: OpenApp, reading: Gate, database: Connection) -> None:
    alone = resources_of(await open_app(redis_url="redis://127.0.0.1:1"))

    reading.close()
    waiting = asyncio.gather(*(alone.availability.of(1) for _ in range(100)))
    await reading.reached.wait()
    await database.execute("SELECT pg_sleep(0.1)")  # the others come to where the first one is
    reading.is_open.set()
    await waiting

    assert reading.most == 1
    assert reading.count <= 3


async def test_a_map_that_is_still_true_is_read_once(here: Resources, reading: Gate) -> None:
    first = await here.availability.of(1)
    second = await here.availability.of(1)

    assert first is second
    assert reading.count == 1


async def test_what_one_process_read_the_other_need_not(here: Resources, there: Resources, reading: Gate) -> None:
    await here.availability.of(1)
    await there.availability.of(1)

    assert reading.count == 1


async def test_nobody_waits_for_a_screening_that_is_not_there(here: Resources) -> None:
    with pytest.raises(NotFound):
        await here.availability.of(99)


# --- never older than what was acknowledged


async def test_nothing_is_acknowledged_before_valkey_was_told(
    here: Resources, there: Resources, telling: Gate, database: Connection
) -> None:
    telling.close()
    changing = asyncio.ensure_future(change(here, hold(1, "A1")))
    await telling.reached.wait()
    committed = await database.fetchval("SELECT version FROM screenings WHERE id = 1")
    was_acknowledged = changing.done()
    telling.is_open.set()
    await changing

    assert (committed, was_acknowledged) == (1, False)
    assert taken(await there.availability.of(1)) == 1


async def test_a_process_that_tells_late_brings_no_old_state_back(
    here: Resources, there: Resources, telling: Gate
) -> None:
    await there.availability.of(1)
    telling.close()
    late = asyncio.ensure_future(change(here, hold(1, "A1")))
    await telling.reached.wait()
    await change(there, hold(2, "A2"))
    (before,) = await there.cache.states([1])
    telling.is_open.set()
    await late

    assert await there.cache.states([1]) == [before]
    assert taken(await there.availability.of(1)) == taken(await here.availability.of(1)) == 2


async def test_a_slow_reader_cannot_put_an_old_map_back(here: Resources, there: Resources, keeping: Gate) -> None:
    keeping.close()
    slow = asyncio.ensure_future(there.availability.of(1))
    await keeping.reached.wait()
    await change(here, hold(1, "A1"))
    keeping.is_open.set()
    await slow

    assert taken(await here.availability.of(1)) == 1
    assert taken(await there.availability.of(1)) == 1
    (state,) = await here.cache.states([1])
    assert state == (await here.availability.of(1)).occupancy.state


async def test_a_slow_reader_cannot_put_an_old_map_into_an_empty_cache(
    here: Resources, there: Resources, keeping: Gate
) -> None:
    keeping.close()
    slow = asyncio.ensure_future(there.availability.of(1))
    await keeping.reached.wait()
    await change(here, hold(1, "A1"))
    await here.cache._redis.flushall()
    for process in (here, there):
        await process.reconciler.look()
    keeping.is_open.set()
    await slow

    assert taken(await there.availability.of(1)) == 1
    assert taken(await here.availability.of(1)) == 1


async def test_a_process_that_missed_that_valkey_forgot_everything_is_heard_all_the_same(
    here: Resources, there: Resources
) -> None:
    await here.availability.of(1)
    await here.cache._redis.flushall()
    await here.reconciler.look()  # it begins a new life, of which the other process does not know yet
    await here.reconciler.look()
    await here.availability.of(1)

    await change(there, hold(1, "A1"))

    assert taken(await here.availability.of(1)) == 1
    assert taken(await there.availability.of(1)) == 1


async def test_who_asks_after_a_change_is_not_answered_by_an_older_question(here: Resources, reading: Gate) -> None:
    reading.close()
    before = asyncio.ensure_future(here.availability.of(1))
    await reading.reached.wait()
    await change(here, hold(1, "A1"))
    after = asyncio.ensure_future(here.availability.of(1))
    reading.is_open.set()

    assert taken(await before) in (0, 1)
    assert taken(await after) == 1


async def test_who_asks_after_a_change_without_valkey_is_not_answered_by_an_older_question(
    open_app: OpenApp, reading: Gate
) -> None:
    alone = resources_of(await open_app(redis_url="redis://127.0.0.1:1", reconcile_seconds=0.1))

    reading.close()
    before = asyncio.ensure_future(alone.availability.of(1))
    await reading.reached.wait()
    await change(alone, hold(1, "A1"))
    after = asyncio.ensure_future(alone.availability.of(1))
    reading.is_open.set()

    assert taken(await before) in (0, 1)
    assert taken(await after) == 1


async def test_readers_of_another_process_never_see_less_than_was_acknowledged(
    here: Resources, there: Resources
) -> None:
    acknowledged = 0
    behind: list[tuple[int, int]] = []
    is_over = asyncio.Event()

    async def read() -> int:
        count = 0
        while not is_over.is_set():
            at_least = acknowledged
            seen = taken(await there.availability.of(1))
            count += 1
            if seen < at_least:
                behind.append((seen, at_least))
        return count

    readers = [asyncio.ensure_future(read()) for _ in range(8)]
    for seat in range(1, 21):
        for row in "ABCD":
            await change(here, hold(seat, f"{row}{seat}"))
            acknowledged += 1
    is_over.set()
    counts = await asyncio.gather(*readers)

    assert acknowledged == 80
    assert behind == []
    assert all(counts)


# --- time


async def test_a_hold_that_ran_out_reads_available_at_that_moment_and_no_304_hides_it(
    open_app: OpenApp, database: Connection
) -> None:
    client = await open_app(reservation_timeout=1)
    resources = resources_of(client)
    await resources.reconciler.look()
    await change(resources, hold(1, "A1"))
    await change(resources, book(2, "A2"))
    path = "/api/v1/screenings/1/availability"
    before = await client.get(path)
    unchanged = await client.get(path, headers={"if-none-match": before.headers["etag"]})

    await until_run_out(database)
    after = await client.get(path, headers={"if-none-match": before.headers["etag"]})

    assert [taken[1] for taken in before.json()["taken"]] == ["reserved", "booked"]
    assert unchanged.status_code == 304
    assert after.status_code == 200
    assert [taken[1] for taken in after.json()["taken"]] == ["booked"]
    assert after.json()["version"] == before.json()["version"] == 2  # nobody has swept
    assert await database.fetchval("SELECT count(*) FROM seat_claims") == 2


async def test_the_clock_is_never_behind_postgresqls() -> None:
    ours = 1000.0
    began = datetime(2026, 11, 20, tzinfo=UTC)
    clock = Clock(lambda: ours)

    asked_at, ours = ours, ours + 0.3  # it looked at its clock at some time in these 300 ms, perhaps at once
    clock.learn(began, asked_at)

    assert clock.now() == began + timedelta(seconds=0.3)


async def test_the_shortest_question_of_a_minute_sets_the_clock() -> None:
    ours = 1000.0
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    clock = Clock(lambda: ours)
    clock.learn(noon, ours)

    ours += 30
    clock.learn(noon + timedelta(seconds=29.9), ours - 0.2)
    soon = clock.now()
    ours += 31
    clock.learn(noon + timedelta(seconds=60.9), ours - 0.2)
    late = clock.now()

    assert soon == noon + timedelta(seconds=30)
    assert late == noon + timedelta(seconds=61.1)
