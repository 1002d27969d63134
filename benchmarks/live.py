"""Live listeners: how long from the answer to a hold until the last of thousands has been told, and what it costs.

    python -m benchmarks.live --listeners 1000
    python -m benchmarks.live --listeners 10000 --seconds 30
    python -m benchmarks.live --listeners 1000 --storm

It starts Usher as `make run` does, with one worker and servers of its own, in a directory that is removed afterwards.
The listeners are plain WebSocket clients in a process of their own, on the loopback interface. A hold is made every
100 milliseconds, each of another seat; with --storm as many changes as 32 callers can make, first without listeners and
then with them.

It prints one JSON object. `told_ms` counts from the answer of a hold (201) until the last listener has its message.
"""

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast

import httpx
import uvloop

from app.adapters.embedded import remove_data

CONNECTING_AT_ONCE: Final = 100
CALLERS: Final = 32
STORM_SECONDS: Final = 8.0
LONGEST_SECONDS: Final = 120.0
_VERSION: Final = re.compile(rb'"type":"bulk_seat_update","screening_id":\d+,"version":(\d+)')


class Tally:
    """When the last of all listeners was told each version."""

    def __init__(self, count: int) -> None:
        self.all_are_there = asyncio.Event()
        """Or one was lost, and they never will be."""
        self._count = count
        self.confirmed = 0
        self.lost = 0
        self.messages = 0
        self.told: dict[int, tuple[int, float]] = {}

    def hear(self, text: bytes) -> None:
        """One message of one listener."""
        if (found := _VERSION.search(text, 0, 120)) is None:
            self.confirmed += text.startswith(b'{"type":"connection_confirmed"')
            if self.confirmed == self._count:
                self.all_are_there.set()
            return
        self.messages += 1
        version = int(found[1])
        count, _ = self.told.get(version, (0, 0.0))
        self.told[version] = count + 1, time.monotonic()


class Listener(asyncio.Protocol):
    """As little of a WebSocket client as it takes: it reads text, and answers pings."""

    def __init__(self, host: str, path: str, tally: Tally) -> None:
        self._hello = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
        ).encode()
        self._tally = tally
        self._unread = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.lost += 1
        self._tally.all_are_there.set()

    def data_received(self, data: bytes) -> None:
        unread = self._unread + data if self._unread else data
        if not self._is_open:
            head, separator, rest = unread.partition(b"\r\n\r\n")
            if not separator:
                self._unread = unread
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(head.decode("latin-1"))
            self._is_open = True
            unread = rest
        at = 0
        while (frame := _frame(unread, at)) is not None:
            opcode, text, at = frame
            if opcode == 1:
                self._tally.hear(text)
            elif opcode == 9 and self._transport is not None:
                self._transport.write(bytes((0x8A, 0x80 | len(text))) + b"\0\0\0\0" + text)
        self._unread = unread[at:]


def _frame(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """The next whole frame of a server: its opcode, what it carries, and where the one after it begins."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1], at + 2
    if size == 126:
        if len(data) < at + 4:
            return None
        (size,), start = struct.unpack_from("!H", data, at + 2), at + 4
    elif size == 127:
        if len(data) < at + 10:
            return None
        (size,), start = struct.unpack_from("!Q", data, at + 2), at + 10
    end = start + size
    return None if len(data) < end else (data[at] & 0x0F, data[start:end], end)


def listen(url: str, screening_id: int, count: int, orders: Connection) -> None:
    """The process of the listeners: connects them, says so, and gives the tally when it is asked for."""

    async def run() -> None:
        tally, loop = Tally(count), asyncio.get_running_loop()
        host, _, port = url.removeprefix("http://").partition(":")
        connections = []
        for begun in range(0, count, CONNECTING_AT_ONCE):
            connections += await asyncio.gather(
                *(
                    loop.create_connection(
                        lambda: Listener(f"{host}:{port}", f"/ws/screenings/{screening_id}", tally), host, int(port)
                    )
                    for _ in range(min(CONNECTING_AT_ONCE, count - begun))
                )
            )
        await tally.all_are_there.wait()
        orders.send(tally.confirmed)
        await loop.run_in_executor(None, orders.recv)
        orders.send((tally.lost, tally.messages, tally.told))
        for transport, _ in connections:
            transport.abort()

    uvloop.run(run())


class Usher:
    """A service of our own, and what it costs."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.url = url
        self._pid = process.pid

    def cpu_seconds(self) -> float:
        """What the worker has used so far."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self) -> int:
        """What the worker has in memory now."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self._pid}/status").read_text())
        return int(found[1]) if found else 0


@contextmanager
def usher() -> Iterator[Usher]:
    """One worker with its own PostgreSQL and Valkey; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="usher-live-") as directory:
        home = Path(directory) / "home"
        environment = os.environ | {"USHER_HOME": str(home), "PORT": "0", "WEB_CONCURRENCY": "1", "SWEEP": "on"}
        for name in ("DATABASE_URL", "REDIS_URL", "HOST"):
            environment.pop(name, None)
        with subprocess.Popen(
            [sys.executable, "-m", "app", "serve"], env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101
                found = (re.search(r"Usher is ready: (\S+)", line) for line in process.stdout)
                yield Usher(process, next(one[1] for one in found if one))
            finally:
                process.terminate()
                process.wait(LONGEST_SECONDS)
                remove_data(home)


@contextmanager
def listeners(url: str, screening_id: int, count: int) -> Iterator[Connection]:
    """So many who listen, in a process of their own. Ask it for what they heard."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=listen, args=(url, screening_id, count, theirs))
    process.start()
    try:
        if not ours.poll(LONGEST_SECONDS) or ours.recv() != count:
            raise RuntimeError("not all listeners were confirmed")
        yield ours
    finally:
        process.join(10)
        if process.is_alive():
            process.terminate()
            process.join()


