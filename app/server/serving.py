"""`usher serve`: start the embedded servers where no URL is set, upgrade the schema, run the workers, stop in order.

The parent process owns the listening socket and the embedded servers. Workers are its children and end with it. They
get their settings from environment variables, which only this module writes.
"""

import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import resource
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from uvicorn import Config

from app import logs
from app.adapters.embedded import EmbeddedError, EmbeddedServers, Tender, jwt_secret, running_process, start_servers
from app.adapters.embedded.process import die_with_parent
from app.db.connections import ANSWERS_WITHIN_SECONDS, NotDurable, call, must_be_durable, open_for_command
from app.db.fitness import NotFit, must_be_fit
from app.db.migrations import CannotMigrate, upgrade
from app.loading import nothing_to_collect
from app.logs import JsonLines
from app.server.advice import reason_in_a_line, with_advice
from app.server.gc_freezing import Sparing
from app.server.listening import bound, for_workers
from app.server.workers import ManyWorkers, OneWorker
from app.settings import EXIT_BAD_SETTING, LogFormat, Settings, read_settings, set_for_workers
from app.urls import postgresql

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.services.house.demo import SeatToTry

GRACE_SECONDS: Final = 10  # the timeout of running requests at shutdown
_WEBSOCKET_MAX: Final = 64 * 1024
_DEAD_PEER_SECONDS: Final = 60.0  # the interval of WebSocket pings
_FILES_MAX: Final = 65_536
_SWITCH_SECONDS: Final = 0.001
"""A thread with something large gives the interpreter away so soon: each step of the loop waits for it. (*Measured*:
Python's usual five times as much made a house of 50,000 seats hold the others for 15 to 19 ms, this 7 to 9.)"""


class CannotServe(Exception):
    """The service cannot start. The text tells the operator why, and what to do."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM.

    Returns:
        The exit code: 0 after a normal stop, 1 if the service could not start or go on, 3 if a setting was the reason.
    """
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    logs.set_up(settings)
    try:
        with _listening(settings) as listener, _servers(settings) as servers, _shared_figures(settings):
            settings = _complete(settings, servers)
            to_try = _prepare(settings, with_demo=servers.postgresql is not None if servers else False)
            return _run(settings, listener, _banner(settings, listener, servers, to_try), servers)
    except (CannotServe, EmbeddedError) as reason:
        say(str(reason), settings)
        return reason.exit_code if isinstance(reason, CannotServe) else 1
    except KeyboardInterrupt:
        return 0


def say(text: str, settings: Settings, level: int = logging.ERROR, *, serves: bool = True) -> None:
    """Say to an operator why it does not serve, or what looks wrong: one line, in the format of the log.

    `serves`: a log begins here. What other commands have to say is text, unless LOG_FORMAT says otherwise.
    """
    if logs.is_json(settings) if serves else settings.log_format is LogFormat.JSON:
        text = JsonLines().format(logging.LogRecord(__name__, level, __file__, 0, text, None, None))
    print(text, file=sys.stderr)


def worker() -> "FastAPI":
    """The application of one worker: a child process that ends with its parent, even if that is killed."""
    if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
        die_with_parent(signal.SIGTERM, parent.pid)
    with nothing_to_collect():
        from app.main import create_app  # here, and not above: the parent never needs the application

        app = create_app()
        Sparing().start()
    sys.setswitchinterval(_SWITCH_SECONDS)
    return app


