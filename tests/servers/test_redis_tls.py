"""Redis 7 by TLS, spoken by itself and by its sentinels: whom we believe, whom it believes, and another primary."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import redis

from app.adapters.redis_cache import RedisCache
from app.server.doctor import examine
from app.services.ports import CacheState
from tests.conftest import MakeSettings, OpenApp
from tests.order import Connection, until_so
from tests.races.buyers import seats, somebody
from tests.servers.redises import NEEDED, Redises, redises
from tests.servers.test_redis import everything_works
from tests.servers.valkeys import Server


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Redises:
    """Redis, if it is here."""
    found = redises(tmp_path_factory.mktemp("redis"))
    if found is None:
        pytest.skip(NEEDED)
    return found


@pytest.fixture(scope="module", params=[False, True], ids=["anybody", "friends"])
def server(given: Redises, request: pytest.FixtureRequest) -> Iterator[tuple[int, bool]]:
    """The port of one that takes anybody, or only who shows a certificate; and which it is."""
    with given.running(asks=request.param) as (_, port):
        yield port, request.param


@pytest.mark.parametrize(("scheme", "database"), [("rediss", 1), ("valkeys", 2)])
async def test_who_believes_it_and_is_believed_gets_all(
    given: Redises, server: tuple[int, bool], scheme: str, database: int
) -> None:
    port, asks = server
    shown = f"&{given.of_a_client}" if asks else ""

    await everything_works(f"{scheme}://localhost:{port}/{database}?{given.authority}{shown}")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("whom", ["us", "a stranger", "nobody in particular"])
@pytest.mark.parametrize("shows", [False, True])
async def test_whoever_is_not_believed_is_not_spoken_to(
    given: Redises, server: tuple[int, bool], host: str, whom: str, shows: bool
) -> None:
    port, asks = server
    believed = {"us": given.authority, "a stranger": given.of_a_stranger, "nobody in particular": ""}[whom]
    shown = given.of_a_client if shows else ""
    cache = RedisCache(f"rediss://{host}:{port}?{believed}&{shown}".replace("?&", "?").rstrip("?&"), 5.0)

    is_well = whom == "us" and host == "localhost" and (shows or not asks)
    assert await cache.state() is (CacheState.OK if is_well else CacheState.AWAY)
    await cache.close()


async def test_what_speaks_no_tls_is_away_and_so_is_tls_for_whoever_speaks_none(given: Redises) -> None:
    with given.running() as (server, port):
        urls = (f"rediss://localhost:{server.port}?{given.authority}", f"redis://localhost:{port}")
        for url in urls:
            cache = RedisCache(url, 1.0)
            assert await cache.state() is CacheState.AWAY
            await cache.close()


# --- sentinels


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary, its replica with the port where it speaks TLS, and the URL by way of their sentinel."""

    primary: Server
    replica: Server
    url: str


@pytest.fixture
def watched(given: Redises) -> Iterator[Watched]:
    """All three speak TLS, to each other, too, and call themselves `localhost`, which their certificate is for."""
    with ExitStack() as stack:
        named = "replica-announce-ip localhost\n"
        primary, primary_port = stack.enter_context(given.running(configuration=named))
        following = ("--replicaof", "localhost", str(primary_port))
        replica, _ = stack.enter_context(given.running(*following, configuration=named))
        watching = (
            "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\nsentinel announce-ip localhost\n"
            f"sentinel monitor ushers localhost {primary_port} 1\n"
            "sentinel down-after-milliseconds ushers 300\n"
        )
        sentinel, port = stack.enter_context(given.running("--sentinel", configuration=watching))
        for often in ("INFO-PERIOD", "PUBLISH-PERIOD", "ASK-PERIOD"):
            sentinel.say("SENTINEL", "DEBUG", often, "100")
        yield Watched(primary, replica, f"rediss+sentinel://localhost:{port}/ushers/0?{given.authority}")


async def test_seats_are_sold_while_the_primary_dies_and_the_cache_comes_back_on_the_other(
    open_app: OpenApp, database: Connection, watched: Watched
) -> None:
    writer, reader = [await open_app(redis_url=watched.url, reconcile_seconds=0.1) for _ in range(2)]
    buyer = await somebody(writer)
    sold: dict[str, str] = {}

    async def health() -> str:
        status: str = (await writer.get("/health")).json()["checks"]["redis"]
        return status

    async def book(label: str) -> None:
        assert (await buyer.book(label)).status_code == 201
        sold[label] = "booked"

    async def hold_and_release() -> None:
        assert (await buyer.hold("D1")).status_code == 201
        assert await seats(reader) == sold | {"D1": "reserved"}
        assert (await buyer.ask("DELETE", "/screenings/1/reservations")).status_code == 200
        assert await seats(reader) == sold

    async def is_copied() -> bool:
        return bool(watched.replica.say("ROLE")[3] == b"connected")

    async def is_promoted() -> bool:
        await hold_and_release()
        return bool(watched.replica.say("ROLE")[0] == b"master")

    async def is_well() -> bool:
        await hold_and_release()
        return await health() == "ok" and _knows_maps(watched.replica)

    await until_so(database, is_copied)
    await book("A1")
    assert await health() == "ok"
    watched.primary.process.kill()
    await book("A2")
    await until_so(database, is_promoted)
    await book("A3")
    await until_so(database, is_well)
    await book("A4")

    assert await seats(writer) == await seats(reader) == sold


def _knows_maps(server: Server) -> bool:
    with redis.Redis(port=server.port) as there:
        return bool(there.keys("usher:*states:*"))


def test_the_doctor_says_that_a_certificate_is_not_believed(
    given: Redises, make_settings: MakeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    with given.running() as (_, port):
        assert not examine(make_settings(redis_url=f"rediss://localhost:{port}?{given.of_a_stranger}"))

    said = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("problem  Valkey"))
    assert "certificate" in said
