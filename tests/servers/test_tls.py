"""What a URL says of TLS, hosts and the session holds for all connections, whoever asks: seats are held over them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from app.db.connections import call, open_engine, open_for_command
from app.db.heartbeat import Heartbeat
from app.settings import Settings
from tests.conftest import JWT_SECRET, serving
from tests.patience import PATIENT, patience
from tests.places import Place
from tests.servers.encrypted import Encrypted

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
ENCRYPTED = {"allow": False, "disable": False, "prefer": True, "require": True, "verify-ca": True, "verify-full": True}
WHO = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def settings_with(url: str, redis_url: str = "redis://127.0.0.1:1", **changes: Any) -> Settings:
    return Settings(
        **{
            "database_url": url,
            "redis_url": redis_url,
            "jwt_secret": JWT_SECRET,
            "rate_limits": False,
            "sweep": False,
            **PATIENT,
            **changes,
        }
    )


def with_authority(server: Encrypted, mode: str) -> dict[str, str]:
    return {"sslmode": mode} | ({"sslrootcert": str(server.authority)} if mode.startswith("verify") else {})


async def by_the_office(settings: Settings, question: str) -> Any:
    async with call(settings) as connection:
        return await connection.fetchval(question)


async def by_the_pool(settings: Settings, question: str) -> Any:
    engine = open_engine(settings)
    async with engine.connect() as connection:
        answer = await connection.scalar(text(question))
    await engine.dispose()
    return answer


async def by_a_command(settings: Settings, question: str) -> Any:
    engine = open_for_command(settings.database_url or "")
    async with engine.connect() as connection:
        answer = await connection.scalar(text(question))
    await engine.dispose()
    return answer


Ask = Callable[[Settings, str], Awaitable[Any]]
everybody = pytest.mark.parametrize("ask", [by_the_office, by_the_pool, by_a_command])


@asynccontextmanager
async def without_tls(server: Encrypted) -> AsyncIterator[None]:
    """The server speaks none meanwhile."""
    admin = await asyncpg.connect(host=str(server.directory), port=server.port, user="usher", database="postgres")

    async def say(ssl: str) -> None:
        await admin.execute(f"ALTER SYSTEM SET ssl = {ssl}")
        await admin.execute("SELECT pg_reload_conf()")
        async with patience():
            while await admin.fetchval("SHOW ssl") != ssl:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)

    await say("off")
    try:
        yield
    finally:
        await say("on")
        await admin.close()


async def test_seats_are_held_with_each_sslmode(tls: Encrypted, place: Place) -> None:
    for number, mode in enumerate(MODES, 1):
        settings = settings_with(tls.url(**with_authority(tls, mode)), place.redis_url)
        async with serving(settings) as client:
            held = await client.post("/api/v1/screenings/1/reservations", json={"seats": [f"B{number}"]})
            health = await client.get("/health/ready")

        assert (mode, held.status_code, health.json()["status"]) == (mode, 201, "ok"), held.text


@everybody
@pytest.mark.parametrize("mode", MODES)
async def test_a_connection_is_encrypted_as_sslmode_says(tls: Encrypted, ask: Ask, mode: str) -> None:
    assert await ask(settings_with(tls.url(**with_authority(tls, mode))), WHO) is ENCRYPTED[mode]


@everybody
async def test_without_tls_on_the_server_only_those_connect_who_do_not_ask_for_it(tls: Encrypted, ask: Ask) -> None:
    connected = {}
    async with without_tls(tls):
        for mode in MODES:
            try:
                connected[mode] = await ask(settings_with(tls.url(**with_authority(tls, mode))), WHO) is False
            except OSError:
                connected[mode] = False

    assert connected == {mode: mode in ("disable", "allow", "prefer") for mode in MODES}


@everybody
async def test_whose_certificate_it_is_counts_for_verify_full_alone(tls: Encrypted, ask: Ask) -> None:
    by_address = {mode: settings_with(tls.url("127.0.0.1", **with_authority(tls, mode))) for mode in MODES}

    assert await ask(by_address["verify-ca"], WHO) is True
    with pytest.raises(OSError, match="IP address mismatch"):
        await ask(by_address["verify-full"], WHO)


@everybody
async def test_a_stranger_is_not_believed(tls: Encrypted, ask: Ask) -> None:
    """With a root certificate `require` is like `verify-ca`, as PostgreSQL's own programs have it."""
    client, _ = tls.of_a_client
    for mode in ("require", "verify-ca", "verify-full"):
        with pytest.raises(OSError, match="certificate verify failed"):
            await ask(settings_with(tls.url(sslmode=mode, sslrootcert=str(client))), WHO)
    with pytest.raises(OSError, match="certificate verify failed"):
        await ask(settings_with(tls.url(sslmode="verify-full", sslrootcert="system")), WHO)


