"""Usher starts by way of a pooler in transaction mode, as often as one likes, and so do its commands."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from httpx import AsyncClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db import migrations
from app.db.connections import call, open_engine
from app.db.migrations import current_and_head, upgrade
from app.db.revisions import head
from app.server import commands, serving
from app.server.serving import CannotServe
from app.settings import EXIT_BAD_SETTING, Settings
from tests.conftest import JWT_SECRET, MakeSettings
from tests.forking import Forker
from tests.order import Connection
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT
from tests.places import Place
from tests.pooler.conftest import FEW, MakePooler, PooledSettings


@pytest.fixture
async def empty(templates: Place) -> AsyncIterator[str]:
    """A database with nothing in it, not even a schema; its name."""
    name = f"test_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(templates.url_of("postgres").replace("+asyncpg", ""))
    await connection.execute(f"CREATE DATABASE {name}")
    yield name
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@asynccontextmanager
async def served(settings: Settings, forker: Forker) -> AsyncIterator[str]:
    """`usher serve` with these settings, until the block ends; its URL."""
    process = forker.start(
        "serve",
        environment=os.environ
        | PATIENT_ENVIRONMENT
        | {
            "DATABASE_URL": settings.database_url or "",
            "REDIS_URL": settings.redis_url or "",
            "JWT_SECRET": JWT_SECRET,
            "STATEMENT_CACHE_SIZE": "0",
            "OFFICE_CONNECTIONS": "4",
            "BATCH_PER_SCREENING": "on",
            "PORT": "0",
        },
        complains_to=2,
    )
    while (found := re.search(r"Usher is ready: (\S+)", line := process.stdout.readline())) is None:
        assert line, "it did not start"
    yield found[1]
    process.terminate()
    await asyncio.to_thread(process.communicate)
    assert process.returncode == 0


async def test_it_starts_twice_on_a_database_that_was_empty(
    empty: str, make_pooler: MakePooler, make_settings: MakeSettings, forker: Forker
) -> None:
    settings = make_settings(database_url=make_pooler(FEW).url_of(empty))

    for _ in range(2):
        async with served(settings, forker) as url, AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
            ready = await client.get("/health/ready")
            theaters = await client.get("/theaters")
        assert (ready.status_code, ready.json()["status"]) == (200, "ok")
        assert theaters.json()["items"] == []


async def test_many_migrate_at_once(empty: str, make_pooler: MakePooler) -> None:
    url = make_pooler(FEW).url_of(empty)

    await asyncio.gather(upgrade(url), upgrade(url), upgrade(url))

    assert await current_and_head(url) == (head(), head())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["migrate"], 0, "The database schema is at revision"),
        (["doctor"], 0, r"ok +PostgreSQL: \S+, durable"),
        (["demo"], 0, "The demo theaters are loaded"),
        (["sweep"], 0, "Expired holds swept: 0"),
        (["set-role", "demo", "staff"], 0, "The account demo has the role staff now"),
        (["distribute", "--check"], 1, "Citus is not in this database"),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_every_command_works(
    pooled: PooledSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    settings = pooled()
    monkeypatch.setenv("DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("REDIS_URL", settings.redis_url or "")
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    monkeypatch.setenv("STATEMENT_CACHE_SIZE", "0")
    monkeypatch.setenv("POSTGRESQL_CONNECT_SECONDS", "15")

    ended = commands.run(words)

    told = capsys.readouterr()
    assert re.search(said, told.out + told.err), told
    assert ended == code


def test_whoever_forgot_the_setting_is_told(pooled: PooledSettings) -> None:
    with pytest.raises(CannotServe, match=r"unsupported startup parameter: .+ set STATEMENT_CACHE_SIZE=0\.$") as told:
        serving._prepare(pooled(statement_cache_size=100), with_demo=False)

    assert told.value.exit_code == EXIT_BAD_SETTING


def test_a_pooler_without_a_free_session_is_not_waited_for_without_end(
    make_pooler: MakePooler, empty: str, pooled: PooledSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Migrations need two: one keeps their lock."""
    monkeypatch.setattr(migrations, "ANSWERS_WITHIN_SECONDS", 0.5)

    with pytest.raises(CannotServe, match=r"^PostgreSQL cannot be used: it does not answer in time \(timeout\)"):
        serving._prepare(pooled(database_url=make_pooler(1).url_of(empty)), with_demo=False)


def test_migrations_may_go_round_it(
    make_pooler: MakePooler, empty: str, templates: Place, pooled: PooledSettings
) -> None:
    url = make_pooler(1).url_of(empty)
    settings = pooled(database_url=url, migrations_database_url=templates.url_of(empty))

    serving._prepare(settings, with_demo=False)

    assert asyncio.run(current_and_head(url)) == (head(), head())


async def test_statements_that_are_given_up_harm_neither_the_pooler_nor_others(pooled: PooledSettings) -> None:
    settings = pooled(statement_timeout_ms=500)

    async def give_up() -> None:
        async with call(settings) as connection:
            with pytest.raises(TimeoutError):
                await connection.fetchval("SELECT pg_sleep(60)::text", timeout=0.05)
            # It is hung up on, unless the time was over before the statement was sent.
            assert connection.is_closed() or await connection.fetchval("SELECT 1") == 1

    await asyncio.gather(*(give_up() for _ in range(30)))

    async with call(settings) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_each_transaction_has_its_timeouts_and_no_session_keeps_them(
    pooled: PooledSettings, database: Connection
) -> None:
    settings = pooled(statement_timeout_ms=1_234, lock_timeout_ms=567)
    asked = "SELECT current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') || $1"

    async with call(settings) as connection:
        alone = await connection.fetchval(asked, "")
        async with connection.transaction():
            together = await connection.fetchval(asked, "")
    strangers = await asyncpg.connect((settings.database_url or "").replace("+asyncpg", ""), statement_cache_size=0)
    async with strangers.transaction():
        afterwards = await strangers.fetchval(asked, "")
    await strangers.close()

    assert alone == together == "1234ms 567ms"
    assert afterwards == "0 0"


@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "READ COMMITTED"])
async def test_a_connection_that_was_closed_while_nobody_used_it_is_dropped(
    pooled: PooledSettings, isolation: str
) -> None:
    opened = open_engine(pooled())
    engine = opened.execution_options(isolation_level=isolation)
    try:
        async with engine.connect() as connection:
            kept = (await connection.get_raw_connection()).driver_connection
        assert kept is not None
        kept.terminate()

        with pytest.raises(DBAPIError) as told:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
    finally:
        await opened.dispose()

    assert told.value.connection_invalidated
