"""`python -m app serve`, as somebody would start and end it."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
import pytest

from app.adapters.embedded import EmbeddedServers, urls_of
from app.adapters.embedded.place import find_place
from app.adapters.embedded.process import ON_LINUX
from tests.forking import Forker, Started
from tests.ground.conftest import Run, Start, without_settings
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT
from tests.places import copy_of

Serve = Callable[..., Started]

AWAY = {
    "DATABASE_URL": "postgresql://usher:geheim@127.0.0.1:1/usher",
    "REDIS_URL": "redis://127.0.0.1:1",
    "JWT_SECRET": "k3Jq8mWz5TnXv2RbY7cLd0PfHs4GtA9e",
}
"""Servers that are not there, and a password that nobody may read."""


@contextlib.contextmanager
def starting(home: Path, forker: Forker | None) -> Iterator[Serve]:
    """Start the program with settings, by default in this home; whatever still runs at the end is ended.

    Without a forker it is loaded from nothing, as when somebody types it.
    """
    with contextlib.ExitStack() as ends:

        def start(*words: str, **settings: str) -> Started:
            words = words or ("serve",)
            environment = (
                without_settings()
                | PATIENT_ENVIRONMENT
                | {"USHER_HOME": str(home), "PORT": "0", "LOG_FORMAT": "text"}
                | settings
            )
            process = (
                typed(*words, environment=environment)
                if forker is None
                else forker.start(*words, environment=environment)
            )
            ends.callback(end, process)
            return process

        yield start


def typed(*words: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """The program from nothing."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


@pytest.fixture
def serve(home: Path, forker: Forker) -> Iterator[Serve]:
    """Start the program with settings."""
    with starting(home, forker) as serve:
        yield serve


@pytest.fixture
def serve_again(lived_in: Path, forker: Forker) -> Iterator[Serve]:
    """The same where Usher has run before."""
    with starting(lived_in, forker) as serve:
        yield serve


@pytest.fixture
def type_serve(home: Path) -> Iterator[Serve]:
    """The same as somebody types it: it is loaded from nothing."""
    with starting(home, None) as serve:
        yield serve


@pytest.fixture
def type_serve_again(lived_in: Path) -> Iterator[Serve]:
    """The same where Usher has run before."""
    with starting(lived_in, None) as serve:
        yield serve


@dataclass(frozen=True, slots=True)
class Running:
    """An Usher that several tests look at; none of them changes or stops it."""

    pid: int
    home: str
    banner: str


@pytest.fixture(scope="module")
def running(first_home: Path, forker: Forker) -> Iterator[Running]:
    """It runs."""
    with copy_of(first_home) as home, starting(home, forker) as serve:
        process = serve()
        yield Running(process.pid, str(home), banner(process))


def end(process: Started) -> None:
    """Stop it and close what it wrote to."""
    if process.poll() is None:
        process.terminate()
    process.communicate()


