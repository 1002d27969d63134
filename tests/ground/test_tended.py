"""The embedded servers are tended: who dies is started again, and who cannot be ends the service, which says why."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from app.adapters.embedded import EmbeddedServers, Tender, tending
from app.adapters.embedded.place import find_place
from app.adapters.embedded.process import ON_LINUX
from tests.forking import Forker
from tests.ground.conftest import Start, without_settings
from tests.ground.crowd import Crowd, Listening, can_mount, filling, ids, lines_about, workers_of
from tests.ground.test_serving import Serve, end, read, starting, stops_in_good_order, url_of
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT, wait_until

on_linux = pytest.mark.skipif(not ON_LINUX, reason="asks /proc")


@pytest.fixture
def serve(lived_in: Path, forker: Forker) -> Iterator[Serve]:
    """Start the program where Usher has run before."""
    with starting(lived_in, forker) as serve:
        yield serve


@on_linux
@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_is_killed_is_started_again_and_nothing_acknowledged_is_lost(
    serve: Serve, lived_in: Path, workers: str
) -> None:
    process = serve(WEB_CONCURRENCY=workers, LOG_REQUESTS="off")
    url = url_of(process)
    crowd = Crowd(url)

    with crowd.buying():
        crowd.goes_on()
        for which in (0, 1, 0):
            killed = ids(lived_in)[which]
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda which=which, killed=killed: ids(lived_in)[which] not in (0, killed))
            crowd.goes_on()
    booked = crowd.booked()
    complained = stops_in_good_order(process, url, lived_in, signal.SIGTERM)

    assert set(crowd.sold) <= booked
    assert len(set(crowd.sold)) == len(crowd.sold)
    assert len(lines_about(complained, "PostgreSQL had ended (signal 9, SIGKILL) and was started again")) == 2
    assert len(lines_about(complained, "Valkey had ended (signal 9, SIGKILL) and was started again")) == 1


@on_linux
def test_an_outage_is_one_line_for_all_workers_and_a_workers_end_is_one_too(serve: Serve, lived_in: Path) -> None:
    process = serve(WEB_CONCURRENCY="2", LOG_REQUESTS="off")
    crowd = Crowd(url_of(process))
    workers = workers_of(process.pid)

    with Listening(process) as said:
        os.kill(ids(lived_in)[0], signal.SIGKILL)
        with crowd.buying():
            crowd.goes_on()
        # Whoever said that it was gone says that it is back: that worker may be the one that ends here.
        wait_until(lambda: "PostgreSQL is reachable again" in said())
        os.kill(min(workers), signal.SIGKILL)
        wait_until(lambda: len(workers_of(process.pid) - workers) == 1)
        wait_until(lambda: "serves in its place" in said())
        process.terminate()
        process.wait()
    complained = said()

    assert process.returncode == 0
    for words in ("PostgreSQL is not reachable", "PostgreSQL is reachable again", "and was started again"):
        assert len(lines_about(complained, words)) == 1, complained
    assert len(lines_about(complained, f"worker {min(workers)} has ended (signal 9, SIGKILL)")) == 1
    assert len(lines_about(complained, "serves in its place")) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_data_that_was_deleted_ends_it_with_the_reason(serve: Serve, lived_in: Path, workers: str) -> None:
    process = serve(WEB_CONCURRENCY=workers)
    url_of(process)

    shutil.rmtree(find_place(lived_in).data / "postgresql", ignore_errors=True)
    _, complained = process.communicate()

    assert process.returncode == 1
    assert complained.splitlines()[-1].startswith("The data of PostgreSQL is gone: ")


def test_a_socket_that_somebody_tidied_up_comes_back(serve: Serve, lived_in: Path) -> None:
    process = serve()
    url = url_of(process)
    crowd = Crowd(url)
    before = ids(lived_in)

    shutil.rmtree(find_place(lived_in).sockets)
    wait_until(lambda: all(now not in (0, then) for now, then in zip(ids(lived_in), before, strict=True)))
    with crowd.buying():
        crowd.goes_on()
    complained = stops_in_good_order(process, url, lived_in, signal.SIGTERM)

    assert len(lines_about(complained, "had ended (its socket was deleted) and was started again")) == 2


def test_nobody_else_gets_at_the_data_though_the_file_of_the_lock_is_deleted(serve: Serve, lived_in: Path) -> None:
    url = url_of(serve())
    (lived_in / "lock").unlink()

    for arguments in ((), ("reset", "--yes")):  # one after the other: each takes the lock of a new file first
        second = serve(*arguments)
        _, complained = second.communicate()
        assert second.returncode == 1
        assert complained.startswith("Usher is already running with the data in ")
    assert read(f"{url}/health/ready")


@on_linux
@pytest.mark.skipif(not can_mount(), reason="needs a small disk of its own, which not everybody may mount")
def test_a_full_disk_ends_it_with_the_reason(lived_in: Path) -> None:
    disk = lived_in.parent / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o size=200m,mode=711 tmpfs {disk} && cp -Rp {lived_in} {disk}/home && "
        f"exec {sys.executable} -m app serve"
    )
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=without_settings()
        | PATIENT_ENVIRONMENT
        | {"USHER_HOME": f"{disk}/home", "PORT": "0", "LOG_FORMAT": "text"},
    )
    with contextlib.ExitStack() as ends:
        ends.callback(end, process)
        url_of(process)
        inside = Path(f"/proc/{process.pid}/root{disk}")
        postmaster = int((inside / "home/postgresql/postmaster.pid").read_text().split()[0])
        with filling(inside / "large"):
            os.kill(postmaster, signal.SIGKILL)
            _, complained = process.communicate()

    assert process.returncode == 1
    last = complained.splitlines()[-1]
    assert last.startswith("PostgreSQL has ended and cannot be started again: ")
    assert "is full" in last or "No space left on device" in last


# --- in this process


def tended(servers: EmbeddedServers) -> tuple[Tender, threading.Event]:
    """A tender who has begun, and whether it has given up."""
    gave_up = threading.Event()
    tender = Tender(servers, gave_up.set)
    tender.start()
    return tender, gave_up


def test_what_postgresql_says_last_is_the_reason(start_again: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "PAUSE_SECONDS", 0.0)
    servers = start_again(valkey=False)
    (servers.data / "postgresql" / "postgresql.auto.conf").write_text("shared_buffers = 'plenty'\n")

    tender, gave_up = tended(servers)
    assert servers.postgresql is not None
    os.kill(servers.postgresql.pid or 0, signal.SIGKILL)
    assert gave_up.wait(PATIENCE_SECONDS)
    tender.stop()

    assert tender.reason is not None
    assert tender.reason.startswith("PostgreSQL has ended and cannot be started again: PostgreSQL did not start: ")
    assert "FATAL" in tender.reason
    assert "postgresql.auto.conf" in tender.reason


class Fragile:
    """A server that has ended, and does as a test says when it is started."""

    name = "PostgreSQL"
    is_within_reach = True

    def __init__(self, begin: Callable[["Fragile"], None]) -> None:
        self._begin = begin
        self.ended: str | None = "signal 9"
        self.times_started = 0
        self.starting = threading.Event()
        self.was_stopped = threading.Event()

    def must_be_whole(self) -> None: ...

    def start(self) -> None:
        self.times_started += 1
        self.starting.set()
        self._begin(self)

    def stop(self) -> None:
        self.was_stopped.set()


def alone(server: Fragile) -> EmbeddedServers:
    return cast("EmbeddedServers", SimpleNamespace(postgresql=server, valkey=None))


def test_who_dies_again_and_again_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "LOOK_SECONDS", 0.0)
    server = Fragile(lambda _: None)  # it starts, and has ended again at the next look

    tender, gave_up = tended(alone(server))
    assert gave_up.wait(PATIENCE_SECONDS)
    tender.stop()

    assert server.times_started == tending.SHORT_LIVES
    assert tender.reason == "PostgreSQL ends again and again, as soon as it was started: see its log."


def test_whoever_stops_does_not_wait_for_a_server_that_is_starting() -> None:
    def take_long(server: Fragile) -> None:
        assert server.was_stopped.wait(PATIENCE_SECONDS)
        raise OSError("it was stopped")

    server = Fragile(take_long)
    tender, gave_up = tended(alone(server))
    assert server.starting.wait(PATIENCE_SECONDS)

    tender.stop()

    assert (server.times_started, tender.reason, gave_up.is_set()) == (1, None, False)
