"""`usher serve`: start what was not given, bring the schema up to date, listen, and stop in good order what it started.

The parent process owns the address and the embedded servers; workers are its children and end with it. Settings reach
them through the environment, which this module alone may write.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from app.adapters.embedded import EmbeddedError, EmbeddedServers, jwt_secret, running_process, start_servers
from app.adapters.embedded.process import die_with_parent
from app.db.migrations import upgrade
from app.server.gc_freezing import Sparing
from app.server.http_protocol import BoundedHttp
from app.server.listening import bound, for_workers
from app.server.websocket_protocol import LiveSocket
from app.settings import EXIT_BAD_SETTING, Settings, read_settings

GRACE_SECONDS: Final = 10  # what a request under way may still take when we are told to stop
_WEBSOCKET_MAX: Final = 64 * 1024
_DEAD_PEER_SECONDS: Final = 60.0  # a socket's other end is asked so often whether it is still there
_FILES_MAX: Final = 65_536


class CannotServe(Exception):
    """Why the service does not start, in words for whoever started it."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def serve(settings: Settings) -> int:
    """Serve until told to stop.

    Returns:
        The exit code: 0 after a stop that was asked for, 1 or 3 when it could not start.
    """
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        with _listening(settings) as listener, _servers(settings) as servers:
            settings = _complete(settings, servers)
            _prepare(settings, with_demo=servers.postgresql is not None if servers else False)
            return _run(settings, listener, _banner(settings, listener, servers))
    except (CannotServe, EmbeddedError) as reason:
        print(reason, file=sys.stderr)
        return reason.exit_code if isinstance(reason, CannotServe) else 1
    except KeyboardInterrupt:
        return 0


def worker() -> FastAPI:
    """The application, for one worker: a child that ends with its parent, even when that was killed."""
    if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
        die_with_parent(signal.SIGTERM, parent.pid)
    from app.main import create_app  # here, and not above: the parent never needs the application

    app = create_app()
    Sparing().start()
    return app


class _OneWorker(Server):
    """A server that says where it is as soon as it is there."""

    def __init__(self, config: Config, banner: str) -> None:
        super().__init__(config)
        self._banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._banner, flush=True)


class _ManyWorkers(Multiprocess):
    """Workers that say once where they are, as soon as all of them are there."""

    def __init__(self, config: Config, sockets: list[socket.socket], banner: str) -> None:
        super().__init__(config, sockets)
        self._banner = banner
        self.failed = False
        """A worker ended before it was there: none can start."""

    def init_processes(self) -> None:
        super().init_processes()
        waiting = list(self.processes)
        while waiting and not self.should_exit.is_set():
            self.handle_signals()
            if any(process.exitcode is not None for process in waiting):
                self.failed = True
                self.should_exit.set()
            waiting = [process for process in waiting if not process.wait_until_ready(1, self.should_exit)]
        if not waiting:
            print(self._banner, flush=True)


def _open_as_many_as_allowed() -> None:
    """Every connection is a file, and the usual limit of 1,024 is meant to be raised by programs that need more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # it is worth a try, no more
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _run(settings: Settings, listener: socket.socket, banner: str) -> int:
    _open_as_many_as_allowed()
    config = Config(
        "app.server.serving:worker",
        factory=True,
        workers=settings.web_concurrency,
        loop="uvloop",
        http=BoundedHttp,
        ws=LiveSocket,
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
    )
    if settings.web_concurrency > 1:
        workers = _ManyWorkers(config, [for_workers(listener)], banner)
        workers.run()
        ended_badly = workers.failed or any(process.exitcode == EXIT_BAD_SETTING for process in workers.processes)
        return EXIT_BAD_SETTING if ended_badly else 0
    server = _OneWorker(config, banner)
    with contextlib.suppress(KeyboardInterrupt):  # the signal that stopped it, told once more
        server.run([listener])
    return 0 if server.started else EXIT_BAD_SETTING


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The address to listen on, taken before anything else is started; nobody is answered yet."""
    host, port = settings.host, settings.port
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(bound(host, port))
        except socket.gaierror as error:
            raise CannotServe(f"HOST={host} is not allowed: {error.strerror}", EXIT_BAD_SETTING) from None
        except PermissionError:
            raise CannotServe(f"Port {port} is for root only. Choose another: PORT=8000 make run") from None
        except OSError as error:
            if (owner := running_process(settings.usher_home)) is not None:
                raise CannotServe(f"Usher already runs here (process {owner}); port {port} is taken.") from None
            raise CannotServe(
                f"Port {port} on {host} cannot be had ({error.strerror}). Choose another: PORT={port + 1} make run"
            ) from None
        yield listener


