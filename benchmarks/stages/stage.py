"""Where a case takes place: servers as `make run` starts them, a database of its own, Usher and its references.

Everything is a child of ours, listens on the loopback or on a private socket, and is gone when we are.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import redis

from app.adapters.embedded import EmbeddedServers, remove_data, start_servers
from app.db.migrations import upgrade
from app.domain.people.people import Person
from app.services.people.revocations import Origin
from app.services.people.tokens import Tokens
from benchmarks import cpu
from benchmarks.load import CannotMeasure, Load, Measured, pgbench, start
from benchmarks.stages import houses
from benchmarks.stages.houses import BUYERS, House, Sale

ROOT: Final = Path(__file__).parents[2]
FASTEST: Final = 10_000  # holds a second; there are seats for so many
_DAY: Final = 86_400
_LOG_KEPT_MB: Final = 512  # of PostgreSQL's write-ahead log
_READY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: so many rounds of so many seconds for each side, after a round that is not counted."""

    rounds: int
    seconds: int

    @property
    def holds(self) -> int:
        """How many holds one side can make at most in a case."""
        return (self.rounds * self.seconds + self.warm_up + 1) * FASTEST

    @property
    def warm_up(self) -> int:
        """Seconds before the first round."""
        return min(2, self.seconds)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database with buyers in it, and a Valkey of its own."""

    url: str
    redis_url: str
    first_user: int


class Stage:
    """What one case starts; all of it is stopped at the end of the case."""

    def __init__(self, ground: "Ground", effort: Effort, stack: ExitStack) -> None:
        self.effort = effort
        self._ground = ground
        self._stack = stack
        self._pids: dict[str, int] = {}
        self._databases = 0
        self._sales = 0

    def database(self, root: Path = ROOT) -> Database:
        """A new one, as the checkout at `root` migrates it."""
        name = f"benchmark_{secrets.token_hex(4)}"
        self._ground.execute(f"CREATE DATABASE {name} TEMPLATE {self._ground.template(root)}")
        self._stack.callback(self._ground.execute, f"DROP DATABASE {name} WITH (FORCE)")
        self._databases += 1
        redis_url = self._ground.redis_url(self._databases)
        with redis.Redis.from_url(redis_url) as connection:
            connection.flushdb()
        return Database(self._ground.database_url(name), redis_url, self._ground.first_user)

    def house(self, database: Database, seats: int, screenings: int) -> House:
        """A house with screenings on sale."""
        return houses.build(database.url, database.first_user, seats, screenings)

    def sale(
        self,
        house: House,
        at_once: int,
        *,
        after: int = 0,
        screenings: int | None = None,
        skipped: int = 0,
        seats: int | None = None,
    ) -> Sale:
        """Seats of a house for one side: all of them, or less.

        `after` so many screenings, so many `screenings`, `at_once` of them side by side; in each, so many `seats` after
        the first `skipped`.
        """
        self._sales += 1
        return Sale(
            house=house,
            tokens=str(self._ground.tokens),
            number=self._sales,
            at_once=at_once,
            first_screening=house.first_screening + after,
            screenings=house.screenings - after if screenings is None else screenings,
            skipped=skipped,
            seats=house.seats - skipped if seats is None else seats,
        )

    def new_sale(self, database: Database, seats: int, at_once: int) -> Sale:
        """A house with as many screenings as one side needs in a case."""
        screenings = houses.screenings_for(self.effort.holds, seats, at_once)
        return self.sale(self.house(database, seats, screenings), at_once)

    def usher(self, database: Database, workers: int = 1, root: Path = ROOT, **settings: str) -> str:
        """Usher as `usher serve` of the checkout at `root` starts it, with settings to change; its URL."""
        houses.settle(database.url)
        environment = {
            "DATABASE_URL": database.url,
            "REDIS_URL": database.redis_url,
            "JWT_SECRET": self._ground.secret,
            "HOST": "127.0.0.1",
            "PORT": str(port := _free_port()),
            "WEB_CONCURRENCY": str(workers),
            "USHER_HOME": str(self._ground.home),
            "RATE_LIMITS": "off",
            "ACCESS_TOKEN_SECONDS": str(_DAY),
            "RESERVATION_TIMEOUT": "3600",  # holds of an earlier round must not run out in a later one
            "LOG_LEVEL": "warning",
            **settings,
        }
        command = [str(python_of(root)), "-m", "app", "serve"]
        return self._serve(command, port, "/health/ready", environment, marker="Usher is ready", root=root)

    def seconds_to_import(self, database: Database, layout: object) -> float:
        """How long `usher import-layout` takes for a new theater with this layout."""
        file = self._ground.directory / f"{secrets.token_hex(4)}.json"
        file.write_text(json.dumps(layout))
        environment = os.environ | {
            "DATABASE_URL": database.url,
            "REDIS_URL": database.redis_url,
            "JWT_SECRET": self._ground.secret,
            "USHER_HOME": str(self._ground.home),
        }
        words = ["import-layout", str(file), "--name", "Stadium", "--timezone", "UTC"]
        began = time.monotonic()
        done = subprocess.run(
            [str(python_of(ROOT)), "-m", "app", *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - began
        if done.returncode:
            raise CannotMeasure(f"The layout cannot be imported: {(done.stderr or done.stdout)[-2000:]}")
        return took

    def references(self, database: Database, workers: int = 1) -> str:
        """The bare FastAPI of references.py; its URL. The same loop, parser and backlog as Usher, no access log."""
        command = [
            *(sys.executable, "-m", "uvicorn", "benchmarks.stages.references:app"),
            *("--host", "127.0.0.1", "--port", str(port := _free_port())),
            *(
                "--workers",
                str(workers),
                "--loop",
                "uvloop",
                "--http",
                "httptools",
                "--lifespan",
                "on",
                "--backlog",
                "2048",
            ),
            *("--no-access-log", "--no-server-header", "--no-proxy-headers", "--log-level", "warning"),
        ]
        return self._serve(command, port, "/kept/nothing", {"REFERENCE_REDIS_URL": database.redis_url})

    def keep(self, database: Database, name: str, content: bytes) -> str:
        """Let Valkey keep these bytes for the reference; the path where it answers with them."""
        with redis.Redis.from_url(database.redis_url) as connection:
            connection.set(f"reference:{name}", content)
        return f"/kept/{name}"

    def echo(self, url: str, sale: Sale, connections: int = 64) -> Load:
        """The bare route, sent what a hold of this sale sends."""
        return Load(url, "hold", sale.options(), connections=connections)

    def pgbench(self, database: Database, clients: int, seconds: int) -> Measured:
        """PostgreSQL alone."""
        return pgbench(database.url, clients, self._ground.directory, seconds)

    def _serve(
        self,
        command: list[str],
        port: int,
        path: str,
        environment: Mapping[str, str],
        *,
        marker: str | None = None,
        root: Path = ROOT,
    ) -> str:
        """Start a server and wait until it answers; it is stopped at the end of the case."""
        log = self._ground.directory / f"{port}.log"
        process = start(command, root, environment, log)
        self._stack.callback(_stop, process)
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + _READY_SECONDS
        while not _answers(url + path) or (marker and marker not in log.read_text()):
            if process.poll() is not None or time.monotonic() > until:
                raise CannotMeasure(f"{' '.join(command)} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        self._pids[url] = process.pid
        return url

    def cpu_seconds(self, url: str) -> float:
        """Processor seconds so far of the server at this URL, and of PostgreSQL."""
        return cpu.seconds(self._pids[url], self._ground.postmaster)


class Ground:
    """PostgreSQL and Valkey of a whole run, in a temporary home, durable as in production."""

    def __init__(self, servers: EmbeddedServers, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.secret = secrets.token_hex(32)
        self.tokens = directory / "tokens"
        self._servers = servers
        self._templates: dict[Path, str] = {}
        self.first_user = 0

    @contextmanager
    def stage(self, effort: Effort) -> Iterator[Stage]:
        """The stage of one case."""
        with ExitStack() as stack:
            yield Stage(self, effort, stack)

    def template(self, root: Path) -> str:
        """The template of all databases of a checkout: migrated by its own migrations, with the buyers in it."""
        if root not in self._templates:
            name = self._templates[root] = f"benchmark_template_{len(self._templates)}"
            self.execute(f"CREATE DATABASE {name}")
            if root == ROOT:
                asyncio.run(upgrade(self.database_url(name)))
            else:
                self._migrate(root, name)
            self.first_user = houses.invite(self.database_url(name))
        return self._templates[root]

    def _migrate(self, root: Path, name: str) -> None:
        environment = os.environ | {
            "DATABASE_URL": self.database_url(name),
            "JWT_SECRET": self.secret,
            "USHER_HOME": str(self.home),
        }
        command = [str(python_of(root)), "-m", "app", "migrate"]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotMeasure(f"{root} cannot be migrated: {(done.stderr or done.stdout)[-2000:]}")

    def invite(self) -> None:
        """Make the buyers' tokens: their ids are the same in every template."""
        self.template(ROOT)
        tokens = Tokens(self.secret, guest_seconds=_DAY, access_seconds=_DAY)
        now = datetime.now(UTC)
        everybody = range(self.first_user, self.first_user + BUYERS)
        lines = [tokens.access_token(Person(each), Origin(each), now, secrets.token_hex(8)) for each in everybody]
        self.tokens.write_text("\n".join(lines) + "\n")

    def wear_in(self) -> None:
        """Let PostgreSQL have files of its log to use again, as a server that has worked for some minutes.

        A new one makes each of them anew: every second under load, it lets all writers wait for 50 ms.
        """
        self.execute(f"ALTER SYSTEM SET min_wal_size = '{_LOG_KEPT_MB}MB'")
        self.execute("SELECT pg_reload_conf()")
        megabyte = "pg_logical_emit_message(false, 'benchmarks', repeat(md5(random()::text), 32768))"
        self.execute(f"SELECT count({megabyte}) FROM generate_series(1, {_LOG_KEPT_MB})")  # noqa: S608 - our own text
        self.execute("CHECKPOINT")

    @cached_property
    def postmaster(self) -> int:
        """The process that all of PostgreSQL's are children of."""
        file = Path(houses.ask(self.database_url("postgres"), "SHOW data_directory")) / "postmaster.pid"
        return int(file.read_text().split()[0])

    def execute(self, statement: str) -> None:
        """Run a statement about databases, or about the server."""
        houses.execute(self.database_url("postgres"), statement)

    def database_url(self, name: str) -> str:
        """The URL of a database."""
        before, _, parameters = (self._servers.database_url or "").partition("?")
        return f"{before.rpartition('/')[0]}/{name}?{parameters}"

    def redis_url(self, number: int) -> str:
        """The URL of one of Valkey's databases."""
        return (self._servers.redis_url or "").replace("?db=0", f"?db={number}")

    def versions(self) -> dict[str, str]:
        """Of the servers."""
        with redis.Redis.from_url(self._servers.redis_url or "") as connection:
            valkey = connection.info("server")
        return {
            "postgresql": houses.ask(self.database_url("postgres"), "SHOW server_version"),
            "fsync": houses.ask(self.database_url("postgres"), "SHOW fsync"),
            "valkey": str(valkey.get("valkey_version") or valkey["redis_version"]),
        }


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers, and stop and remove all at the end."""
    with TemporaryDirectory(prefix="usher-benchmarks-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # the servers of root run as somebody else, who passes through
        servers = start_servers(directory / "home")
        try:
            made = Ground(servers, directory)
            made.invite()
            made.wear_in()
            yield made
        finally:
            servers.stop()
            remove_data(directory / "home")


def python_of(root: Path) -> Path:
    """The interpreter of a checkout. Raises CannotMeasure if it has none."""
    if root == ROOT:
        return Path(sys.executable)
    found = root / ".venv" / "bin" / "python"
    if not found.exists():
        raise CannotMeasure(f"{root} has no .venv: run `make install` there.")
    return found


def fetch(url: str, path: str, headers: Mapping[str, str] | None = None, body: object = None) -> tuple[int, bytes, str]:
    """One request: status, body and ETag of the answer, whatever the status is."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, content, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers.get("ETag", "")
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(), ""


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as refused:
        return refused.code < 500
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
