"""Where the databases of a run are, and the servers that are started for it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.adapters.embedded import EmbeddedServers, remove_data, start_servers
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
def started_servers(**which: bool) -> Iterator[EmbeddedServers]:
    """Servers for a run; nothing of them stays."""
    with TemporaryDirectory(prefix="usher tests ", dir=_in_memory()) as directory:
        Path(directory).chmod(0o711)  # PostgreSQL refuses root: the user that it runs as must get through
        home = Path(directory) / "home"
        started = start_servers(home, **which)
        yield started
        started.stop()
        remove_data(home)


def _in_memory() -> Path | None:
    """A place where a flush to disk costs nothing, if there is one: making and dropping databases flushes a lot.

    PostgreSQL runs with fsync on all the same, as the service asks for.
    """
    memory = Path("/dev/shm")  # noqa: S108 (the directory made in it has a name of its own)
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ENOUGH_MEMORY else None