@contextlib.contextmanager
def _servers(settings: Settings) -> Iterator[EmbeddedServers | None]:
    """The servers that no URL was given for, running; stopped at the end, whatever the end is."""
    if settings.database_url is not None and settings.redis_url is not None:
        yield None
        return
    servers = start_servers(
        settings.usher_home, postgresql=settings.database_url is None, valkey=settings.redis_url is None
    )
    try:
        yield servers
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatience must not leave them half-stopped
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        servers.stop()


def _complete(settings: Settings, servers: EmbeddedServers | None) -> Settings:
    """The settings with what we started; put into the environment, where the workers look for theirs."""
    if servers is not None:
        os.environ["DATABASE_URL"] = settings.database_url or servers.database_url or ""
        os.environ["REDIS_URL"] = settings.redis_url or servers.redis_url or ""
        if settings.is_embedded:
            os.environ.setdefault("RATE_LIMITS", "off")
        os.environ["JWT_SECRET"] = settings.jwt_secret or jwt_secret(settings.usher_home)
    return read_settings()


def _prepare(settings: Settings, *, with_demo: bool) -> None:
    """Bring the schema up to date and, in a database of our own, the demo theaters."""
    try:
        asyncio.run(_migrate(settings, with_demo=with_demo))
    except (OSError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        raise CannotServe(f"PostgreSQL cannot be used: {str(cause).splitlines()[0]}") from error


async def _migrate(settings: Settings, *, with_demo: bool) -> None:
    url = settings.database_url or ""
    await upgrade(url)
    if with_demo:
        from app.services.house.demo import load_demo

        engine = create_async_engine(url)
        try:
            await load_demo(engine, datetime.now(UTC), settings, with_people=True)
        finally:
            await engine.dispose()


def _banner(settings: Settings, listener: socket.socket, servers: EmbeddedServers | None) -> str:
    port = listener.getsockname()[1]
    everywhere = settings.host in {"0.0.0.0", "::"}
    shown = "127.0.0.1" if everywhere else settings.host
    url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    lines = ["", f"Usher is ready: {url}" + (" (and every other address of this machine)" if everywhere else "")]
    lines += [f"  API and examples  {url}/docs"]
    if servers is not None and servers.postgresql is not None:
        lines += [
            f'  Hold a seat       curl --json \'{{"seats": ["A1"]}}\' {url}/screenings/1/reservations',
            f"  See it            curl {url}/screenings/1/availability",
            f"  Sign in           demo or organizer, both with the password {settings.demo_password}",
        ]
    data = _shown(servers.data) if servers is not None else ""
    own_postgresql = servers is not None and servers.postgresql is not None
    own_valkey = servers is not None and servers.valkey is not None
    lines += [
        f"  PostgreSQL        {f'our own, in {data}' if own_postgresql else 'as given in DATABASE_URL'}",
        f"  Valkey            {f'our own, in {data}' if own_valkey else 'as given in REDIS_URL'}",
        f"  Workers           {settings.web_concurrency}",
        f"  Rate limits       {'on' if settings.rate_limits else 'off (RATE_LIMITS=on make run)'}",
        "  Stop              Ctrl-C" + (" (the data stays; `make reset` removes it)" if own_postgresql else ""),
        "",
    ]
    return "\n".join(lines)


def _shown(path: Path) -> str:
    """A path as somebody in this directory would write it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
