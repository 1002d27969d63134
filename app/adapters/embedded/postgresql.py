"""PostgreSQL as a child process: nothing acknowledged is lost, and only a private socket leads to it.

There is no TCP port and no password: the directory of the socket is closed to every other user of the machine, and that
is the lock on the door. Ours ends with us, by a fast shutdown; an orphan of a killed run ends before the next start.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import EmbeddedError
from app.adapters.embedded.place import Place
from app.adapters.embedded.process import end_orphans, processes_in, run, start, stop, wait_until_ready
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
}


class EmbeddedPostgreSQL:
    """One PostgreSQL with one data directory. Whoever makes one holds the lock of its home."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._data = place.data / "postgresql"
        self._log = place.data / "postgresql.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For SQLAlchemy; without `+asyncpg`, for asyncpg."""
        return f"postgresql+asyncpg://{ROLE}@/{DATABASE}?host={self._place.sockets}&port={_PORT}"

    @property
    def pid(self) -> int | None:
        """The chief process, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """Where it writes what it has to say."""
        return self._log

    def start(self) -> None:
        """Start it and wait until it takes connections; the first time, make the database. Running already: nothing.

        Raises:
            EmbeddedError: it does not start; the text says why.
        """
        if self.pid is not None:
            return
        programs = postgresql_programs(self._place.account)
        self._end_orphan()
        if not self._data.exists():
            self._create(programs)
        self._check_version(programs)
        access = self._place.data / "pg_hba.conf"
        access.write_text(
            "# Whoever gets to the socket may come in: its directory is closed to others.\nlocal all all trust\n"
        )
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
        wait_until_ready(self._process, self._is_ready, log=self._log, name="PostgreSQL", seconds=_READY_SECONDS)

    def stop(self) -> None:
        """Stop it in good order: everything is on disk, the next start has nothing to recover. Not running: nothing."""
        if self._process is not None:
            self.resume()  # who is paused does not hear it
            stop(self._process, _STOP_SIGNALS, seconds=20)
            self._process = None

    def kill(self) -> None:
        """End it as a crash would: `kill -9` of everything at once."""
        self._signal_all(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from answering, its connections included, without closing them."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal_all(signal.SIGCONT)

    def end_orphan(self) -> None:
        """End what an earlier run left running here."""
        self._end_orphan()

    def _create(self, programs: PostgreSQLPrograms) -> None:
        """Make the data directory, and give it its name when it is whole: killed half-way, it counts as none."""
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
                f"{self._data} was made by PostgreSQL {made_by}, and this one is {programs.major}. "
                "`make reset` removes it, with all that is in it."
            )

    def _end_orphan(self) -> None:
        end_orphans(self._data, self._named_pid(), _STOP_SIGNALS, seconds=20)
        # Nothing works here any more: what names a process is out of date, even if that number is in use again by now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for stale in self._place.sockets.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        lines = self._pid_file()
        return (
            len(lines) > 7
            and lines[7].strip() == "ready"
            and self._process is not None
            and lines[0] == str(self._process.pid)
        )

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
