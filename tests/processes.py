"""Starts `usher serve` for tests that need it to run, in a process that can be killed."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from httpx import AsyncClient, Limits

from tests.forking import Forked, Forker
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT


class Process(Protocol):
    """What tests want of a process. `asyncio.subprocess.Process` has it."""

    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    def send_signal(self, signal: int) -> None: ...
    async def communicate(self) -> tuple[bytes, bytes | None]: ...


class Awaited:
    """A forked process that is waited for as `asyncio.subprocess.Process` is."""

    def __init__(self, forked: Forked, stdout: asyncio.StreamReader) -> None:
        self.stdout: asyncio.StreamReader | None = stdout
        self._forked = forked

    def send_signal(self, number: int) -> None:
        self._forked.send_signal(number)

    async def communicate(self) -> tuple[bytes, None]:
        """Read what it says, until it has ended."""
        said = await self.stdout.read() if self.stdout else b""
        if self._forked.returncode is None:
            ended, loop = asyncio.Event(), asyncio.get_running_loop()
            file = self._forked.fileno()
            loop.add_reader(file, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(file)
            self._forked.wait()
        return said, None


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
    """Starts `usher serve`: forks it from a process that has loaded it already."""

    def __init__(self, forker: Forker) -> None:
        self._forker = forker
        self._turn = asyncio.Lock()

    async def start(self, settings: Mapping[str, str]) -> Served:
        """With these settings in the environment, until it is ready."""
        environment = os.environ | PATIENT_ENVIRONMENT | settings
        is_alone = int(environment.get("WEB_CONCURRENCY", "1")) == 1  # workers are loaded by the process itself
        process = await (self._forked(environment) if is_alone else _from_nothing(environment))
        try:
            return Served(process, await _ready(process))
        except BaseException:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            raise

    async def _forked(self, environment: Mapping[str, str]) -> Awaited:
        async with self._turn:
            start = partial(self._forker.start, "serve", environment=environment, complains_to=2)
            forked = await asyncio.to_thread(start)
        reader = asyncio.StreamReader()
        protocol = partial(asyncio.StreamReaderProtocol, reader)
        await asyncio.get_running_loop().connect_read_pipe(protocol, forked.stdout)
        return Awaited(forked, reader)


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