def _open_as_many_as_allowed() -> None:
    """Raise the limit of open files: each connection is one, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # it is worth a try, no more
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _run(settings: Settings, listener: socket.socket, banner: str, servers: EmbeddedServers | None) -> int:
    _open_as_many_as_allowed()
    config = Config(
        "app.server.serving:worker",
        factory=True,
        workers=settings.web_concurrency,
        loop="uvloop",
        http="app.server.protocols.http_protocol:BoundedHttp",
        ws="app.server.protocols.websocket_protocol:LiveSocket",
        ws_max_size=_WEBSOCKET_MAX,
        ws_per_message_deflate=False,
        ws_ping_interval=_DEAD_PEER_SECONDS,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is read at the edge, from TRUSTED_PROXIES alone
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=2048,
        timeout_keep_alive=settings.keep_alive_seconds,
    )
    if settings.web_concurrency > 1:
        workers = ManyWorkers(config, [for_workers(listener)], banner)
        with _tended(servers, workers.leave):
            workers.run()
        ended_badly = workers.failed or any(process.exitcode == EXIT_BAD_SETTING for process in workers.processes)
        return EXIT_BAD_SETTING if ended_badly else 0
    server = OneWorker(config, banner)
    try:
        with _tended(servers, server.leave):
            server.run([listener])
    except KeyboardInterrupt:  # uvicorn raises the signal that stopped it again
        return 0
    return 0 if server.started else EXIT_BAD_SETTING


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The socket to listen on, bound before anything else is started; it does not accept connections yet.

    Raises:
        CannotServe: the address is not available.
    """
    host, port = settings.host, settings.port
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(bound(host, port))
        except socket.gaierror as error:
            raise CannotServe(f"HOST={host} is not allowed: {error.strerror}", EXIT_BAD_SETTING) from None
        except PermissionError:
            raise CannotServe(f"Port {port} is reserved for root. Choose another: PORT=8000 make run") from None
        except OSError as error:
            if (owner := running_process(settings.usher_home)) is not None:
                reason = f"Port {port} is in use: Usher is already running here (process {owner}). Stop it first."
                raise CannotServe(reason) from None
            raise CannotServe(
                f"Port {port} on {host} is not available ({error.strerror}). Choose another: PORT={port + 1} make run"
            ) from None
        yield listener


@contextlib.contextmanager
def _servers(settings: Settings) -> Iterator[EmbeddedServers | None]:
    """The embedded servers, running, for each URL that is not set; None if both are. Stopped at the end in any case."""
    if settings.database_url is not None and settings.redis_url is not None:
        yield None
        return
    servers = start_servers(
        settings.usher_home, postgresql=settings.database_url is None, valkey=settings.redis_url is None
    )
    try:
        yield servers
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave them half-stopped
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        servers.stop()


@contextlib.contextmanager
def _tended(servers: EmbeddedServers | None, leave: Callable[[], None]) -> Iterator[None]:
    """While the block lasts, an embedded server that ends is started again. If that cannot be done, `leave` is called.

    Raises:
        CannotServe: after that, and says why.
    """
    if servers is None:
        yield
        return
    tender = Tender(servers, leave)
    tender.start()
    try:
        yield
    finally:
        tender.stop()
        if tender.reason is not None:
            raise CannotServe(tender.reason)


@contextlib.contextmanager
def _shared_figures(settings: Settings) -> Iterator[None]:
    """A directory for the figures of several workers: METRICS_DIRECTORY, or a new one that they are told."""
    if settings.web_concurrency == 1:
        os.environ.pop("METRICS_DIRECTORY", None)
        yield
    elif settings.metrics_directory is not None:
        settings.metrics_directory.mkdir(parents=True, exist_ok=True)
        for earlier in settings.metrics_directory.glob("*.json"):
            earlier.unlink()
        yield
    else:
        with tempfile.TemporaryDirectory(prefix="usher-metrics-") as directory:
            os.environ["METRICS_DIRECTORY"] = directory
            yield


def _complete(settings: Settings, servers: EmbeddedServers | None) -> Settings:
    """The settings with the URLs of the embedded servers, also written into the environment for the workers."""
    if servers is not None:
        if settings.is_embedded:
            os.environ.setdefault("RATE_LIMITS", "off")
        set_for_workers(
            {
                "DATABASE_URL": settings.database_url or servers.database_url or "",
                "REDIS_URL": settings.redis_url or servers.redis_url or "",
                "JWT_SECRET": settings.jwt_secret or jwt_secret(settings.usher_home),
            }
        )
    return read_settings()


