"""Two processes on one database, and lines to the servers that can be cut."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import AsyncClient

from app.adapters.embedded import EmbeddedValkey, remove_data, start_servers
from app.settings import Settings
from tests.conftest import OpenApp
from tests.races.lines import Line, line_to


@pytest.fixture
async def other(client: AsyncClient, open_app: OpenApp) -> AsyncClient:
    """A client of a second process, so to say, on the database of `client`."""
    return await open_app()


@pytest.fixture
async def to_postgresql(settings: Settings) -> AsyncIterator[tuple[Line, str]]:
    """A line to PostgreSQL, and the URL by which a process speaks over it."""
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
    with TemporaryDirectory(prefix="usher valkey ") as directory:
        servers = start_servers(Path(directory) / "home", postgresql=False)
        assert servers.valkey is not None
        yield servers.valkey
        servers.stop()
        remove_data(Path(directory) / "home")


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
