"""Homes for embedded servers: each test gets one of its own, and nothing of it stays."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.adapters.embedded import EmbeddedError, EmbeddedServers, remove_data, start_servers


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
def start(home: Path) -> Iterator[Callable[..., EmbeddedServers]]:
    """`start_servers(home)`; what was started is stopped in the end."""
    started: list[EmbeddedServers] = []

    def start_in_home(**which: bool) -> EmbeddedServers:
        started.append(start_servers(home, **which))
        return started[-1]

    yield start_in_home
    for servers in started:
        with suppress(OSError, EmbeddedError):  # a test may have stopped them itself
            servers.stop()