def _prepare(settings: Settings, *, with_demo: bool) -> "SeatToTry | None":
    """Upgrade the schema and, with the embedded PostgreSQL, load the demo theaters.

    Returns:
        A seat of the demo that can be held now, for the banner; None if there is none.

    Raises:
        CannotServe: PostgreSQL is not reachable, refuses, is not durable, cannot be written, is not in UTF-8, or has a
            schema of a newer release.
    """
    if advice := postgresql.read(settings.database_url or "").advice:
        say(advice, settings, logging.WARNING)
    try:
        return asyncio.run(_migrate(settings, with_demo=with_demo))
    except (CannotMigrate, NotDurable) as reason:
        raise CannotServe(str(reason)) from reason
    except NotFit as reason:
        raise CannotServe(str(reason), EXIT_BAD_SETTING) from reason
    except (OSError, SQLAlchemyError, asyncpg.PostgresError) as error:
        raise CannotServe(f"PostgreSQL cannot be used: {with_advice(error)}") from error


async def _migrate(settings: Settings, *, with_demo: bool) -> "SeatToTry | None":
    url = settings.database_url or ""
    engine = open_for_command(url)
    try:
        await must_be_durable(engine)
        if settings.migrations_database_url is None:
            await must_be_fit(engine)
        await upgrade(settings.migrations_database_url or url)
        await must_be_fit(engine)
        await _try_as_workers_do(settings)
        if not with_demo:
            return None
        from app.services.house.demo import load_demo, seat_to_try

        await load_demo(engine, datetime.now(UTC), settings, with_people=True)
        return await seat_to_try(engine)
    finally:
        await engine.dispose()


async def _try_as_workers_do(settings: Settings) -> None:
    """Connect once as the workers will: what there is to refuse is refused now. Raises CannotServe if a pooler does."""
    try:
        async with call(settings, ANSWERS_WITHIN_SECONDS):
            pass
    except asyncpg.ProtocolViolationError as refused:
        if not settings.statement_cache_size:
            raise
        raise CannotServe(
            f"PostgreSQL cannot be used: {reason_in_a_line(refused)}. "
            "If DATABASE_URL leads to a connection pooler, set STATEMENT_CACHE_SIZE=0.",
            EXIT_BAD_SETTING,
        ) from refused


def _banner(
    settings: Settings, listener: socket.socket, servers: EmbeddedServers | None, to_try: "SeatToTry | None"
) -> str:
    port = listener.getsockname()[1]
    everywhere = settings.host in {"0.0.0.0", "::"}
    shown = "127.0.0.1" if everywhere else settings.host
    url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    lines = ["", f"Usher is ready: {url}" + (" (and every other address of this machine)" if everywhere else "")]
    page = url if to_try is None else f"{url}/book/{to_try.screening_id}"
    lines += [f"  Choose seats      {page}", f"  API and examples  {url}/docs"]
    if to_try is not None:
        screening, body = f"{url}/screenings/{to_try.screening_id}", json.dumps({"seats": [to_try.label]})
        lines += [
            f"  Hold a seat       curl --json {shlex.quote(body)} {screening}/reservations",
            f"  See it            curl {screening}/availability",
        ]
    if servers is not None and servers.postgresql is not None:
        lines += [
            f"  Sign in           as demo, organizer or admin, with the password {settings.demo_password}",
        ]
    data = _shown(servers.data) if servers is not None else ""
    own_postgresql = servers is not None and servers.postgresql is not None
    own_valkey = servers is not None and servers.valkey is not None
    lines += [
        f"  PostgreSQL        {f'embedded, data in {data}' if own_postgresql else 'from DATABASE_URL'}",
        f"  Valkey            {f'embedded, data in {data}' if own_valkey else 'from REDIS_URL'}",
        f"  Workers           {settings.web_concurrency}",
        f"  Rate limits       {'on' if settings.rate_limits else 'off (RATE_LIMITS=on make run)'}",
        "  Stop              Ctrl-C" + (" (the data is kept; `make reset` deletes it)" if own_postgresql else ""),
        "",
    ]
    return "\n".join(lines)


def _shown(path: Path) -> str:
    """The path, relative to the current directory if it is inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
