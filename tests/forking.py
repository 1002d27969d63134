"""Usher's commands as processes, forked from one that has loaded the program: `python -m tests.forking FD`.

To load the program takes longer than most commands. That it is loaded, and how it begins and ends then, other tests
see: those start `python -m app`. What is forked is a process like any other, but for its application, which is made
before: the routes are the same in all, and `usher serve` asks for one as it always does.
"""

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from secrets import token_hex
from select import select
from typing import IO, Final, NoReturn, TypeAlias

from fastapi import FastAPI

import app.main
from app.__main__ import main
from app.settings import Settings, settings_or_exit

# What the commands load in their first moments, beside what these load themselves.
_WANTED: Final = (
    *("app.server.commands", "app.server.serving", "app.server.protocols.http_protocol"),
    *("app.server.protocols.websocket_protocol", "uvloop", "uvicorn.loops.uvloop", "uvicorn.lifespan.on"),
    *("sqlalchemy.dialects.postgresql.asyncpg", "alembic.command", "alembic.runtime.migration"),
    "valkey",  # Valkey's own client: rate limits look whether it is there
)


class Forked:
    """A process, with what tests want of `subprocess.Popen`."""

    def __init__(self, outputs: tuple[IO[str], IO[str] | None], told: IO[str]) -> None:
        self.stdout, self.stderr = outputs
        self._told = told
        self.pid = int(told.readline())
        self.returncode: int | None = None

    def fileno(self) -> int:
        """A file that can be read as soon as it has ended."""
        return self._told.fileno()

    def poll(self) -> int | None:
        """The exit code; None: it runs."""
        return self.wait() if self.returncode is None and select([self], [], [], 0)[0] else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, as soon as it has ended. `timeout`: seconds; then TimeoutExpired."""
        if self.returncode is None:
            if not select([self], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("usher", timeout or 0)
            with self._told as told:
                self.returncode = int(told.readline())
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What is left of what it says and complains, to the end."""
        files = [file for file in (self.stdout, self.stderr) if file is not None and not file.closed]
        with ThreadPoolExecutor(2) as readers:
            said = dict(zip(files, readers.map(lambda file: file.read(), files), strict=True))
        for file in files:
            file.close()
        self.wait(timeout)
        return said.get(self.stdout, ""), said.get(self.stderr, "") if self.stderr else ""

    def send_signal(self, number: int) -> None:
        """To this process, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        for file in (self.stdout, self.stderr, self._told):
            if file is not None:
                file.close()


Started: TypeAlias = "Forked | subprocess.Popen[str]"


class Forker:
    """Starts commands. They run in a session of their own, and go on when nobody forks any more."""

    def __init__(self, loaded: socket.socket) -> None:
        self._loaded = loaded

    def start(self, *words: str, environment: Mapping[str, str], complains_to: int | None = None) -> Forked:
        """One command, with nothing else in its environment. `complains_to`: a file; by default a pipe."""
        said, out = os.pipe()
        complained, error = os.pipe() if complains_to is None else (None, os.dup(complains_to))
        told, tells = os.pipe()
        socket.send_fds(self._loaded, [json.dumps([words, dict(environment)]).encode()], [out, error, tells])
        assert self._loaded.recv(1), "it could not be loaded"
        for file in (out, error, tells):
            os.close(file)
        return Forked((open(said), None if complained is None else open(complained)), open(told))  # noqa: PTH123


@contextmanager
def forking() -> Iterator[Forker]:
    """Somebody who starts commands, as long as the block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            words = (sys.executable, "-m", "tests.forking", str(theirs.fileno()))
            loaded = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        try:
            yield Forker(ours)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            loaded.wait()


# --- in the process that has loaded the program


def start_those_who_are_asked_for(asked: socket.socket) -> None:
    """Until nobody asks any more. A message is the command and its environment, with three files: its output, its error
    output, and one that is told the id of the process and, when it has ended, its exit code.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then ask no more
    for module in _WANTED:
        importlib.import_module(module)
    _hand_out(_made())
    assert threading.active_count() == 1, "a thread is not forked along"
    gc.collect()
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(asked, 1 << 20, 3)
        _reap()
        if not message:
            return
        if os.fork() == 0:
            asked.close()
            _wait_for_it(*json.loads(message), *files)
        for file in files:
            os.close(file)
        asked.send(b"1")


def _made() -> FastAPI:
    """An application with its routes. What it opens, and where, is said by the settings that it is given later."""
    nowhere = "127.0.0.1:1"
    made = app.main.create_app(
        Settings(database_url=f"postgresql://{nowhere}/usher", redis_url=f"redis://{nowhere}", jwt_secret=token_hex(32))
    )
    made.middleware_stack = made.build_middleware_stack()
    return made


def _hand_out(made: FastAPI) -> None:
    """Who is forked gets this application as one of their own, unless their settings ask for other routes."""
    usual: Settings = made.state.settings
    create_app = app.main.create_app

    def handed_out(settings: Settings | None = None) -> FastAPI:
        settings = settings or settings_or_exit()
        if (settings.usher_plain, settings.cors_origins) != (usual.usher_plain, usual.cors_origins):
            return create_app(settings)
        made.state.settings = settings
        return made

    app.main.create_app = handed_out


def _wait_for_it(words: list[str], environment: dict[str, str], output: int, error: int, tells: int) -> NoReturn:
    process = os.fork()
    if process == 0:
        os.close(tells)
        _run(words, environment, output, error)
    os.close(output)
    os.close(error)
    os.write(tells, f"{process}\n".encode())
    ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.write(tells, f"{ended}\n".encode())
    os._exit(0)


def _run(words: list[str], environment: dict[str, str], output: int, error: int) -> NoReturn:
    code: object = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(output, 1)
        os.dup2(error, 2)
        os.close(output)
        os.close(error)
        os.environ.clear()
        os.environ.update(environment)
        try:
            code = main(words)
        except SystemExit as ended:
            code = 0 if ended.code is None else ended.code
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code if isinstance(code, int) else 1)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        start_those_who_are_asked_for(connection)
