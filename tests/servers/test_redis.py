"""Redis and Valkey as others have them: every way to write the URL, sentinels, and servers that cannot be written."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from app.adapters.login_tries import RedisLoginTries
from app.adapters.rate_counter import RedisRateCounter
from app.adapters.redis_cache import RedisCache
from app.adapters.redis_feed import RedisFeed
from app.adapters.redis_servers import Names
from app.domain.people.rates import Bucket, Policy
from app.server.doctor import examine
from app.services.ports import Away, CacheState
from tests.conftest import MakeSettings, OpenApp
from tests.order import Connection, until_so
from tests.patience import patience
from tests.races.buyers import seats, somebody
from tests.servers.valkeys import Server, behind_tls, valkey

PASSWORD = "p@ss/wo:rd?#% ü"


@pytest.fixture
def server() -> Iterator[Server]:
    """A Valkey of the test's own, that knows the user `usher`, too, with the rights that docs/servers.md names."""
    with valkey() as running:
        running.say("ACL", "SETUSER", "usher", "on", f">{PASSWORD}", "~usher:*", "&usher:*", "+@all")
        yield running


async def everything_works(url: str, names: Names = Names()) -> None:  # noqa: B008 - it is frozen
    """The cache, the feed, the rates and the logins do, by this URL."""
    cache, feed = RedisCache(url, 5.0, names), RedisFeed(url, names)
    rates, tries = RedisRateCounter(url, 5.0, names), RedisLoginTries(url, 5.0, names)
    heard: asyncio.Queue[tuple[int, bytes | None]] = asyncio.Queue()
    feed.watch(1)
    running = asyncio.create_task(feed.run(lambda screening_id, news: heard.put_nowait((screening_id, news))))
    try:
        async with patience():
            assert await heard.get() == (1, None)
            await cache.known_map_versions()
            await cache.move({1: 5}, [(1, b"news")])
            assert await heard.get() == (1, b"news")
            cache.trust(cache.doubts(), float("inf"))
            await cache.keep(1, 5, b"facts", cache.doubts())
            assert (await cache.map_versions([1, 2]), await cache.facts(1)) == ([5, None], b"facts")
            assert await cache.state() is CacheState.OK
            standing = await rates.count(Policy(Bucket.LOGIN, 10, 60), "somebody")
            assert (standing.is_allowed, standing.remaining) == (True, 9)
            assert await tries.begin("somebody", "192.0.2.1", Policy(Bucket.LOGIN, 10, 60)) is None
    finally:
        running.cancel()
        await asyncio.wait((running,))
        for each in (cache, feed, rates, tries):
            await each.close()


@pytest.mark.parametrize(
    "written",
    [
        "redis://127.0.0.1:{port}",
        "valkey://127.0.0.1:{port}/1",
        "redis://localhost:{port}?db=2",
        "redis://usher:{password}@127.0.0.1:{port}/0",
        "redis://127.0.0.1:{port}?username=usher&password={password}&client_name=usher",
        "unix://{socket}?db=3",
        "unix://usher:{password}@{socket}",
        "redis://127.0.0.1:{port}?decode_responses=true&protocol=2&encoding=latin-1&socket_timeout=0.001&timeout=1",
        "redis://127.0.0.1:{port}?max_connections=1&health_check_interval=1&legacy_responses=yes&retry_on_timeout=yes",
    ],
)
async def test_every_way_to_write_it_leads_there_and_breaks_nothing(server: Server, written: str) -> None:
    socket = quote(str(server.socket))
    await everything_works(written.format(port=server.port, socket=socket, password=quote(PASSWORD, safe="")))


@pytest.mark.parametrize(
    ("written", "works"),
    [
        ("rediss://localhost:{port}?ssl_ca_certs={authority}", True),
        ("valkeys://usher:{password}@localhost:{port}/1?ssl_ca_certs={authority}", True),
        ("rediss://127.0.0.1:{port}?ssl_cert_reqs=CERT_NONE", True),
        ("rediss://127.0.0.1:{port}?ssl_ca_certs={authority}&ssl_check_hostname=false", True),
        ("rediss://127.0.0.1:{port}?ssl_ca_certs={authority}", False),
        ("rediss://localhost:{port}", False),
    ],
)
async def test_tls_looks_whose_certificate_it_is(server: Server, tmp_path: Path, written: str, works: bool) -> None:
    async with behind_tls(server, tmp_path) as (port, authority):
        url = written.format(port=port, authority=quote(str(authority)), password=quote(PASSWORD, safe=""))
        if works:
            await everything_works(url)
            return
        cache = RedisCache(url, 5.0)
        assert await cache.state() is CacheState.AWAY
        await cache.close()


@pytest.fixture
def watched() -> Iterator[tuple[Server, Server, Server]]:
    """A primary, its replica, and the sentinel that calls them `usher's`."""
    with ExitStack() as stack:
        primary = stack.enter_context(valkey())
        replica = stack.enter_context(valkey("--replicaof", "127.0.0.1", str(primary.port)))
        watching = f"sentinel monitor ushers 127.0.0.1 {primary.port} 1\nsentinel down-after-milliseconds ushers 300\n"
        sentinel = stack.enter_context(valkey("--sentinel", configuration=watching))
        for often in ("INFO-PERIOD", "PUBLISH-PERIOD", "ASK-PERIOD"):
            sentinel.say("SENTINEL", "DEBUG", often, "100")
        yield primary, replica, sentinel


