"""Two installations in one Redis database: neither ever reads a map of the other, and each is told of the other."""

import logging

import pytest
import redis

from app.settings import Settings
from tests.conftest import DEMO, MakeDatabase, MakeSettings, OpenApp, resources_of, serving, settings_for
from tests.order import Connection, until_so
from tests.places import Place
from tests.races.buyers import seats, somebody

OFTEN = 0.1
WHEN_THE_TEST_SAYS = 60
WARNING = "another installation keeps its keys in the same Redis database under the same REDIS_PREFIX"


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records if "REDIS_PREFIX" in line.getMessage()]


@pytest.fixture
async def strangers(make_settings: MakeSettings, make_database: MakeDatabase, templates: Place) -> Settings:
    """Settings of another installation with the same demo, and so the same ids."""
    return settings_for(templates, await make_database(DEMO), reconcile_seconds=WHEN_THE_TEST_SAYS)


async def test_neither_sees_the_others_maps_or_news_and_each_is_told_to_set_the_prefix(
    open_app: OpenApp, strangers: Settings, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app")
    ours = await open_app(reconcile_seconds=WHEN_THE_TEST_SAYS)
    async with serving(strangers) as theirs:
        us, them = await somebody(ours), await somebody(theirs)
        for look in range(4):
            await us.hold(f"A{look + 1}")
            await them.hold(f"B{look + 1}")
            for client in (ours, theirs):
                await resources_of(client).reconciler.look()
            assert set(await seats(ours)) == {f"A{each + 1}" for each in range(look + 1)}
            assert set(await seats(theirs)) == {f"B{each + 1}" for each in range(look + 1)}

    assert [line.partition(":")[0] for line in said(caplog)] == [WARNING]
    assert "set REDIS_PREFIX to another name for each" in said(caplog)[0]


async def test_when_the_other_is_gone_that_is_said_once(
    open_app: OpenApp, database: Connection, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app")
    with redis.Redis.from_url(settings.redis_url or "") as connection:
        connection.zadd("usher:installations", {"a stranger": 9e15})
        ours = await open_app(reconcile_seconds=OFTEN)

        async def is_told(count: int) -> bool:
            return len(said(caplog)) == count

        await until_so(database, lambda: is_told(1))
        connection.zadd("usher:installations", {"a stranger": 1})
        await until_so(database, lambda: is_told(2))
    await ours.get("/health")

    assert [line.partition(":")[0] for line in said(caplog)] == [
        WARNING,
        "no other installation uses this REDIS_PREFIX in this Redis database any more",
    ]


async def test_with_a_prefix_each_there_is_nothing_to_say_and_every_key_begins_with_it(
    open_app: OpenApp, strangers: Settings, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ours = await open_app(reconcile_seconds=WHEN_THE_TEST_SAYS, redis_prefix="one", rate_limits=True)
    other = strangers.model_copy(update={"redis_prefix": "other", "rate_limits": True})
    async with serving(other) as theirs:
        for client in (ours, theirs):
            await client.post("/api/v1/auth/login", json={"username": "demo", "password": "wrong wrong wrong"})
            await (await somebody(client)).hold("A1")
            await resources_of(client).reconciler.look()
            await seats(client)
    with redis.Redis.from_url(settings.redis_url or "") as connection:
        keys = {key.decode() for key in connection.scan_iter("*")}

    assert said(caplog) == []
    for prefix in ("one:", "other:"):
        words = {word for key in keys if key.startswith(prefix) for word in key.split(":")}
        assert words >= {"life", "states", "installations", "rates", "logins", "compared"}, sorted(keys)
    assert [key for key in keys if not key.startswith(("one:", "other:"))] == []


async def test_a_redis_that_knows_more_than_postgresql_forgets_everything(
    open_app: OpenApp, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody restored a backup, or has copied the files of the database and writes from there."""
    client = await open_app()
    resources = resources_of(client)
    await resources.reconciler.look()
    buyer = await somebody(client)
    for label in ("A1", "A2"):
        await buyer.hold(label)
    before = await seats(client)
    known = await resources.cache.known_map_versions()
    await resources.cache.move({1: known[1] + 10})

    await resources.reconciler.look()
    of_one_more_look = await resources.cache.known_map_versions()
    await resources.reconciler.look()

    assert of_one_more_look == {}
    assert await seats(client) == before == {"A1": "reserved", "A2": "reserved"}
    assert (await resources.cache.known_map_versions()).get(1, known[1]) == known[1]
    assert len([line for line in caplog.messages if line.startswith("Redis knew of later changes")]) == 1