@everybody
async def test_we_show_our_own_certificate(tls: Encrypted, ask: Ask) -> None:
    certificate, key = map(str, tls.of_a_client)
    url = tls.url(**with_authority(tls, "verify-full"), sslcert=certificate, sslkey=key)

    shown = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert await ask(settings_with(url), shown) == "/CN=usher"


@everybody
@pytest.mark.parametrize(
    ("parameters", "question", "answer"),
    [
        ({}, "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()", "usher"),
        ({"application_name": "box office 2"}, "SHOW application_name", "box office 2"),
        (
            {"options": "-c geqo=off -c work_mem=5MB"},
            "SELECT current_setting('geqo') || current_setting('work_mem')",
            "off5MB",
        ),
        ({"options": "-c timezone=Asia/Tokyo"}, "SHOW timezone", "UTC"),
        ({"channel_binding": "require", "sslmode": "require"}, WHO, True),
        ({"channel_binding": "prefer"}, WHO, True),
        ({"target_session_attrs": "read-write"}, WHO, True),
        ({"target_session_attrs": "primary", "gssencmode": "disable", "client_encoding": "UTF8"}, WHO, True),
        ({"sslmode": "require", "ssl_min_protocol_version": "TLSv1.3"}, WHO, True),
        ({"connect_timeout": "10"}, WHO, True),
        ({"connect_timeout": "0"}, WHO, True),
    ],
)
async def test_whatever_the_url_says_holds_for_everybody(
    tls: Encrypted, ask: Ask, parameters: dict[str, str], question: str, answer: object
) -> None:
    async def in_a_transaction() -> Any:
        return await ask(settings_with(tls.url(**parameters)), question)

    assert await in_a_transaction() == answer


@everybody
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_every_way_to_write_it_leads_there(tls: Encrypted, ask: Ask, scheme: str, host: str) -> None:
    assert await ask(settings_with(tls.url(host, scheme)), "SELECT current_user::text") == "usher"


@everybody
async def test_a_socket_leads_there_too(tls: Encrypted, ask: Ask) -> None:
    directory = str(tls.directory)
    for url in (
        f"postgresql://usher@/usher?host={directory}&port={tls.port}&sslmode=verify-full&sslrootcert={tls.authority}",
        f"postgresql://usher@{directory.replace('/', '%2F')}:{tls.port}/usher",
        f"postgres:///?host={directory}&port={tls.port}&user=usher&dbname=usher",
    ):
        assert await ask(settings_with(url), "SELECT inet_server_addr() IS NULL") is True


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A port at which somebody takes calls and never says a word."""
    gone = asyncio.Event()

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    gone.set()
    server.close()


@everybody
async def test_of_several_hosts_those_that_are_gone_or_silent_hold_nobody_up(tls: Encrypted, ask: Ask) -> None:
    async with silence() as port:
        url = tls.url(f"127.0.0.1:1,127.0.0.1:{port},localhost", target_session_attrs="read-write")
        assert await ask(settings_with(url), WHO) is True


async def test_the_heart_beats_over_the_second_host_while_the_first_is_silent(tls: Encrypted) -> None:
    async with silence() as port:
        settings = settings_with(tls.url(f"127.0.0.1:{port},localhost"), postgresql_silence_seconds=5)
        engine = open_engine(settings)
        heartbeat = Heartbeat(settings, engine)
        heartbeat.is_there = False
        beating = asyncio.create_task(heartbeat.run())
        async with patience():
            while not heartbeat.is_there:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        await engine.dispose()


@everybody
async def test_a_read_only_host_is_passed_over(tls: Encrypted, ask: Ask) -> None:
    admin = await asyncpg.connect(host=str(tls.directory), port=tls.port, user="usher", database="postgres")
    await admin.execute("ALTER ROLE usher IN DATABASE postgres SET default_transaction_read_only = on")
    try:
        url = tls.url("localhost", database="postgres", target_session_attrs="read-write")
        with pytest.raises(OSError, match="no server is there that is read-write"):
            await ask(settings_with(url), WHO)
    finally:
        await admin.execute("ALTER ROLE usher IN DATABASE postgres RESET default_transaction_read_only")
        await admin.close()


async def test_what_a_server_says_counts_more_than_that_another_is_gone(tls: Encrypted) -> None:
    nowhere = tls.url(database="nowhere").replace(f":{tls.port}/", f":{tls.port},127.0.0.1:1/")

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await by_the_office(settings_with(nowhere), WHO)


async def test_the_timeout_of_the_url_counts_if_it_is_shorter() -> None:
    async with silence() as port:
        with pytest.raises(TimeoutError):
            await by_a_command(settings_with(f"postgresql://usher@127.0.0.1:{port}/usher?connect_timeout=1"), WHO)