async def test_sentinels_are_asked_where_the_primary_is_and_followed_to_another(
    watched: tuple[Server, Server, Server], database: Connection
) -> None:
    primary, replica, sentinel = watched
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/ushers/0"
    await everything_works(url)

    async def is_promoted() -> bool:
        if sentinel.say("SENTINEL", "GET-PRIMARY-ADDR-BY-NAME", "ushers")[1] != str(replica.port).encode():
            with suppress(redis.ResponseError):  # it does not know the replica yet, or is about it
                sentinel.say("SENTINEL", "FAILOVER", "ushers")
            return False
        return bool(primary.say("ROLE")[0] == b"slave")

    async def is_told() -> bool:
        try:
            await cache.known_map_versions()
            await cache.move({1: 2})
        except Away:
            return False
        return True

    cache = RedisCache(url, 2.0)
    await cache.known_map_versions()
    await cache.move({1: 1})
    try:
        await until_so(database, is_promoted)
        await until_so(database, is_told)
    finally:
        await cache.close()
    with redis.Redis(port=replica.port) as there:
        [states] = there.keys("usher:states:*")
        assert there.zscore(states, "1") == 2
    await everything_works(url.replace("/ushers/0", "?service_name=ushers&db=1"))


async def test_a_name_that_no_sentinel_knows_is_nobody(watched: tuple[Server, Server, Server]) -> None:
    cache = RedisCache(f"valkey+sentinel://127.0.0.1:{watched[2].port}/nobody", 2.0)

    assert await cache.state() is CacheState.AWAY
    await cache.close()


def become_a_replica(server: Server) -> None:
    server.say("REPLICAOF", "127.0.0.1", "1")


def become_a_primary(server: Server) -> None:
    server.say("REPLICAOF", "NO", "ONE")


def become_full(server: Server) -> None:
    server.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.say("CONFIG", "SET", "maxmemory", "1")


def have_room(server: Server) -> None:
    server.say("CONFIG", "SET", "maxmemory", "0")


def forbid(server: Server) -> None:
    server.say("ACL", "SETUSER", "usher", "-@write")


def allow(server: Server) -> None:
    server.say("ACL", "SETUSER", "usher", "+@all")


def want_replicas(server: Server) -> None:
    server.say("CONFIG", "SET", "min-replicas-to-write", "1")


def want_none(server: Server) -> None:
    server.say("CONFIG", "SET", "min-replicas-to-write", "0")


Change = Callable[[Server], None]


@pytest.mark.parametrize(
    ("goes", "returns", "check", "advice"),
    [
        (become_a_replica, become_a_primary, "read-only", "set REDIS_URL to the primary"),
        (become_full, have_room, "full", "allkeys-lru"),
        (forbid, allow, "forbidden", "ACL SETUSER"),
        (want_replicas, want_none, "forbidden", "its own log says why"),
    ],
)
async def test_a_valkey_that_cannot_be_written_is_told_once_and_seats_are_sold_on(
    open_app: OpenApp,
    server: Server,
    database: Connection,
    caplog: pytest.LogCaptureFixture,
    goes: Change,
    returns: Change,
    check: str,
    advice: str,
) -> None:
    caplog.set_level(logging.INFO, "app")
    url = f"redis://usher:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}"
    writer, reader = [await open_app(redis_url=url, reconcile_seconds=0.1) for _ in range(2)]
    buyer = await somebody(writer)

    def lines() -> list[str]:
        said = [line.getMessage() for line in caplog.records]
        return [line.partition(",")[0] for line in said if line.startswith("Redis can")]

    async def says(status: str, redis_check: str, count: int) -> bool:
        told = (await writer.get("/health")).json()
        return (told["status"], told["checks"]["redis"], len(lines())) == (status, redis_check, count)

    await until_so(database, lambda: says("ok", "ok", 0))
    goes(server)
    held = await buyer.hold("A1")
    while_so = await seats(reader)
    await until_so(database, lambda: says("degraded", check, 1))
    told = await writer.get("/health/ready")
    returns(server)
    await until_so(database, lambda: says("ok", "ok", 2))
    booked = await buyer.book("A2")

    assert (held.status_code, booked.status_code, told.status_code) == (201, 201, 200)
    assert advice in told.json()["advice"]["redis"]
    assert while_so == {"A1": "reserved"}
    assert await seats(reader) == await seats(writer) == {"A1": "reserved", "A2": "booked"}
    assert lines() == ["Redis cannot be written", "Redis can be written again"]


@pytest.mark.parametrize(
    ("goes", "said"), [(become_a_replica, "Redis is a replica"), (become_full, "Redis is full"), (forbid, "forbids")]
)
def test_the_doctor_says_what_to_do(
    make_settings: MakeSettings, server: Server, capsys: pytest.CaptureFixture[str], goes: Change, said: str
) -> None:
    settings = make_settings(redis_url=f"redis://usher:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}")
    assert examine(settings)
    goes(server)
    capsys.readouterr()

    assert not examine(settings)
    assert said in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("problem  Valkey"))
