"""People who buy while servers die, and what there is to be seen of processes: for tests of what comes back."""

import contextlib
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import orjson

from app.adapters.embedded.place import find_place
from tests.forking import Started
from tests.ground.test_serving import read
from tests.patience import PATIENCE_SECONDS, wait_until


def ids(home: Path) -> tuple[int, int]:
    """The processes of PostgreSQL and Valkey, as their files say. 0: it does not say."""
    data = find_place(home).data
    found = []
    for file in (data / "postgresql" / "postmaster.pid", data / "valkey.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            found.append(int(file.read_text().split()[0]))
    return cast("tuple[int, int]", tuple([*found, 0, 0][:2]))


def asked(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and body of a POST; 0 when there is no answer."""
    request = urllib.request.Request(  # noqa: S310 (our own server)
        url, orjson.dumps(body), {"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 (our own server)
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()
    except OSError:
        return 0, b""


@dataclass
class Crowd:
    """Buyers who book seat after seat of the large house, each seat once; what they were told is sold."""

    url: str
    sold: list[str] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        house = orjson.loads(read(f"{self.url}/theaters/3/seats"))
        self.screening = house["screening_id"]
        self._free = [seat["label"] for seat in house["seats"] if seat["status"] == "available"]

    @contextlib.contextmanager
    def buying(self) -> Iterator[None]:
        """They buy as long as the block lasts."""
        with ThreadPoolExecutor(3) as people:
            buyers = [people.submit(self._buy) for _ in range(3)]
            try:
                yield
            finally:
                self._stopping.set()
        for buyer in buyers:
            buyer.result()

    def _buy(self) -> None:
        while not self._stopping.is_set():
            seat = self._free.pop()
            body, key = {"screening_id": self.screening, "seats": [seat]}, str(uuid4())
            while (status := asked(f"{self.url}/bookings", body, {"Idempotency-Key": key})[0]) != 201:
                if status not in (0, 503):
                    self.wrong.append(status)
                if self._stopping.is_set():
                    return
            self.sold.append(seat)

    def booked(self) -> set[str]:
        """What the map says is booked. The first to use a connection that has died may be told to come again."""
        said: list[bytes] = []

        def is_said() -> bool:
            with contextlib.suppress(urllib.error.HTTPError):
                said.append(read(f"{self.url}/screenings/{self.screening}/seats"))
            return bool(said)

        wait_until(is_said)
        return {seat["label"] for seat in orjson.loads(said[0])["seats"] if seat["status"] == "booked"}

    def goes_on(self) -> None:
        """Wait until more is sold."""
        before = len(self.sold)
        wait_until(lambda: self.wrong or len(self.sold) > before + 3)
        assert self.wrong == []


def lines_about(complained: str, *words: str) -> list[str]:
    """Which of the log's lines have these words."""
    return [line for line in complained.splitlines() if all(word in line for word in words)]


def workers_of(parent: int) -> set[int]:
    """The worker processes of a parent."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in _words_of(child)}


def _words_of(process: str) -> bytes:
    """The command line of a process; nothing if it has ended meanwhile."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class Listening:
    """Reads what a process complains of, while it runs."""

    def __init__(self, process: Started) -> None:
        assert process.stderr is not None
        self._process = process
        self._from = process.stderr
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Callable[[], str]:
        self._thread.start()
        return lambda: "".join(self._lines)

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is not None:
            self._process.kill()
        self._thread.join()

    def _listen(self) -> None:
        self._lines.extend(self._from)


def can_mount() -> bool:
    """Whether this account may mount something in a namespace of its own."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def filling(path: Path) -> Iterator[None]:
    """A file takes whatever room there is on its disk, also what becomes free, as long as the block lasts."""
    full, enough = threading.Event(), threading.Event()

    def fill() -> None:
        with path.open("wb", buffering=0) as file:
            while not enough.is_set():
                try:
                    file.write(bytes(1 << 16))
                except OSError:
                    full.set()
                    enough.wait(0.001)  # what becomes free meanwhile is too little to start with

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        assert full.wait(PATIENCE_SECONDS)
        yield
    finally:
        enough.set()
        thread.join()
