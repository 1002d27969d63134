"""A program that has loaded Usher and starts it as often as it is asked: `python -m tests.loaded FD`.

To load Usher takes a second of a processor, to fork somebody who has loaded it some milliseconds. The process that is
forked is one like any other: it serves, listens and is killed by itself, with an environment and an output of its own.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from typing import Final, NoReturn

from app.__main__ import main

# What `usher serve` loads in its first moments, beside what these load themselves.
_WANTED: Final = (
    *("app.server.commands", "app.main", "uvloop", "uvicorn.loops.uvloop", "uvicorn.lifespan.on"),
    *("sqlalchemy.dialects.postgresql.asyncpg", "alembic.command", "alembic.runtime.migration"),
)


def start_those_who_are_asked_for(asked: socket.socket) -> None:
    """Until nobody asks any more. A message is the environment, with the output and the error output; the answer is the
    id of the process. Those who have ended stay in the list of processes until the next one is asked for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then ask no more
    for module in _WANTED:
        importlib.import_module(module)
    assert threading.active_count() == 1, "a thread is not forked along"
    gc.collect()
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(asked, 1 << 20, 2)
        if not message:
            return
        _reap()
        process = os.fork()
        if process == 0:
            asked.close()
            _serve(json.loads(message), *files)
        for file in files:
            os.close(file)
        asked.send(str(process).encode())


def _serve(environment: dict[str, str], output: int, error: int) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(output, 1)
        os.dup2(error, 2)
        os.close(output)
        os.close(error)
        os.environ.clear()
        os.environ.update(environment)
        code = main(["serve"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        start_those_who_are_asked_for(connection)
