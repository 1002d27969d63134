"""The reconciler: what Redis was not told is made good, and Redis is believed only while somebody looks."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest
import redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.adapters.redis_cache import RedisCache
from app.db.seat_maps import occupancy
from app.db.seat_maps import redis_mistrust as mistrust
from app.resources import Resources
from app.services.ports import Away, SharedLook
from app.services.seat_maps.availability import Availability
from app.services.seat_maps.clock import Clock
from app.services.seat_maps.reconciler import Reconciler
from app.settings import Settings
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until_so
from tests.services.box_office.asking import hold

EVERY: Final = 600.0
"""Seconds between two looks: in no test does time alone lead to the next one."""


async def is_believed(resources: Resources) -> bool:
    try:
        await resources.cache.map_versions([1])
    except Away:
        return False
    return True


async def test_a_lost_invalidation_is_made_good(resources: Resources, database: Connection) -> None:
    await resources.reconciler.look()
    before = (await resources.availability.of(1)).version
    await database.execute(
        "UPDATE screening_states SET version = version + 1 WHERE screening_id = 1"
    )  # and nobody told Redis
    lost = (await resources.availability.of(1)).version

    await resources.reconciler.look()

    repaired = (await resources.availability.of(1)).version
    assert lost == before
    assert repaired == before + 1


async def test_what_is_right_stays(resources: Resources) -> None:
    await resources.reconciler.look()
    await resources.availability.of(1)
    before = await resources.cache.known_map_versions()

    await resources.reconciler.look()

    assert await resources.cache.known_map_versions() == before == {1: before[1]}


async def test_a_screening_that_is_gone_is_forgotten(resources: Resources, database: Connection) -> None:
    await resources.reconciler.look()
    for screening_id in (2, 3):
        await resources.availability.of(screening_id)
    await database.execute("DELETE FROM screening_states WHERE screening_id = 3")

    await resources.reconciler.look()

    assert list(await resources.cache.known_map_versions()) == [2]


async def test_after_a_restore_the_older_state_is_shown(
    resources: Resources, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await resources.reconciler.look()
    await resources.box_office.ask(1, hold(1, "A1"))
    await resources.availability.of(1)
    lost = (await resources.cache.known_map_versions())[1]
    await database.execute("DELETE FROM seat_claims WHERE screening_id = 1")
    await database.execute("UPDATE screening_states SET version = version - 1 WHERE screening_id = 1")

    await resources.reconciler.look()
    await resources.reconciler.look()

    restarted = Availability(resources.engine, resources.cache, resources.layouts, Clock())
    restored = await restarted.of(1)
    assert restored.map_version == lost - 1
    assert restored.counts["available"] == 80
    assert caplog.text.count("Redis knew of later changes than PostgreSQL") == 1


# --- believing Redis


async def test_nobody_believes_before_the_first_look(resources: Resources) -> None:
    cache = RedisCache(resources.settings.redis_url or "", 5.0)

    with pytest.raises(Away):
        await cache.map_versions([1])
    await cache.close()


async def test_nobody_believes_for_longer_than_a_look_lasts(resources: Resources) -> None:
    await resources.reconciler.look()
    believed = await is_believed(resources)

    resources.cache.trust(resources.cache.doubts(), until=time.monotonic())

    assert believed
    assert not await is_believed(resources)


async def test_a_failure_during_the_look_is_not_overlooked(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    map_versions = occupancy.reachable_map_versions
    resources.cache.trust(resources.cache.doubts(), until=0)

    async def fail_meanwhile(*asked: object) -> tuple[dict[int, int], frozenset[int]]:
        with pytest.raises(Away):
            await resources.cache._ask(_failing())
        return await map_versions(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(occupancy, "reachable_map_versions", fail_meanwhile)
    await resources.reconciler.look()
    with_failure = await is_believed(resources)
    monkeypatch.setattr(occupancy, "reachable_map_versions", map_versions)
    await resources.reconciler.look()

    assert not with_failure
    assert await is_believed(resources)


async def _failing() -> None:
    raise ConnectionResetError


async def test_a_redis_that_forgot_everything_is_not_believed_until_somebody_looked(resources: Resources) -> None:
    await resources.reconciler.look()
    await resources.availability.of(1)
    await resources.cache._redis.flushall()
    before = await is_believed(resources)

    await resources.reconciler.look()  # it begins a new life
    await resources.reconciler.look()

    assert not before
    assert await is_believed(resources)
    assert await resources.cache.map_versions([1]) == [None]


async def test_while_a_warning_holds_nobody_believes(
    resources: Resources, demo_engine: AsyncEngine, database: Connection
) -> None:
    async with demo_engine.begin() as connection:
        await mistrust.spread(connection, 600)
    await resources.reconciler.look()
    await resources.reconciler.look()
    while_it_holds = await is_believed(resources)

    await database.execute("UPDATE redis_mistrust SET until = clock_timestamp()")
    await resources.reconciler.look()

    assert not while_it_holds
    assert await is_believed(resources)


async def test_a_second_warning_never_shortens_the_first(demo_engine: AsyncEngine, database: Connection) -> None:
    for seconds in (600, 1):
        async with demo_engine.begin() as connection:
            await mistrust.spread(connection, seconds)

    assert await database.fetchval("SELECT until > now() + interval '1 minute' FROM redis_mistrust")


async def test_a_warning_is_repeated_until_redis_was_repaired(
    open_app: OpenApp, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = resources_of(await open_app())
    monkeypatch.setattr(resources.reconciler, "_believed_seconds", 0.1)  # so long a warning is waited for
    known_map_versions = RedisCache.known_map_versions

    async def be_away(*_: object) -> dict[int, int]:
        raise Away

    monkeypatch.setattr(resources.cache, "move", be_away)
    monkeypatch.setattr(RedisCache, "known_map_versions", be_away)
    await resources.box_office.ask(1, hold(1, "A1"))
    first = await until_of_warning(database)
    with pytest.raises(Away):
        await resources.reconciler.look()
    second = await until_of_warning(database)
    monkeypatch.undo()
    monkeypatch.setattr(RedisCache, "known_map_versions", known_map_versions)
    await resources.reconciler.look()
    last = await until_of_warning(database)
    await resources.reconciler.look()

    assert first < second <= last
    assert await until_of_warning(database) == last


async def until_of_warning(database: Connection) -> float:
    found: float = await database.fetchval("SELECT extract(epoch FROM until)::float8 FROM redis_mistrust")
    return found


# --- one looks for all


@dataclass(frozen=True, slots=True)
class Process:
    """What one of several processes has of it; no loop runs."""

    cache: RedisCache
    reconciler: Reconciler

    async def believes(self) -> bool:
        try:
            await self.cache.map_versions([1])
        except Away:
            return False
        return True


MakeProcess = Callable[[], Awaitable[Process]]


@pytest.fixture
async def make_process(settings: Settings, demo_engine: AsyncEngine) -> AsyncIterator[MakeProcess]:
    """A process that has looked once, as each does when it begins."""
    caches: list[RedisCache] = []

    async def make() -> Process:
        caches.append(RedisCache(settings.redis_url or "", 5.0))
        process = Process(caches[-1], Reconciler(demo_engine, caches[-1], Clock(), EVERY))
        await process.reconciler.look_together()
        return process

    yield make
    for cache in caches:
        await cache.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each look at PostgreSQL's map versions."""
    seen: list[object] = []
    map_versions = occupancy.reachable_map_versions

    async def noted(*asked: object) -> tuple[dict[int, int], frozenset[int]]:
        seen.append(asked)
        return await map_versions(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(occupancy, "reachable_map_versions", noted)
    return seen


async def test_one_process_looks_and_all_believe(make_process: MakeProcess, looks: list[object]) -> None:
    processes = [await make_process() for _ in range(3)]
    looks.clear()

    for _ in range(2):
        for process in processes:
            await process.reconciler.look_together()

    assert len(looks) == 2
    assert [await process.believes() for process in processes] == [True] * 3


async def test_what_one_has_repaired_all_believe(make_process: MakeProcess) -> None:
    one, other = await make_process(), await make_process()
    await one.cache.move({1: 1})
    lost = await other.cache.map_versions([1])

    await one.reconciler.look_together()
    await other.reconciler.look_together()

    assert lost == [1]
    assert await other.cache.map_versions([1]) == [2]


async def test_another_one_looks_when_the_first_is_gone(
    make_process: MakeProcess, looks: list[object], settings: Settings
) -> None:
    first, second = await make_process(), await make_process()
    await first.reconciler.look_together()
    looks.clear()
    with redis.Redis.from_url(settings.redis_url or "") as asked:
        lasts = [asked.pttl(key) for key in ("usher:comparer", "usher:compared")]
        asked.delete("usher:comparer")  # as time would do

    await second.reconciler.look_together()
    await second.reconciler.look_together()

    assert len(looks) == 2
    assert await second.believes()
    assert lasts[0] <= (EVERY + 0.2) * 1000
    assert lasts[1] <= (EVERY + 0.5) * 1000


async def test_without_a_mark_everybody_looks(
    make_process: MakeProcess, looks: list[object], settings: Settings
) -> None:
    first, other = await make_process(), await make_process()
    await first.reconciler.look_together()
    looks.clear()
    with redis.Redis.from_url(settings.redis_url or "") as asked:
        asked.delete("usher:compared")

    await other.reconciler.look_together()

    assert len(looks) == 1


async def test_nobody_believes_a_look_for_longer_than_one_of_their_own(
    make_process: MakeProcess, looks: list[object], settings: Settings
) -> None:
    """RECONCILE_SECONDS may not be the same everywhere."""
    first, other = await make_process(), await make_process()
    await first.reconciler.look_together()
    looks.clear()
    with redis.Redis.from_url(settings.redis_url or "") as asked:
        life, _, began = asked.get("usher:compared").partition(b" ")
        asked.set("usher:compared", b"%b %d" % (life, int(began) - int(1000 * EVERY) - 501))

    await other.reconciler.look_together()

    assert len(looks) == 1


async def test_whoever_was_failed_by_redis_looks_by_themselves(make_process: MakeProcess, looks: list[object]) -> None:
    first, failed = await make_process(), await make_process()
    with pytest.raises(Away):
        await failed.cache._ask(_failing())
    await first.reconciler.look_together()
    looks.clear()
    before = await failed.believes()

    await failed.reconciler.look_together()
    after = await failed.believes()
    await failed.reconciler.look_together()

    assert (before, after) == (False, True)
    assert len(looks) == 1


async def test_a_warning_ends_the_belief_of_all(make_process: MakeProcess, demo_engine: AsyncEngine) -> None:
    first, second = await make_process(), await make_process()
    async with demo_engine.begin() as connection:
        await mistrust.spread(connection, 600)

    await first.reconciler.look_together()
    await second.reconciler.look_together()

    assert [await each.believes() for each in (first, second)] == [False, False]


async def test_a_mark_of_another_life_is_none(make_process: MakeProcess, settings: Settings) -> None:
    first, other = await make_process(), await make_process()
    await first.reconciler.look_together()
    before = await other.cache.shared_look("other", 1.0)
    with redis.Redis.from_url(settings.redis_url or "") as asked:
        asked.set("usher:life", "another")

    after = await other.cache.shared_look("other", 1.0)

    assert (before.is_ours, before.seconds_ago is None) == (False, False)
    assert after == SharedLook(is_ours=False, seconds_ago=None)
    assert not await other.believes()


async def test_those_who_do_not_look_know_the_time_all_the_same(make_process: MakeProcess) -> None:
    first, second = await make_process(), await make_process()
    await first.reconciler.look_together()
    second.reconciler._knows_time_until = 0.0

    await second.reconciler.look_together()

    assert second.reconciler._knows_time_until > 0.0


# --- the loop


@pytest.mark.parametrize("table", ["screening_states", "redis_mistrust"])
async def test_it_looks_again_whatever_went_wrong(open_app: OpenApp, database: Connection, table: str) -> None:
    resources = resources_of(await open_app(reconcile_seconds=0.1))

    async def believes() -> bool:
        return await is_believed(resources)

    async def does_not_believe() -> bool:
        return not await is_believed(resources)

    async def there_is_something_to_compare() -> bool:  # only a Valkey that is believed is told of a map
        await resources.availability.of(1)
        return bool(await resources.cache.known_map_versions())

    await until_so(database, believes)
    await until_so(database, there_is_something_to_compare)
    await database.execute(f"ALTER TABLE {table} RENAME TO gone")
    await until_so(database, does_not_believe)
    await database.execute(f"ALTER TABLE gone RENAME TO {table}")
    await until_so(database, believes)
