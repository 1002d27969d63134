"""Both servers of one home (USHER_HOME), under its lock: the holder may stop what an earlier run left running there."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import EmbeddedError
from app.adapters.embedded.place import Place, find_place, own_home
from app.adapters.embedded.postgresql import EmbeddedPostgreSQL
from app.adapters.embedded.valkey import EmbeddedValkey

# All that we ever create in a home: `remove_data` deletes nothing else.
_FILES: Final = ("jwt-secret", "pg_hba.conf", "postgresql.log", "valkey.log", "valkey.pid")
_DIRECTORIES: Final = ("postgresql", "postgresql.half", "valkey")


class AlreadyRunning(EmbeddedError):
    """Another Usher is running in this home."""


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """The servers that were started, and the directory of their data.

    Attributes:
        postgresql: PostgreSQL, if it was asked for; can be stopped, paused, killed and started again.
        valkey: the same for Valkey.
        data: the directory of their data.
    """

    postgresql: EmbeddedPostgreSQL | None
    valkey: EmbeddedValkey | None
    data: Path
    _locks: tuple[int, ...] = field(repr=False)

    @property
    def database_url(self) -> str | None:
        """PostgreSQL's URL for SQLAlchemy; without `+asyncpg`, for asyncpg. None: not asked for."""
        return self.postgresql.url if self.postgresql is not None else None

    @property
    def redis_url(self) -> str | None:
        """Valkey's URL for redis-py. None: not asked for."""
        return self.valkey.url if self.valkey is not None else None

    def stop(self) -> None:
        """Stop the servers and release their locks."""
        try:
            for server in (self.valkey, self.postgresql):
                if server is not None:
                    server.stop()
        finally:
            _unlock(self._locks)


def start_servers(home: Path, *, postgresql: bool = True, valkey: bool = True) -> EmbeddedServers:
    """Start the servers of a home, created if it is missing, and wait until they are ready.

    Call this from the main thread (see `process.start`), and stop them when done. If this process ends, they end too.

    Args:
        home: a directory for them alone; its path may have any length and any characters.
        postgresql: whether to start PostgreSQL.
        valkey: whether to start Valkey.

    Raises:
        AlreadyRunning: another Usher is running in this home.
        EmbeddedError: a server cannot start; the text says why, and what to do.
    """
    locks = [_lock(own_home(home))]
    started: list[EmbeddedPostgreSQL | EmbeddedValkey] = []
    try:
        place = find_place(home)
        locks.append(_lock_data(place))
        servers = EmbeddedServers(
            EmbeddedPostgreSQL(place) if postgresql else None,
            EmbeddedValkey(place) if valkey else None,
            place.data,
            tuple(locks),
        )
        for server in (servers.postgresql, servers.valkey):
            if server is not None:
                started.append(server)
                server.start()
    except BaseException:
        for server in started:
            server.stop()
        _unlock(locks)
        raise
    return servers


def jwt_secret(home: Path) -> str:
    """The JWT secret of this home, generated the first time and then kept: tokens stay valid after a restart."""
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
    """The id of the process that runs the servers of this home. None: there is none, or we have no access."""
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
    """The URLs of the PostgreSQL and the Valkey that another process runs in this home.

    Raises:
        EmbeddedError: they are not running.
    """
    if running_process(home) is None:
        raise EmbeddedError(
            "The embedded PostgreSQL is not running: it runs while `make run` does. Start that, or set DATABASE_URL."
        )
    place = find_place(home)
    return EmbeddedPostgreSQL(place).url, EmbeddedValkey(place).url


def remove_data(home: Path) -> list[Path]:
    """Delete all that Usher created in a home, and nothing else; the home too if it is empty then.

    Returns:
        The directories that the data was in.

    Raises:
        AlreadyRunning: an Usher is running in this home.
    """
    locks = [_lock(own_home(home))]
    try:
        place = find_place(home)
        locks.append(_lock_data(place))
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
        _unlock(locks)


def _remove_from(directory: Path, place: Place) -> None:
    for name in _FILES:
        (directory / name).unlink(missing_ok=True)
    for one in (*(directory / name for name in _DIRECTORIES), place.sockets):
        if one.exists():
            shutil.rmtree(one)


def _lock_data(place: Place) -> int:
    """Take the lock of the data itself: whoever deletes the file of the home's lock does not free the data.

    Raises:
        AlreadyRunning: another process has it.
    """
    lock = os.open(place.data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AlreadyRunning(
            f"Usher is already running with the data in {place.data}: stop it, or choose another directory: "
            "USHER_HOME=.usher-2 make run"
        ) from None
    return lock


def _unlock(locks: Iterable[int]) -> None:
    for lock in locks:
        os.close(lock)


def _lock(home: Path) -> int:
    """Take the lock of the home. The kernel releases it when this process ends, for whatever reason."""
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
        os.close(lock)
        raise AlreadyRunning(
            f"Usher is already running in {home} (process {owner or 'unknown'}): "
            "stop it, or choose another directory: USHER_HOME=.usher-2 make run"
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
