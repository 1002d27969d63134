"""The embedded Valkey: a child process, reachable only through a private Unix socket. It writes nothing to disk."""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Final

from app.adapters.embedded.place import Place
from app.adapters.embedded.process import end_orphans, how_it_ended, start, stop, wait_until_ready
from app.adapters.embedded.programs import valkey_program

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGKILL)
_SETTINGS: Final = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "set-proc-title": "no",
    "daemonize": "no",
}


class EmbeddedValkey:
    """One Valkey. Only the holder of the home's lock may create one."""

    name = "Valkey"

    def __init__(self, place: Place) -> None:
        self._place = place
        self._directory = place.data / "valkey"
        self._log = place.data / "valkey.log"
        self._socket = place.sockets / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for redis-py."""
        return f"unix://{self._socket}?db=0"

    @property
    def pid(self) -> int | None:
        """Its process id; None if it is not running."""
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
        """It has no data that could be gone."""

    def start(self) -> None:
        """Start it, empty, and wait until it accepts connections. If it is running already, nothing happens.

        Raises:
            EmbeddedError: it does not start; the text says why.
        """
        if self.pid is not None:
            return
        program = valkey_program(self._place.account)
        self._place.account.own(self._place.sockets)
        self._place.account.own(self._directory)
        self.end_orphan()
        settings = _SETTINGS | {"unixsocket": str(self._socket)}
        self._process = start(
            [str(program), *(word for name, value in settings.items() for word in (f"--{name}", value))],
            account=self._place.account,
            directory=self._directory,
            log=self._log,
            death_signal=signal.SIGTERM,
        )
        with contextlib.suppress(OSError):  # a full disk: it is found without
            (self._place.data / "valkey.pid").write_text(f"{self._process.pid}\n")
        wait_until_ready(self._process, self._is_ready, log=self._log, name=self.name, seconds=30)

    def stop(self) -> None:
        """Stop it; its data is lost. If it is not running, nothing happens."""
        if self._process is not None:
            stop(self._process, _STOP_SIGNALS, seconds=5)
            self._process = None

    def kill(self) -> None:
        """Simulate a crash (`kill -9`)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from answering, without closing its connections (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue after `pause`."""
        self._signal(signal.SIGCONT)

    def end_orphan(self) -> None:
        """Stop what an earlier run left running here."""
        end_orphans(self._directory, self._named_pid(), _STOP_SIGNALS, seconds=5)
        self._socket.unlink(missing_ok=True)

    def _is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(1)
            try:
                caller.connect(str(self._socket))
                caller.sendall(b"PING\r\n")
                return caller.recv(16) == b"+PONG\r\n"
            except OSError:
                return False

    def _named_pid(self) -> int | None:
        try:
            return int((self._place.data / "valkey.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _signal(self, one: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            os.kill(pid, one)
