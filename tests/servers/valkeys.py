"""Valkeys of a test's own: with rights, bounds, replicas and sentinels; and a way to one by TLS, which it has not."""

import asyncio
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis

from app.adapters.embedded.account import me
from app.adapters.embedded.process import run, start, why_it_ended
from app.adapters.embedded.programs import valkey_program
from tests.patience import wait_until


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs, on a port and at a socket."""

    port: int
    socket: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """The plainest way there."""
        return f"redis://127.0.0.1:{self.port}/0"

    def say(self, *words: str) -> Any:
        """Say something to it."""
        with redis.Redis(port=self.port) as connection:
            return connection.execute_command(*words)


@contextmanager
def valkey(*options: str, configuration: str = "", program: Path | None = None) -> Iterator[Server]:
    """It runs as long as the block. `configuration`: of a file that it may write to, as sentinels do.

    `program`: another one than Usher's own.
    """
    with TemporaryDirectory(prefix="usher valkey ") as name:
        directory = Path(name)
        port = free_port()
        (directory / "conf").write_text(
            f'port {port}\nbind 127.0.0.1\nunixsocket "{directory / "sock et"}"\nsave ""\n{configuration}'
        )
        process = start(
            [str(program or valkey_program(me())), str(directory / "conf"), *options],
            account=me(),
            directory=directory,
            log=directory / "log",
            death_signal=signal.SIGKILL,
        )
        try:
            wait_until(lambda: process.poll() is not None or _answers(port))
            assert process.poll() is None, why_it_ended(directory / "log")
            yield Server(port, directory / "sock et", process)
        finally:
            process.kill()
            process.wait()


@asynccontextmanager
async def behind_tls(server: Server, directory: Path) -> AsyncIterator[tuple[int, Path]]:
    """A port that speaks TLS for a Valkey, and the certificate, which is for `localhost`."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
    named = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    run(["openssl", "req", "-x509", *key, *named, "-keyout", "key", "-out", "crt"], account=me(), directory=directory)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "crt", directory / "key")
    calls: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while said := await reader.read(65_536):
                writer.write(said)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", server.port)
        for end in (pump(reader, there), pump(there_reader, writer)):
            calls.add(asyncio.create_task(end))

    listener = await asyncio.start_server(call, "127.0.0.1", 0, ssl=context)
    yield listener.sockets[0].getsockname()[1], directory / "crt"
    listener.close()
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


def _answers(port: int) -> bool:
    with redis.Redis(port=port, socket_timeout=1) as connection:
        try:
            return bool(connection.ping())
        except redis.RedisError:
            return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
