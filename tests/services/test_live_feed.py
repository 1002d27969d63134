"""The feed in a real Valkey that goes away and comes back; sales never notice."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis.asyncio

from app.adapters.embedded import EmbeddedServers, remove_data, start_servers
from app.adapters.embedded.valkey import EmbeddedValkey
from app.adapters.redis_cache import RedisCache
from app.adapters.redis_feed import RedisFeed
from tests.conftest import MakeSettings, OpenApp, resources_of
from tests.listeners import Socket, house, seats
from tests.patience import patience
from tests.races.buyers import somebody
from tests.routers.visitors import guest


@pytest.fixture
def servers_of_our_own() -> Iterator[EmbeddedServers]:
    with TemporaryDirectory(prefix="usher feed ") as directory:
        home = Path(directory) / "home"
        started = start_servers(home, postgresql=False)
        yield started
        started.stop()
        remove_data(home)


@pytest.fixture
def valkey(servers_of_our_own: EmbeddedServers) -> EmbeddedValkey:
    assert servers_of_our_own.valkey is not None
    return servers_of_our_own.valkey


Heard = asyncio.Queue[tuple[int, bytes | None]]


@asynccontextmanager
async def listening(feed: RedisFeed) -> AsyncIterator[Heard]:
    """What a feed hears."""
    heard: Heard = asyncio.Queue()
    running = asyncio.ensure_future(feed.run(lambda screening_id, news: heard.put_nowait((screening_id, news))))
    yield heard
    running.cancel()
    await asyncio.wait((running,))
    await feed.close()


async def next_of(heard: Heard) -> tuple[int, bytes | None]:
    async with patience():
        return await heard.get()


async def test_it_hears_what_it_watches_and_nothing_else(valkey: EmbeddedValkey) -> None:
    cache, feed = RedisCache(valkey.url, 5.0), RedisFeed(valkey.url)
    assert await cache.known_map_versions() == {}
    feed.watch(1)
    async with listening(feed) as heard:
        assert await next_of(heard) == (1, None)
        feed.watch(2)
        assert await next_of(heard) == (2, None)

        await cache.move({1: 5, 3: 6}, [(3, b"three"), (1, b"one")])
        assert await next_of(heard) == (1, b"one")
        feed.unwatch(1)
        feed.watch(4)
        assert await next_of(heard) == (4, None)
        await cache.move({1: 7}, [(1, b"again"), (2, b"two")])
        assert await next_of(heard) == (2, b"two")

        assert await cache.known_map_versions() == {1: 7, 3: 6}
    await cache.close()


async def test_other_databases_of_the_same_server_are_other_houses(valkey: EmbeddedValkey) -> None:
    ours, theirs = RedisCache(valkey.url, 5.0), RedisCache(valkey.url.replace("db=0", "db=1"), 5.0)
    feed = RedisFeed(valkey.url)
    feed.watch(1)
    async with listening(feed) as heard:
        await next_of(heard)

        await theirs.move({1: 1}, [(1, b"theirs")])
        await ours.move({1: 1}, [(1, b"ours")])

        assert await next_of(heard) == (1, b"ours")
    await ours.close()
    await theirs.close()


async def test_after_a_restart_it_listens_again_and_says_that_it_may_have_missed_something(
    valkey: EmbeddedValkey,
) -> None:
    feed = RedisFeed(valkey.url)
    feed.watch(1)
    async with listening(feed) as heard:
        assert await next_of(heard) == (1, None)

        valkey.kill()
        valkey.start()

        assert await next_of(heard) == (1, None)
        cache = RedisCache(valkey.url, 5.0)
        await cache.move({1: 1}, [(1, b"news")])
        assert await next_of(heard) == (1, b"news")
        await cache.close()


async def test_a_connection_that_is_cut_while_it_is_used_is_followed_by_one_alone(
    valkey: EmbeddedValkey,
) -> None:
    feed = RedisFeed(valkey.url)
    async with redis.asyncio.Redis.from_url(valkey.url) as killer, listening(feed) as heard:
        for screening_id in range(1, 21):
            feed.watch(screening_id)
            await killer.client_kill_filter(_type="pubsub")
            feed.watch(100 + screening_id)
            while await next_of(heard) != (screening_id, None):
                pass
    # One that is left open warns when it is collected, and every warning is an error.
    gc.collect()


async def test_it_ends_when_it_is_told_to_at_the_moment_at_which_the_connection_breaks(valkey: EmbeddedValkey) -> None:
    feed = RedisFeed(valkey.url)
    feed.watch(1)
    async with listening(feed) as heard:
        assert await next_of(heard) == (1, None)
        valkey.kill()  # nobody learns of it before the loop goes on, and it goes on with the end


async def test_listeners_hear_on_through_a_restart_and_without_any_valkey(
    make_settings: MakeSettings, valkey: EmbeddedValkey
) -> None:
    settings = make_settings(redis_url=valkey.url, reconcile_seconds=0.1)  # a sale waits until nobody believes Valkey
    async with house(settings) as usher, usher.socket() as opened:
        ada, listener = await guest(usher.client, "ada@example.org"), Socket(opened)
        await listener.next()
        await ada.hold("A1")
        assert (await seats(listener))["version"] == 1

        valkey.kill()
        await ada.hold("A2")
        assert (await seats(listener))["version"] == 2
        valkey.start()
        await ada.hold("A3")
        assert (await seats(listener))["version"] == 3


async def test_news_that_cannot_be_published_fails_no_sale(open_app: OpenApp, valkey: EmbeddedValkey) -> None:
    client = await open_app(redis_url=valkey.url)
    cache = resources_of(client).cache
    await cache._redis.acl_setuser("default", enabled=True, commands=["-publish"])
    buyer = await somebody(client)

    answer = await buyer.hold("A1")

    assert answer.status_code == 201
    assert cache.doubts() == 0