def banner(process: Started) -> str:
    """What it says once it is ready."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("  Stop"):
            return "".join(lines)
    assert process.stderr is not None
    raise AssertionError(f"It did not start: {process.stderr.read()}")


def url_of(process: Started) -> str:
    """Where it says that it is."""
    found = re.search(r"Usher is ready: (\S+)", banner(process))
    assert found is not None
    return found[1]


def is_there(url: str) -> bool:
    """It answers that it is alive."""
    try:
        with urllib.request.urlopen(f"{url}/health/live", timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (our own server)
            return bool(answer.status == 200)
    except OSError:
        return False


def read(url: str) -> bytes:
    """What it answers with 200."""
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (our own server)
        return bytes(answer.read())


def log_of(home: Path) -> str:
    """What PostgreSQL wrote, wherever its data is."""
    return (find_place(home).data / "postgresql.log").read_text()


def stops_in_good_order(process: Started, url: str, home: Path, how: signal.Signals) -> str:
    """It does, after this signal, and PostgreSQL before it; what it complained of."""
    assert is_there(url)
    before = log_of(home).count("database system is shut down")

    process.send_signal(how)
    said, complained = process.communicate()

    assert process.returncode == 0
    assert "Traceback" not in complained, complained
    assert "Usher is ready" not in said  # it had said so once
    assert not is_there(url)
    assert log_of(home).count("database system is shut down") == before + 1
    return complained


def test_it_starts_says_where_stops_in_good_order_and_starts_again(type_serve: Serve, serve: Serve, home: Path) -> None:
    for start, how in ((type_serve, signal.SIGINT), (serve, signal.SIGTERM)):
        process = start()
        stops_in_good_order(process, url_of(process), home, how)


def test_the_first_curl_of_the_banner_holds_a_seat(running: Running) -> None:
    found = re.search(r"Hold a seat +curl --json '(.*)' (\S+)", running.banner)
    assert found is not None

    request = urllib.request.Request(  # noqa: S310 (our own server)
        found[2], data=found[1].encode(), headers={"Content-Type": "application/json", "Accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (our own server)
        assert answer.status == 201


@pytest.mark.skipif(not ON_LINUX, reason="a parent's end is told by the kernel on Linux only")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_stays_after_a_kill_and_the_next_start_works(
    type_serve: Serve, serve: Serve, home: Path, workers: str
) -> None:
    """The first start is one from nothing: with two workers, this is the test of that."""
    process = (serve if workers == "1" else type_serve)(WEB_CONCURRENCY=workers)
    url = url_of(process)
    assert is_there(url)

    process.kill()
    process.communicate()  # ends when the last of its children has closed what it wrote to

    assert not is_there(url)
    following = serve(WEB_CONCURRENCY=workers)
    stops_in_good_order(following, url_of(following), home, signal.SIGINT)


def test_a_taken_port_is_named_before_anything_is_started(serve: Serve, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        port = rival.getsockname()[1]
        process = serve(PORT=str(port))
        said, complained = process.communicate()

    assert process.returncode == 1
    assert said == ""
    assert complained.count("\n") == 1
    assert f"Port {port}" in complained
    assert f"PORT={port + 1} make run" in complained
    assert not home.exists()


def test_a_second_one_in_the_same_home_says_who_is_there(serve: Serve, running: Running) -> None:
    second = serve(USHER_HOME=running.home)
    _, complained = second.communicate()

    assert second.returncode == 1
    assert f"process {running.pid}" in complained
    assert complained.count("\n") == 1


def test_a_database_that_is_away_is_said_in_one_line(serve: Serve) -> None:
    process = serve(**AWAY)
    _, complained = process.communicate()

    assert process.returncode == 1
    assert complained.startswith("PostgreSQL cannot be used:")
    assert complained.count("\n") == 1
    assert "geheim" not in complained


def test_the_doctor_finds_a_running_usher_well(serve: Serve, running: Running) -> None:
    doctor = serve("doctor", USHER_HOME=running.home)
    said, _ = doctor.communicate()

    assert doctor.returncode == 0
    assert [line.split()[0] for line in said.splitlines()] == ["ok", "ok", "ok"]


def test_the_doctor_names_what_is_away(run: Run) -> None:
    doctor = run("doctor", **AWAY)

    assert doctor.code == 1
    assert [line.split(":")[0] for line in doctor.said.splitlines()[1:]] == ["problem  PostgreSQL", "problem  Valkey"]
    assert "geheim" not in doctor.said


def test_reset_refuses_while_it_runs_and_removes_the_data_after(serve_again: Serve, lived_in: Path) -> None:
    process = serve_again()
    banner(process)

    while_running = serve_again("reset")
    while_running.communicate()
    process.terminate()
    process.communicate()
    after = serve_again("reset", "--yes")
    after.communicate()

    assert (while_running.returncode, after.returncode) == (1, 0)
    assert not lived_in.exists()


@pytest.mark.parametrize(("typed", "deletes"), [("yes\n", True), ("no\n", False), ("", False)])
def test_reset_asks_before_it_deletes(run: Run, home: Path, typed: str, deletes: bool) -> None:
    home.mkdir(parents=True)
    (home / "jwt-secret").write_text("a secret")

    reset = run("reset", typed=typed)

    assert str(home) in reset.said.splitlines()[0]
    assert (reset.code, home.exists()) == ((0, False) if deletes else (1, True))


def test_reset_never_touches_anything_while_the_data_is_somewhere_else(run: Run, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "jwt-secret").write_text("a secret")

    reset = run("reset", "--yes", **AWAY)

    assert reset.code == 1
    assert reset.complained.startswith("DATABASE_URL is set, so nothing was deleted")
    assert (home / "jwt-secret").exists()


def test_whoever_reads_no_further_is_no_lost_postgresql() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [sys.executable, "-m", "app", "settings", "--markdown"],
        check=False,
        env=without_settings(),
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, b"")


# --- Ctrl-C at any time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "passed"),
    [("1", "argparse"), ("1", "pydantic"), ("1", "app.services.house.demo"), ("1", "app.main"), ("2", "app.routers")],
)
def test_ctrl_c_while_it_loads_ends_it_without_a_traceback(
    type_serve_again: Serve, serve_again: Serve, workers: str, passed: str
) -> None:
    """Of two workers, it is these that load."""
    start = type_serve_again if workers == "1" else serve_again
    process = start(WEB_CONCURRENCY=workers, PYTHONPROFILEIMPORTTIME="1")
    assert process.stderr is not None
    heard = [next(line for line in process.stderr if re.search(rf"\| +{passed}([.]|$)", line))]

    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody in the foreground hears it
    heard += process.stderr
    process.communicate()

    assert process.returncode in {0, 130}
    assert "Traceback" not in "".join(heard)


# --- what it says when it cannot serve -------------------------------------------------------------------------------


def line_of(process: Started) -> str:
    """The only line that it complains with, before it ends with 1."""
    _, complained = process.communicate()
    assert (process.returncode, complained.count("\n")) == (1, 1), complained
    return complained


async def change(servers: EmbeddedServers, statement: str) -> None:
    connection = await asyncpg.connect((servers.database_url or "").replace("+asyncpg", ""))
    await connection.execute(statement)
    await connection.close()


def given(servers: EmbeddedServers) -> dict[str, str]:
    """The settings of somebody who has a PostgreSQL already."""
    return AWAY | {"DATABASE_URL": servers.database_url or ""}


async def test_a_postgresql_that_may_forget_is_refused_in_one_line(serve: Serve, start_again: Start) -> None:
    servers = start_again(valkey=False)
    await change(servers, "ALTER DATABASE usher SET synchronous_commit = off")

    said = line_of(serve(**given(servers)))

    assert said.startswith("PostgreSQL runs with synchronous_commit = off")


@pytest.mark.parametrize("command", ["serve", "migrate"])
async def test_a_schema_of_a_newer_release_is_named_in_one_line_with_what_to_do(
    serve: Serve, start_again: Start, command: str
) -> None:
    servers = start_again(valkey=False)
    await change(servers, "UPDATE alembic_version SET version_num = '9999'")

    said = line_of(serve(command, **given(servers)))

    assert said.startswith("The database schema is at revision 9999")
    assert "Start that release, or a later one." in said


async def test_the_doctor_advises_nothing_that_fails_on_a_newer_schema(run: Run, start_again: Start) -> None:
    servers = start_again(valkey=False)
    await change(servers, "UPDATE alembic_version SET version_num = '9999'")

    doctor = run("doctor", **given(servers))

    [line] = [line for line in doctor.said.splitlines() if line.startswith("problem  PostgreSQL")]
    assert doctor.code == 1
    assert "9999" in line
    assert "migrate" not in line


async def test_a_running_process_serves_on_when_the_schema_is_newer(serve_again: Serve, lived_in: Path) -> None:
    url = url_of(serve_again())
    connection = await asyncpg.connect(urls_of(lived_in)[0].replace("+asyncpg", ""))
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()

    health = orjson.loads(await asyncio.to_thread(read, f"{url}/health/ready"))

    assert (health["status"], health["checks"]["migrations"]) == ("ok", "newer")


@pytest.mark.parametrize("setting", ["database", "role"])
async def test_a_database_that_does_not_exist_is_said_in_one_line(
    serve: Serve, start_again: Start, setting: str
) -> None:
    url = start_again(valkey=False).database_url or ""
    wrong = url.replace("/usher?", "/nowhere?") if setting == "database" else url.replace("//usher@", "//nobody@")

    said = line_of(serve(**AWAY | {"DATABASE_URL": wrong}))

    assert said.startswith("PostgreSQL cannot be used:")
    assert "does not exist" in said


def test_with_a_log_in_json_the_line_is_json(serve: Serve) -> None:
    said = orjson.loads(line_of(serve(LOG_FORMAT="json", **AWAY)))

    assert said["level"] == "error"
    assert said["message"].startswith("PostgreSQL cannot be used:")
