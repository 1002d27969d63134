"""Reading availability: never older than what was acknowledged, and one reader works for all who wait."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import AsyncClient

from app.adapters.redis_cache import RedisCache
from app.db.seat_maps import occupancy
from app.domain.box_office.commands import Command
from app.domain.refusals import NotFound
from app.resources import Resources
from app.schemas.screenings import ScreeningPatch
from app.services.seat_maps.availability import Availability
from app.services.seat_maps.clock import Clock
from app.services.seat_maps.seat_map import SeatMap
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until_run_out
from tests.services.box_office.asking import book, hold


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


@pytest.fixture
def catching_up(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Everybody who has asked PostgreSQL what changed since a map was true passes here before they do anything."""
    gate, changed = Gate(), occupancy.changed

    async def gated(*asked: Any) -> Any:
        found = await changed(*asked)
        await gate.pass_through()
        return found

    monkeypatch.setattr(occupancy, "changed", gated)
    return gate


@pytest.fixture
def asking(here: Resources, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Whoever of the process `here` asks Valkey for map versions passes here before."""
    gate, map_versions = Gate(), here.cache.map_versions

    async def gated(screening_ids: Any) -> Any:
        await gate.pass_through()
        return await map_versions(screening_ids)

    monkeypatch.setattr(here.cache, "map_versions", gated)
    return gate


def taken(seat_map: SeatMap) -> int:
    return seat_map.version


def said(seat_map: SeatMap, now: datetime) -> tuple[object, ...]:
    """All that a map says to everybody at this moment."""
    seat_map.as_of(now)
    labels = [seat_map.free_labels(near) for near in (None, 1, 30)]
    return seat_map.etag, seat_map.counts, seat_map.full(), seat_map.compact(), labels


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


async def test_after_a_change_elsewhere_one_asks_for_all(
    here: Resources, there: Resources, reading: Gate, catching_up: Gate
) -> None:
    await there.availability.of(1)
    before = reading.count
    await change(here, hold(1, "A1"))

    maps = await asyncio.gather(*(there.availability.of(1) for _ in range(100)))

    assert reading.count == before
    assert catching_up.count == 1
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
    committed = await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1")
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
    (before,) = await there.cache.map_versions([1])
    telling.is_open.set()
    await late

    assert await there.cache.map_versions([1]) == [before]
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
    (map_version,) = await here.cache.map_versions([1])
    assert map_version == (await here.availability.of(1)).map_version


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


async def test_who_asks_after_a_change_is_not_answered_by_an_older_question_about_changes(
    here: Resources, there: Resources, catching_up: Gate
) -> None:
    await there.availability.of(1)
    await change(here, hold(1, "A1"))
    catching_up.close()
    before = asyncio.ensure_future(there.availability.of(1))
    await catching_up.reached.wait()
    await change(here, hold(2, "A2"))
    after = asyncio.ensure_future(there.availability.of(1))
    catching_up.is_open.set()

    assert taken(await before) in (1, 2)
    assert taken(await after) == 2


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


# --- maps that go on


async def test_what_this_process_changes_its_map_takes_in(here: Resources, reading: Gate, catching_up: Gate) -> None:
    before = await here.availability.of(1)
    await change(here, hold(1, "A1"))
    await change(here, book(2, "A2"))

    after = await here.availability.of(1)

    assert after is before
    assert (taken(after), after.counts["reserved"], after.counts["booked"]) == (2, 1, 1)
    assert (reading.count, catching_up.count) == (1, 0)


async def test_a_map_knows_a_change_before_it_is_acknowledged(here: Resources, telling: Gate) -> None:
    seat_map = await here.availability.of(1)
    telling.close()
    changing = asyncio.ensure_future(change(here, hold(1, "A1")))
    await telling.reached.wait()
    known = taken(seat_map)
    telling.is_open.set()
    await changing

    assert known == 1


async def test_changes_by_turns_of_two_processes_are_taken_in_by_both(
    here: Resources, there: Resources, reading: Gate
) -> None:
    for process in (here, there):
        await process.availability.of(1)
    read = reading.count
    for seat in range(1, 9):
        await change((here, there)[seat % 2], hold(seat, f"A{seat}"))
        if seat % 3 == 0:
            await here.availability.of(1)

    ours, theirs = await here.availability.of(1), await there.availability.of(1)

    now = datetime.now(UTC)
    assert reading.count == read
    anew = await here.availability.with_owners(1)
    assert taken(ours) == 8
    assert said(ours, now) == said(theirs, now) == said(anew, now)


async def test_a_change_of_ours_while_we_ask_for_theirs_is_taken_in_once(
    here: Resources, there: Resources, reading: Gate, catching_up: Gate
) -> None:
    await here.availability.of(1)
    await change(there, hold(1, "A1"))
    catching_up.close()
    asking_for_theirs = asyncio.ensure_future(here.availability.of(1))
    await catching_up.reached.wait()
    await change(here, hold(2, "A2"))
    catching_up.is_open.set()
    await asking_for_theirs

    seat_map = await here.availability.of(1)

    now = datetime.now(UTC)
    assert reading.count == 1
    assert (taken(seat_map), seat_map.counts["reserved"]) == (2, 2)
    assert said(seat_map, now) == said(await here.availability.with_owners(1), now)


async def test_a_mistake_of_ours_on_the_way_costs_no_answer_and_leaves_no_map_that_knows_half_of_it(
    here: Resources, reading: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.availability.of(1)
    with monkeypatch.context() as patched:
        patched.setattr(SeatMap, "_forget_bytes", lambda _: 1 / 0)
        await change(here, hold(1, "A1", "A2"))

    seat_map = await here.availability.of(1)

    assert (taken(seat_map), seat_map.counts["reserved"]) == (1, 2)
    assert reading.count == 2


async def test_a_map_that_is_far_behind_is_read_anew(
    here: Resources, there: Resources, reading: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.seat_maps.availability.CHANGES_AT_MOST", 2)
    await there.availability.of(1)
    read = reading.count
    for seat in (1, 2, 3):
        await change(here, hold(seat, f"A{seat}"))

    assert taken(await there.availability.of(1)) == 3
    assert reading.count == read + 1


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM seat_events WHERE version = 1",
        "DELETE FROM seat_events WHERE version = 2",
        "UPDATE seat_events SET at = at - interval '1 hour' WHERE version = 1",
    ],
)
async def test_a_map_is_read_anew_when_events_are_no_longer_kept_or_soon_will_not_be(
    here: Resources, there: Resources, reading: Gate, database: Connection, loss: str
) -> None:
    await there.availability.of(1)
    read = reading.count
    await change(here, hold(1, "A1"))
    await change(here, hold(2, "A2"))
    await database.execute(loss)

    seat_map = await there.availability.of(1)

    assert (taken(seat_map), seat_map.counts["reserved"]) == (2, 2)
    assert reading.count == read + 1


async def test_after_an_edit_of_prices_a_map_is_read_anew(here: Resources, there: Resources) -> None:
    for process in (here, there):
        await process.availability.of(1)
    patch = ScreeningPatch.model_validate_json('{"prices": {"standard": {"amount_minor": 77700, "currency": "EUR"}}}')
    await here.organizing.change_screening(1, patch, by=None)
    await change(here, hold(1, "A1"))

    ours, theirs = await here.availability.of(1), await there.availability.of(1)

    assert b"77700" in ours.full()
    assert ours.full() == theirs.full()
    assert ours.etag == theirs.etag


async def test_without_valkey_a_map_at_hand_goes_on_with_what_postgresql_says(
    here: Resources, open_app: OpenApp, reading: Gate
) -> None:
    alone = resources_of(await open_app(redis_url="redis://127.0.0.1:1"))
    await alone.availability.of(1)
    await change(here, hold(1, "A1"))

    assert taken(await alone.availability.of(1)) == 1
    assert reading.count == 1


async def test_the_maps_at_hand_are_bounded_by_number_and_by_seats(here: Resources, reading: Gate) -> None:
    few_seats = Availability(here.engine, here.cache, here.layouts, Clock(), seats_kept=1)
    for screening_id in (1, 2, 1):
        await few_seats.at_least(screening_id, 0)
        assert list(few_seats._maps) == [screening_id]  # the newest stays, however large it is
    few_maps = Availability(here.engine, here.cache, here.layouts, Clock(), maps_kept=2)
    for screening_id in (1, 2, 3, 1):
        await few_maps.at_least(screening_id, 0)

    assert list(few_maps._maps) == [3, 1]


# --- refusals


async def test_a_refusal_asks_valkey_nothing(here: Resources, client: AsyncClient, asking: Gate) -> None:
    await client.post("/screenings/1/reservations", json={"seats": ["A1"]})
    first = await client.post("/screenings/1/reservations", json={"seats": ["A1"]})
    await client.post("/screenings/1/reservations", json={"seats": ["A2"]})
    await change(here, book(7, "B1"))

    second = await client.post("/screenings/1/reservations", json={"seats": ["A1"]})
    unknown = await client.post("/screenings/1/reservations", json={"seats": ["Z99"]})

    assert (first.status_code, second.status_code, unknown.status_code) == (409, 409, 404)
    assert "A2" in first.json()["available_seats"]
    for answer in (second, unknown):
        assert {"A1", "A2", "B1"}.isdisjoint(answer.json()["available_seats"])
        assert "A3" in answer.json()["available_seats"]
    assert asking.count == 0


async def test_a_refusal_knows_what_another_process_has_just_sold(
    here: Resources, there: Resources, client: AsyncClient, telling: Gate
) -> None:
    await client.post("/screenings/1/reservations", json={"seats": ["A1"]})
    await client.post("/screenings/1/reservations", json={"seats": ["A1"]})  # its map is at hand from now on
    await change(there, book(7, "A2", "B1"))

    refused = await client.post("/screenings/1/reservations", json={"seats": ["A2"]})

    assert refused.status_code == 409
    assert {"A1", "A2", "B1"}.isdisjoint(refused.json()["available_seats"])


# --- time


async def test_a_hold_that_ran_out_reads_available_at_that_moment_and_no_304_hides_it(
    open_app: OpenApp, database: Connection
) -> None:
    client = await open_app(reservation_timeout=6)
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
