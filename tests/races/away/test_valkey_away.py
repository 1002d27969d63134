"""Valkey stops, hangs, forgets, or is there for one process and not for another: no map is older than what was sold."""

import logging
from collections.abc import Callable
from contextlib import suppress

import pytest
from httpx import AsyncClient

from app.adapters.embedded import EmbeddedValkey
from app.resources import Resources
from app.services.ports import Away
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until_so
from tests.races.buyers import seats, somebody
from tests.races.lines import Line

OFTEN = 0.1
"""Seconds between two looks, so that nobody believes what they saw for long."""


async def believing(client: AsyncClient) -> Resources:
    """What a process has open, now that it has the map at hand and believes Valkey that it is still true."""
    resources = resources_of(client)
    for _ in range(20):
        await resources.reconciler.look()
        await seats(client)
        with suppress(Away):
            assert await resources.cache.map_versions([1]) != [None]
            return resources
    raise AssertionError("it does not believe what it saw")


@pytest.fixture
async def writer(open_app: OpenApp, valkey: EmbeddedValkey) -> AsyncClient:
    return await open_app(redis_url=valkey.url, redis_timeout_seconds=0.5, reconcile_seconds=OFTEN)


@pytest.fixture
async def reader(open_app: OpenApp, valkey: EmbeddedValkey) -> AsyncClient:
    """Another process on the same servers."""
    return await open_app(redis_url=valkey.url, redis_timeout_seconds=0.5, reconcile_seconds=OFTEN)


@pytest.mark.parametrize("stop", [EmbeddedValkey.stop, EmbeddedValkey.kill, EmbeddedValkey.pause])
async def test_without_valkey_everything_works_and_nothing_stale_is_served_when_it_returns(
    writer: AsyncClient, reader: AsyncClient, valkey: EmbeddedValkey, stop: Callable[[EmbeddedValkey], None]
) -> None:
    buyer = await somebody(writer)
    await believing(writer)
    await believing(reader)

    stop(valkey)
    held = await buyer.hold("A1")
    while_away = await seats(reader)
    booked = await buyer.book("A2")
    valkey.resume()
    valkey.start()

    assert (held.status_code, booked.status_code) == (201, 201)
    assert while_away == {"A1": "reserved"}
    assert await seats(reader) == await seats(writer) == {"A1": "reserved", "A2": "booked"}


async def test_its_absence_is_one_line_when_it_begins_and_one_when_it_is_over(
    writer: AsyncClient, valkey: EmbeddedValkey, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[str]:
        return [line.getMessage().partition(":")[0] for line in caplog.records if line.getMessage().startswith("Redis")]

    async def is_away() -> bool:
        return "Redis is not reachable" in lines()

    async def is_back() -> bool:
        return "Redis is reachable again" in lines()

    caplog.set_level(logging.INFO, "app")
    await believing(writer)
    caplog.clear()
    valkey.kill()
    await until_so(database, is_away)
    valkey.start()
    await until_so(database, is_back)

    assert lines()[:2] == ["Redis is not reachable", "Redis is reachable again"]


async def test_what_one_process_cannot_tell_no_other_overlooks(
    open_app: OpenApp, reader: AsyncClient, valkey: EmbeddedValkey, to_own_valkey: tuple[Line, str]
) -> None:
    line, url = to_own_valkey
    writer = await open_app(redis_url=url, redis_timeout_seconds=0.5, reconcile_seconds=OFTEN)
    buyer = await somebody(writer)
    await believing(writer)
    await believing(reader)

    line.is_closed = True
    line.cut()
    for label in ("A1", "A2", "A3"):
        assert (await buyer.hold(label)).status_code == 201
        assert (await seats(reader))[label] == "reserved"