def hold_steadily(url: str, screening_id: int, labels: Sequence[str], seconds: float) -> dict[int, float]:
    """A hold every 100 ms, each of another seat; when each version was answered."""
    answered: dict[int, float] = {}
    with httpx.Client(base_url=url, timeout=30) as client:
        token = client.post("/auth/guest", json={"email": "bench@example.org"}).json()["access_token"]
        begun = time.monotonic()
        for number, label in enumerate(labels[: int(seconds * 10)]):
            time.sleep(max(0.0, begun + number / 10 - time.monotonic()))
            answer = client.post(
                f"/screenings/{screening_id}/reservations",
                json={"seats": [label]},
                headers={"authorization": f"Bearer {token}"},
            )
            answer.raise_for_status()
            answered[answer.json()["version"]] = time.monotonic()
    return answered


def callers(url: str, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Somebody for each of the first seats, with a token."""
    with httpx.Client(base_url=url, timeout=30) as client:
        guests = (client.post("/auth/guest", json={"email": f"bench-{n}@example.org"}).json() for n in range(CALLERS))
        return [(guest["access_token"], label) for guest, label in zip(guests, labels, strict=False)]


async def _storm(url: str, screening_id: int, buyers: Sequence[tuple[str, str]]) -> int:
    count = 0
    host, _, port = url.removeprefix("http://").partition(":")
    ends_at = time.monotonic() + STORM_SECONDS

    async def call(token: str, label: str) -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps({"seats": [label]})
        request = (
            f"POST /api/v1/screenings/{screening_id}/reservations/toggle HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        while time.monotonic() < ends_at:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1"))
            found = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(found[1]) if found else 0)
            count += 1
        writer.close()

    await asyncio.gather(*(call(token, label) for token, label in buyers))
    return count


def storm(url: str, screening_id: int, buyers: Sequence[tuple[str, str]]) -> float:
    """Toggles a second, as many as the callers can make, each of a seat of their own."""
    return float(uvloop.run(_storm(url, screening_id, buyers))) / STORM_SECONDS


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(count: int, seconds: float, *, with_storm: bool) -> dict[str, Any]:
    """Everything that is printed."""
    with usher() as service:
        screening = httpx.get(f"{service.url}/theaters/3/screenings").json()["items"][0]["id"]
        labels = [seat["label"] for seat in httpx.get(f"{service.url}/screenings/{screening}/seats").json()["seats"]]
        result: dict[str, Any] = {"listeners": count}
        buyers = callers(service.url, labels) if with_storm else []
        if with_storm:
            storm(service.url, screening, buyers)
            result["changes_a_second_without_listeners"] = round(storm(service.url, screening, buyers))
        memory = service.memory_kib()
        with listeners(service.url, screening, count) as heard:
            result["memory_per_listener_kib"] = round((service.memory_kib() - memory) / count, 1)
            cpu, begun = service.cpu_seconds(), time.monotonic()
            if with_storm:
                result["changes_a_second_with_listeners"] = round(storm(service.url, screening, buyers))
                answered: dict[int, float] = {}
            else:
                answered = hold_steadily(service.url, screening, labels, seconds)
            result["cpu_of_one_core"] = round((service.cpu_seconds() - cpu) / (time.monotonic() - begun), 2)
            time.sleep(1)
            heard.send("done")
            lost, messages, told = heard.recv()
            result |= {"lost": lost, "messages_a_listener": round(messages / count, 1)}
        if with_storm:
            result["changes_a_second_after_listeners"] = round(storm(service.url, screening, buyers))
            quiet = (result["changes_a_second_without_listeners"] + result["changes_a_second_after_listeners"]) / 2
            return result | {"ratio": round(result["changes_a_second_with_listeners"] / quiet, 2)}
        ends = sorted((version, at) for version, (reached, at) in told.items() if reached == count)
        waits = [
            (next(at for version, at in ends if version >= held) - answered_at) * 1000
            for held, answered_at in answered.items()
        ]
        return result | {
            "holds": len(waits),
            "told_ms": {
                "p50": round(statistics.median(waits), 1),
                "p99": round(percentile(waits, 0.99), 1),
                "max": round(max(waits), 1),
            },
        }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description="Measure live listeners.")
    parser.add_argument("--listeners", type=int, default=1_000, help="1 to 20,000")
    parser.add_argument("--seconds", type=float, default=20.0, help="of holds; 1 to 120")
    parser.add_argument("--storm", action="store_true", help="changes a second, with listeners against none")
    given = parser.parse_args()
    if not (1 <= given.listeners <= 20_000 and 1 <= given.seconds <= 120):
        parser.error("too few or too many")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.stdout.write(json.dumps(measure(given.listeners, given.seconds, with_storm=given.storm), indent=2) + "\n")


if __name__ == "__main__":
    main()
