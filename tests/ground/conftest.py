"""Homes for embedded servers: each test gets one of its own, and nothing of it stays.

To make a PostgreSQL takes more time than most tests. Those that are not about a first start get a home with the data of
one (`lived_in`).
"""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.__main__ import main
from app.adapters.embedded import EmbeddedError, EmbeddedServers, remove_data, start_servers
from app.settings import Settings
from tests import given
from tests.patience import PATIENT_ENVIRONMENT
from tests.places import copy_of, started

Start = Callable[..., EmbeddedServers]


@pytest.fixture(autouse=True, scope="session")
def hears_ctrl_c() -> None:
    """The programs that are started hear SIGINT, also when the tests run in the background of a shell.

    A shell starts what runs in the background with SIGINT ignored, and a program hands that down to its children.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that does not exist yet, with a long name and a space in it."""
    with TemporaryDirectory(prefix="usher ground ") as directory:
        home = Path(directory) / ("a long name " * 9).strip() / ".usher"
        yield home
        if home.exists():
            remove_data(home)


@pytest.fixture
def lived_in(first_home: Path) -> Iterator[Path]:
    """A home of the test's own that looks as if Usher had run there before."""
    with copy_of(first_home) as home:
        yield home


@pytest.fixture(scope="session")
def some_postgresql(request: pytest.FixtureRequest, first_home: Path) -> Iterator[str]:
    """The URL of a PostgreSQL of our own, also where TEST_DATABASE_URL gives one."""
    if given.URL is None:
        yield request.getfixturevalue("servers").database_url
        return
    with copy_of(first_home) as home, started(home, valkey=False) as servers:
        yield servers.database_url or ""


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """`start_servers(home)`, from nothing; what was started is stopped in the end."""
    yield from _starting_in(home)


@pytest.fixture
def start_again(lived_in: Path) -> Iterator[Start]:
    """`start_servers(lived_in)`: PostgreSQL has been made before."""
    yield from _starting_in(lived_in)


def _starting_in(home: Path) -> Iterator[Start]:
    ours: list[EmbeddedServers] = []

    def start(**which: bool) -> EmbeddedServers:
        ours.append(start_servers(home, **which))
        return ours[-1]

    yield start
    for servers in ours:
        with suppress(OSError, EmbeddedError):  # a test may have stopped them itself
            servers.stop()


def without_settings() -> dict[str, str]:
    """The environment without a setting in it."""
    names = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in names}


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a command."""

    code: int
    said: str
    complained: str


Run = Callable[..., Ended]


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command, with settings, in this process and from where the program begins.

    To load the program takes longer than most commands. That it is loaded and begins there, other tests see.
    """

    def run(*words: str, typed: str = "", **settings: str) -> Ended:
        capsys.readouterr()
        with monkeypatch.context() as patched, ThreadPoolExecutor(1) as beside:
            ours = PATIENT_ENVIRONMENT | {"USHER_HOME": str(home)}
            patched.setattr(os, "environ", without_settings() | ours | settings)
            patched.setattr(sys, "stdin", io.StringIO(typed))
            code = beside.submit(main, list(words)).result()  # a command has a loop of its own
        return Ended(code, *capsys.readouterr())

    return run
