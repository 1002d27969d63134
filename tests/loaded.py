"""A program that has loaded Usher and starts it as often as it is asked: `python -m tests.loaded FD`.

To load Usher takes two seconds of a processor, to fork somebody who has loaded it some milliseconds. The process that
is forked is one like any other: it serves, listens and is killed by itself, with an environment and output of its own.
Only its application is made before: the routes are the same in all, and `usher serve` asks for one as it always does.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from secrets import token_hex
from typing import Final, NoReturn

from fastapi import FastAPI

import app.main
from app.__main__ import main
from app.settings import Settings, settings_or_exit

# What `usher serve` loads in its first moments, beside what these load themselves.
_WANTED: Final = (
    *("app.server.commands", "app.server.serving", "app.server.protocols.http_protocol"),
    *("app.server.protocols.websocket_protocol", "uvloop", "uvicorn.loops.uvloop", "uvicorn.lifespan.on"),
    *("sqlalchemy.dialects.postgresql.asyncpg", "valkey"),  # Valkey's own client: rate limits look whether it is there
)


def start_those_who_are_asked_for(asked: socket.socket) -> None:
    """Until nobody asks any more. A message is the environment, with the output and the error output; the answer is the
    id of the process. Those who have ended stay in the list of processes until the next one is asked for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then ask no more
    for module in _WANTED:
        importlib.import_module(module)
    _hand_out(_made())
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
