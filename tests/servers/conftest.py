"""Servers as others have them: PostgreSQL with TLS and passwords, Valkey with rights, replicas and sentinels."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from app.db.migrations import upgrade
from app.settings import Settings
from tests.conftest import JWT_SECRET, _load_demo
from tests.places import _in_memory
from tests.servers.encrypted import DATABASE, Encrypted, encrypted, programs


@pytest.fixture(scope="session")
def tls() -> Iterator[Encrypted]:
    """A PostgreSQL that speaks TLS, with the demo in it."""
    found = programs()
    if found is None:
        pytest.skip("needs a PostgreSQL with TLS (Debian: postgresql)")

    async def move_in(server: Encrypted) -> None:
        admin = await asyncpg.connect(host=str(server.directory), port=server.port, user="usher", database="postgres")
        await admin.execute(f"CREATE DATABASE {DATABASE}")
        await admin.close()
        await upgrade(server.url())
        await _load_demo(Settings(database_url=server.url(), redis_url="redis://127.0.0.1:1", jwt_secret=JWT_SECRET))

    with TemporaryDirectory(prefix="usher-tls-", dir=_in_memory()) as name:
        Path(name).chmod(0o711)
        with encrypted(Path(name), found) as server:
            asyncio.run(move_in(server))
            yield server
