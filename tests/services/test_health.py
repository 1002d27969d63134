"""Health: can seats be sold? Told within a second."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from app.db.fitness import Fitness
from app.services import health
from app.services.health import Condition, Database, Health, Office, Report
from app.services.ports import CacheState

OK, DEGRADED, DOWN = Condition.OK, Condition.DEGRADED, Condition.DOWN
KNOWN = frozenset({"0001", "0002"})
FIT = Fitness("UTF8", False, False, "usher", "usher", False, ())


async def found(revision: str | None, fitness: Fitness = FIT) -> Database:
    return Database(revision, fitness)


async def away() -> Database:
    raise ConnectionRefusedError


async def silent() -> Database:
    await asyncio.Event().wait()
    raise AssertionError


async def sells() -> Office:
    return Office(is_read_only=False)


async def only_reads() -> Office:
    return Office(is_read_only=True)


async def is_not_connected() -> Office:
    raise ConnectionRefusedError


async def cache(state: CacheState) -> CacheState:
    return state


async def is_up_to_date() -> Database:
    return await found("0002")


async def report(
    database: Callable[[], Awaitable[Database]] = is_up_to_date,
    office: Callable[[], Awaitable[Office]] = sells,
    state: CacheState = CacheState.OK,
) -> Report:
    return await Health(database, office, "0002", KNOWN, partial(cache, state)).report()


async def test_everything_is_there() -> None:
    told = await report()

    assert told == Report(OK, OK, OK)
    assert told.status is OK


async def test_without_redis_it_is_degraded() -> None:
    told = await report(state=CacheState.AWAY)

    assert told == Report(OK, DOWN, OK)
    assert told.status is DEGRADED


@pytest.mark.parametrize(
    ("state", "condition"),
    [
        (CacheState.REPLICA, Condition.READ_ONLY),
        (CacheState.FULL, Condition.FULL),
        (CacheState.FORBIDDEN, Condition.FORBIDDEN),
        (CacheState.REFUSING, Condition.FORBIDDEN),
    ],
)
async def test_a_redis_that_cannot_be_written_degrades_it_and_the_advice_says_what_to_do(
    state: CacheState, condition: Condition
) -> None:
    told = await report(state=state)

    assert (told.redis, told.status) == (condition, DEGRADED)
    assert told.advice == {"redis": state.advice}


@pytest.mark.parametrize("revision", ["0001", None])
async def test_with_an_older_schema_it_is_down(revision: str | None) -> None:
    told = await report(partial(found, revision))

    assert told == Report(OK, OK, DOWN)
    assert told.status is DOWN


async def test_with_a_newer_schema_it_serves_on() -> None:
    told = await report(partial(found, "0003"))

    assert told == Report(OK, OK, Condition.NEWER)
    assert told.status is OK


async def test_without_postgresql_it_is_down() -> None:
    told = await report(away)

    assert told == Report(DOWN, OK, DOWN)
    assert told.status is DOWN


@pytest.mark.parametrize(
    ("fitness", "condition", "advice"),
    [
        (replace(FIT, is_read_only=True), Condition.READ_ONLY, "default_transaction_read_only"),
        (replace(FIT, is_read_only=True, is_standby=True), Condition.READ_ONLY, "target_session_attrs=read-write"),
        (replace(FIT, lacking=("seat_claims",)), Condition.FORBIDDEN, "GRANT SELECT, INSERT"),
        (replace(FIT, has_no_schema=True), Condition.FORBIDDEN, "GRANT USAGE ON SCHEMA public"),
    ],
)
async def test_a_database_that_cannot_be_sold_from_is_down_and_the_advice_says_what_to_do(
    fitness: Fitness, condition: Condition, advice: str
) -> None:
    told = await report(partial(found, "0002", fitness))

    assert (told.postgresql, told.status) == (condition, DOWN)
    assert advice in told.advice["postgresql"]


@pytest.mark.parametrize(("office", "condition"), [(is_not_connected, DOWN), (only_reads, Condition.READ_ONLY)])
async def test_without_a_connection_to_sell_over_it_is_down_whatever_others_can_read(
    office: Callable[[], Awaitable[Office]], condition: Condition
) -> None:
    told = await report(office=office)

    assert (told.postgresql, told.status) == (condition, DOWN)
    assert "box office" in told.advice["postgresql"]


async def test_nobody_is_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.01)

    assert (await report(silent)).status is DOWN
