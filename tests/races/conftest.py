"""Two processes on one database, lines to the servers that can be cut, and servers that may be stopped."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from httpx import AsyncClient

from app.adapters.embedded import EmbeddedPostgreSQL, EmbeddedValkey
from app.settings import Settings
from tests import given
from tests.conftest import MakeSettings, OpenApp
from tests.order import Connection
from tests.patience import PATIENT_ENVIRONMENT
from tests.places import copy_of, roomy_home, started
from tests.pooler import pgbouncer
from tests.processes import Served, Starter
from tests.races.lines import Line, line_to


@pytest.fixture
async def other(client: AsyncClient, open_app: OpenApp) -> AsyncClient:
    """A client of a second process, so to say, on the database of `client`."""
    return await open_app()


@pytest.fixture
async def to_postgresql(settings: Settings) -> AsyncIterator[tuple[Line, str]]:
    """A line to PostgreSQL, and the URL by which a process speaks over it."""
    if given.URL is not None or pgbouncer.IN_ALL_TESTS:
        pytest.skip("needs a line to a PostgreSQL server of its own")
    url = settings.database_url or ""
    directory = parse_qs(urlsplit(url).query)["host"][0]
    async with line_to(Path(directory) / ".s.PGSQL.5432") as (line, socket):
        yield line, url.replace(directory, str(socket.parent))


@pytest.fixture
async def to_valkey(settings: Settings) -> AsyncIterator[tuple[Line, str]]:
    """A line to Valkey, and the URL by which a process speaks over it."""
    url = settings.redis_url or ""
    server = Path(urlsplit(url).path)
    async with line_to(server) as (line, socket):
        yield line, url.replace(str(server), str(socket))


@pytest.fixture(scope="session")
def own_valkey() -> Iterator[EmbeddedValkey]:
    """A Valkey for tests that stop it."""
    with roomy_home() as home, started(home, postgresql=False) as servers:
        assert servers.valkey is not None
        yield servers.valkey


@pytest.fixture
def valkey(own_valkey: EmbeddedValkey) -> EmbeddedValkey:
    """It runs and knows nothing, whatever the test before did to it."""
    own_valkey.kill()
    own_valkey.start()
    return own_valkey


@pytest.fixture
async def to_own_valkey(valkey: EmbeddedValkey) -> AsyncIterator[tuple[Line, str]]:
    """A line to the Valkey that tests stop, and the URL by which a process speaks over it."""
    server = Path(urlsplit(valkey.url).path)
    async with line_to(server) as (line, socket):
        yield line, valkey.url.replace(str(server), str(socket))


StartProcess = Callable[..., Awaitable[Served]]


@pytest.fixture
async def start_process(starter: Starter, make_settings: MakeSettings) -> AsyncIterator[StartProcess]:
    """Starts `usher serve` on the test's database, with settings to change."""
    started: list[Served] = []

    async def start(**changes: Any) -> Served:
        settings = make_settings(**changes)
        served = await starter.start(
            {
                "DATABASE_URL": settings.database_url or "",
                "REDIS_URL": settings.redis_url or "",
                "JWT_SECRET": settings.jwt_secret or "",
                "RATE_LIMITS": "off",
                "SWEEP": "on" if settings.sweep else "off",
                "RECONCILE_SECONDS": str(settings.reconcile_seconds),
                "BATCH_PER_SCREENING": str(settings.batch_per_screening),
                "OFFICE_CONNECTIONS": str(settings.office_connections),
                "STATEMENT_CACHE_SIZE": str(settings.statement_cache_size),
                **{name: str(getattr(settings, name.lower())) for name in PATIENT_ENVIRONMENT},
                "PORT": "0",
                "WEB_CONCURRENCY": str(settings.web_concurrency),
            }
        )
        started.append(served)
        return served

    yield start
    for served in started:
        await served.stop()


@pytest.fixture(scope="session")
def own_postgresql(first_home: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A PostgreSQL for tests that stop it, with the demo houses in it."""
    with copy_of(first_home) as home, started(home, valkey=False) as servers:
        assert servers.postgresql is not None
        yield servers.postgresql


@pytest.fixture
async def on_own_postgresql(own_postgresql: EmbeddedPostgreSQL, make_settings: MakeSettings) -> AsyncIterator[Settings]:
    """Settings with a database of the test's own there; it runs, whatever the test before did to it."""
    own_postgresql.resume()
    own_postgresql.start()
    name = f"test_{secrets.token_hex(6)}"
    await _execute(own_postgresql, f"CREATE DATABASE {name} TEMPLATE usher")
    url = own_postgresql.url.replace("/usher?", f"/{name}?")
    # Never so long in earnest: but a test's machine may be so busy that an answer, or a connection, takes seconds.
    yield make_settings(database_url=url, postgresql_silence_seconds=6, postgresql_connect_seconds=5)
    own_postgresql.resume()
    own_postgresql.start()
    await _execute(own_postgresql, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: EmbeddedPostgreSQL, statement: str) -> None:
    url = server.url.replace("postgresql+asyncpg://", "postgresql://").replace("/usher?", "/postgres?")
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Connection]:
    """A connection of the test's own to the database of these settings."""
    url = (settings.database_url or "").replace("postgresql+asyncpg://", "postgresql://")
    connection: Connection = await asyncpg.connect(url)
    yield connection
    await connection.close()
