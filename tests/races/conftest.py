"""Two processes on one database, and lines to the servers that can be cut."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import AsyncClient

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
