"""Starts `usher serve` for tests that need it to run, in a process that can be killed."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from httpx import AsyncClient, Limits

from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT


class Process(Protocol):
    """What tests want of a process. `asyncio.subprocess.Process` has it."""

    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    def send_signal(self, signal: int) -> None: ...
    async def communicate(self) -> tuple[bytes, bytes | None]: ...


class Forked:
    """A process that somebody else has forked."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader) -> None:
        self.stdout: asyncio.StreamReader | None = stdout
        self._handle = os.pidfd_open(pid)

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    async def communicate(self) -> tuple[bytes, None]:
        """Read what it says, until it has ended."""
        said = await self.stdout.read() if self.stdout else b""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self._handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._handle)
        return said, None

    def __del__(self) -> None:
        os.close(self._handle)


@dataclass(frozen=True, slots=True)
class Served:
    """`usher serve`, running."""

    process: Process
    url: str

    def client(self, connections: int = 10) -> AsyncClient:
        """Somebody who talks to it over so many connections."""
        return AsyncClient(base_url=self.url, limits=Limits(max_connections=connections), timeout=PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End it in good order, if it runs, and wait until it has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self.process.communicate()


class Starter:
    """Starts `usher serve`: forks it from a process that has loaded it already (tests/loaded.py)."""

    def __init__(self, loaded: socket.socket) -> None:
        self._loaded = loaded
        self._turn = asyncio.Lock()

    async def start(self, settings: Mapping[str, str]) -> Served:
        """With these settings in the environment, until it is ready."""
        environment = os.environ | PATIENT_ENVIRONMENT | settings
        # Workers are started anew in any case, by the process itself. Elsewhere no process can be told from its heir.
        is_forked = hasattr(os, "pidfd_open") and int(environment.get("WEB_CONCURRENCY", "1")) == 1
        process = await (self._forked(environment) if is_forked else _from_nothing(environment))
        try:
            return Served(process, await _ready(process))
        except BaseException:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            raise

    async def _forked(self, environment: Mapping[str, str]) -> Forked:
        reading, writing = os.pipe()
        async with self._turn:
            socket.send_fds(self._loaded, [json.dumps(dict(environment)).encode()], [writing, 2])
            os.close(writing)
            answer = await asyncio.to_thread(self._loaded.recv, 32)
            assert answer, "it could not be loaded"
            process = int(answer)
        reader = asyncio.StreamReader()
        protocol = partial(asyncio.StreamReaderProtocol, reader)
        await asyncio.get_running_loop().connect_read_pipe(protocol, os.fdopen(reading, "rb", 0))
        return Forked(process, reader)


async def _ready(process: Process) -> str:
    """Where it serves, once it does."""
    assert process.stdout is not None
    while (found := re.search(rb"Usher is ready: (\S+)", await process.stdout.readline())) is None:
        assert not process.stdout.at_eof(), "it did not start"
    return found[1].decode()


async def _from_nothing(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "serve"), env=environment, stdout=asyncio.subprocess.PIPE
    )


@contextmanager
def starting() -> Iterator[Starter]:
    """Somebody who starts processes, as long as the block. Those that run then go on."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            words = (sys.executable, "-m", "tests.loaded", str(theirs.fileno()))
            loaded = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        try:
            yield Starter(ours)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
            loaded.wait()
