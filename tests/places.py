"""Where the databases of a run are, and the servers that are started for it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.adapters.embedded import EmbeddedServers, remove_data, start_servers
from app.adapters.embedded.place import find_place
from tests.given import GivenDatabase
from tests.pooler.pgbouncer import Pooler

ENOUGH_MEMORY = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tests of this run have their databases: on a PostgreSQL of their own, or in one that is given."""

    database_url: str
    redis_url: str
    given: GivenDatabase | None = None
    pooler: Pooler | None = None

    def url_of(self, database: str) -> str:
        """The URL of a database on this server."""
        if self.given is not None:
            return self.database_url
        before, _, parameters = self.database_url.partition("?")
        return f"{before.rpartition('/')[0]}/{database}?{parameters}"

    def programs_url_of(self, database: str) -> str:
        """The URL by which the program is led to it."""
        return self.url_of(database) if self.pooler is None else self.pooler.url_of(database)


@contextmanager
def started(home: Path, **which: bool) -> Iterator[EmbeddedServers]:
    """The servers of this home, as long as the block."""
    servers = start_servers(home, **which)
    yield servers
    servers.stop()


@contextmanager
def roomy_home() -> Iterator[Path]:
    """A home with its data in it: whichever account the servers run as gets there, and the path of it is short."""
    with TemporaryDirectory(prefix="usher-tests-", dir=_in_memory()) as directory:
        Path(directory).chmod(0o711)  # PostgreSQL refuses root: the user that it runs as must get through
        home = Path(directory) / "home"
        yield home
        if home.exists():
            remove_data(home)


@contextmanager
def copy_of(first_home: Path) -> Iterator[Path]:
    """Another home with the same PostgreSQL in it; to make a new one takes more time than most tests."""
    with roomy_home() as home:
        data = find_place(first_home).data / "postgresql"
        subprocess.run(["cp", "-Rp", str(data), str(find_place(home).data)], check=True)
        yield home


def _in_memory() -> Path | None:
    """A place where a flush to disk costs nothing, if there is one: making and dropping databases flushes a lot.

    PostgreSQL runs with fsync on all the same, as the service asks for.
    """
    memory = Path("/dev/shm")  # noqa: S108 (the directory made in it has a name of its own)
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ENOUGH_MEMORY else None
