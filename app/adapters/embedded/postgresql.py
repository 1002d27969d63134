"""The embedded PostgreSQL: a child process, durable, reachable only through a private Unix socket.

There is no TCP port and no password: no other user of the machine can access the directory of the socket. PostgreSQL
stops with Usher, by a fast shutdown. One that a killed Usher left running is stopped before the next start.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import EmbeddedError
from app.adapters.embedded.place import Place
from app.adapters.embedded.process import (
    end_orphans,
    how_it_ended,
    identity,
    processes_in,
    run,
    start,
    stop,
    wait_until_ready,
)
from app.adapters.embedded.programs import PostgreSQLPrograms, postgresql_programs

ROLE: Final = "usher"
DATABASE: Final = "usher"
_PORT: Final = 5432  # only the name of the socket
_READY_SECONDS: Final = 120  # recovery after a crash takes its time
# Fast shutdown (connections are ended, all is written), immediate shutdown (the next start recovers), the end.
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
_SETTINGS: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    # What somebody wrote is in no log: no details of errors, and no parameters.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


_ACCESS: Final = "# No password is needed: only the account of Usher can access the socket.\nlocal all all trust\n"


class EmbeddedPostgreSQL:
    """One PostgreSQL with one data directory. Only the holder of the home's lock may create one."""

    name = "PostgreSQL"

    def __init__(self, place: Place) -> None:
        self._place = place
        self._data = place.data / "postgresql"
        self._log = place.data / "postgresql.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._made: tuple[int, int] | None = None
        """The data directory that it was started with."""

    @property
    def url(self) -> str:
        """The URL for SQLAlchemy; without `+asyncpg`, for asyncpg."""
        return f"postgresql+asyncpg://{ROLE}@/{DATABASE}?host={self._place.sockets}&port={_PORT}"

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster; None if it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """The log file."""
        return self._log

    @property
    def ended(self) -> str | None:
        """How it has ended by itself; None: it runs, or it was stopped."""
        code = self._process.poll() if self._process is not None else None
        return None if code is None else how_it_ended(code)

    @property
    def is_within_reach(self) -> bool:
        """Whether its socket is there. Somebody may have tidied up /tmp."""
        return self._socket.exists()

    def must_be_whole(self) -> None:
        """Raises EmbeddedError if the data is not there any more with which it was started."""
        if self._made is None:
            return
        control = self._data / "global" / "pg_control"
        if identity(self._data) != self._made or identity(control) is None:
            raise EmbeddedError(f"The data of PostgreSQL is gone: {self._data} was deleted while it ran.")

    def start(self) -> None:
        """Start it and wait until it accepts connections. The first start creates the database.

        If it is running already, nothing happens.

        Raises:
            EmbeddedError: it does not start; the text says why.
        """
        if self.pid is not None:
            return
        self.must_be_whole()
        self._place.account.own(self._place.sockets)
        programs = postgresql_programs(self._place.account)
        self._end_orphan()
        if not self._data.exists():
            self._create(programs)
        self._check_version(programs)
        access = self._place.data / "pg_hba.conf"
        if not access.exists() or access.read_text() != _ACCESS:  # a full disk is no reason not to start again
            access.write_text(_ACCESS)
        access.chmod(0o644)
        settings = _SETTINGS | {"unix_socket_directories": str(self._place.sockets), "hba_file": str(access)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = start(
            [str(programs.directory / "postgres"), "-D", str(self._data), *options],
            account=self._place.account,
            directory=self._data,
            log=self._log,
            death_signal=signal.SIGINT,
        )
        wait_until_ready(self._process, self._is_ready, log=self._log, name=self.name, seconds=_READY_SECONDS)
        self._made = identity(self._data)

    def stop(self) -> None:
        """Stop it by a fast shutdown: the next start needs no recovery. If it is not running, nothing happens."""
        if self._process is not None:
            self.resume()  # a paused process does not get the signal
            stop(self._process, _STOP_SIGNALS, seconds=20)
            self._process = None

    def kill(self) -> None:
        """Simulate a crash: `kill -9` of all its processes at once."""
        self._signal_all(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from answering, without closing its connections (SIGSTOP)."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue after `pause`."""
        self._signal_all(signal.SIGCONT)

    def end_orphan(self) -> None:
        """Stop what an earlier run left running here."""
        self._end_orphan()

    def _create(self, programs: PostgreSQLPrograms) -> None:
        """Create the data directory. It gets its name last, so that one that was left half-made counts as none."""
        half = self._place.data / "postgresql.half"
        end_orphans(half, None, (signal.SIGKILL,), seconds=10)
        shutil.rmtree(half, ignore_errors=True)
        self._place.account.own(half)
        locale = ["--locale=C.UTF-8"]
        if programs.major >= 17:  # the same order and cases everywhere, whatever the system knows of locales
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb = [str(programs.directory / "initdb"), "-D", str(half), "-U", ROLE, "--auth=trust", "--encoding=UTF8"]
        run([*initdb, *locale, "--no-instructions"], account=self._place.account, directory=half)
        alone = [str(programs.directory / "postgres"), "--single", "-D", str(half), "postgres"]
        run(alone, account=self._place.account, directory=half, text=f"CREATE DATABASE {DATABASE};\n")
        half.rename(self._data)

    def _check_version(self, programs: PostgreSQLPrograms) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        if made_by != str(programs.major):
            raise EmbeddedError(
                f"{self._data} was made by PostgreSQL {made_by}, but this is PostgreSQL {programs.major}. "
                "`make reset` deletes it, with all its data."
            )

    def _end_orphan(self) -> None:
        end_orphans(self._data, self._named_pid(), _STOP_SIGNALS, seconds=20)
        # Nothing runs here now: the process id in the file is stale, even if another process has got that number.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for stale in self._place.sockets.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    @property
    def _socket(self) -> Path:
        return self._place.sockets / f".s.PGSQL.{_PORT}"

    def _is_ready(self) -> bool:
        lines, process = self._pid_file(), self._process
        is_ours = process is not None and lines[:1] == [str(process.pid)]
        return is_ours and len(lines) > 7 and lines[7].strip() == "ready"

    def _named_pid(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].isdigit() else None

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _signal_all(self, one: signal.Signals) -> None:
        for pid in processes_in(self._data, self.pid):
            try:
                os.kill(pid, one)
            except ProcessLookupError:
                continue
