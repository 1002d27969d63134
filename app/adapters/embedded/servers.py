"""Both servers of one home, under its lock: whoever holds it is alone there, and what else runs there is an orphan."""

import fcntl
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import EmbeddedError
from app.adapters.embedded.place import Place, find_place, own_home
from app.adapters.embedded.postgresql import EmbeddedPostgreSQL
from app.adapters.embedded.valkey import EmbeddedValkey

# All that we ever make in a home: `remove_data` touches nothing else.
_FILES: Final = ("jwt-secret", "pg_hba.conf", "postgresql.log", "valkey.log", "valkey.pid")
_DIRECTORIES: Final = ("postgresql", "postgresql.half", "valkey")


class AlreadyRunning(EmbeddedError):
    """Another process has this home."""


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """The servers that were started, and where their data is.

    Attributes:
        postgresql: PostgreSQL, if it was asked for: may be stopped, paused, killed and started again.
        valkey: the same for Valkey.
        data: the directory with all they keep.
    """

    postgresql: EmbeddedPostgreSQL | None
    valkey: EmbeddedValkey | None
    data: Path
    _lock: int = field(repr=False)

    @property
    def database_url(self) -> str | None:
        """PostgreSQL's URL for SQLAlchemy; without `+asyncpg`, for asyncpg. None: not asked for."""
        return self.postgresql.url if self.postgresql is not None else None

    @property
    def redis_url(self) -> str | None:
        """Valkey's URL for redis-py. None: not asked for."""
        return self.valkey.url if self.valkey is not None else None

    def stop(self) -> None:
        """Stop what was started and give back the home."""
        try:
            for server in (self.valkey, self.postgresql):
                if server is not None:
                    server.stop()
        finally:
            os.close(self._lock)


def start_servers(home: Path, *, postgresql: bool = True, valkey: bool = True) -> EmbeddedServers:
    """Start the servers of a home, made if it is missing, and wait until they answer.

    Call it from the main thread (see `process.start`), and stop them when done; if we end otherwise, they end too.

    Args:
        home: a directory for them alone; any length, any characters.
        postgresql: start PostgreSQL?
        valkey: start Valkey?

    Raises:
        AlreadyRunning: another process has this home.
        EmbeddedError: anything else that keeps them from starting; the text says what to do.
    """
    lock = _lock(own_home(home))
    started: list[EmbeddedPostgreSQL | EmbeddedValkey] = []
    try:
        place = find_place(home)
        servers = EmbeddedServers(
            EmbeddedPostgreSQL(place) if postgresql else None,
            EmbeddedValkey(place) if valkey else None,
            place.data,
            lock,
        )
        for server in (servers.postgresql, servers.valkey):
            if server is not None:
                started.append(server)
                server.start()
    except BaseException:
        for server in started:
            server.stop()
        os.close(lock)
        raise
    return servers


def jwt_secret(home: Path) -> str:
    """The secret of this home, made the first time and kept: tokens stay good over a restart."""
    file = own_home(home) / "jwt-secret"
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        part = file.with_name(f".jwt-secret.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
            output.write(f"{secrets.token_urlsafe(48)}\n")
            output.flush()
            os.fsync(output.fileno())
        try:
            os.link(part, file)  # another process may have been first: then its secret is the one
        except FileExistsError:
            pass
        finally:
            part.unlink()
        return file.read_text().strip()


def running_process(home: Path) -> int | None:
    """The process that runs the servers of this home. None: nobody does, or it is not ours to look at."""
    try:
        lock = os.open(home.expanduser() / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(lock, 32, 0) or 0)
    finally:
        os.close(lock)
    return None


def urls_of(home: Path) -> tuple[str, str]:
    """The URLs of PostgreSQL and Valkey that another process runs in this home.

    Raises:
        EmbeddedError: nobody does.
    """
    if running_process(home) is None:
        raise EmbeddedError(
            "Our own PostgreSQL runs while `usher serve` does, and it does not. Start it, or set DATABASE_URL."
        )
    place = find_place(home)
    return EmbeddedPostgreSQL(place).url, EmbeddedValkey(place).url


def remove_data(home: Path) -> list[Path]:
    """Remove all that was made in a home, and nothing else; what stays empty goes too.

    Returns:
        The directories that the data was in.

    Raises:
        AlreadyRunning: somebody uses it.
    """
    lock = _lock(own_home(home))
    try:
        place = find_place(home)
        EmbeddedPostgreSQL(place).end_orphan()
        EmbeddedValkey(place).end_orphan()
        for directory in {place.home, place.data}:
            _remove_from(directory, place)
        (place.home / "lock").unlink(missing_ok=True)
        for directory in (place.data, place.home):
            if directory.exists() and not any(directory.iterdir()):
                directory.rmdir()
        return sorted({place.home, place.data})
    finally:
        os.close(lock)


def _remove_from(directory: Path, place: Place) -> None:
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    for one in (*(directory / name for name in _DIRECTORIES), place.sockets):
        if one.exists():
            shutil.rmtree(one)


def _lock(home: Path) -> int:
    """Take the home's lock; the kernel gives it back when we end, however we end."""
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
        os.close(lock)
        raise AlreadyRunning(
            f"Usher already runs in {home} (process {owner or 'unknown'}): "
            "stop it, or give this one a home of its own: USHER_HOME=.usher-2 make run"
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
