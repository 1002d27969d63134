"""A line to a server that can be cut in the middle of a word: what becomes of whoever was speaking?"""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory


class Fate(Enum):
    """What becomes of a word, and of the call in which it is said."""

    CUT_BEFORE = "it never arrives, and the line is dead"
    CUT_AFTER = "it arrives, its answer does not, and the line is dead"
    SWALLOWED = "it never arrives, and nobody hangs up"


class Line:
    """Passes calls on to a server behind a unix socket."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._calls: set[StreamWriter] = set()
        self._word: bytes | None = None
        self._fate = Fate.CUT_BEFORE
        self.is_closed = False
        """It takes no calls any more."""
        self.closes_then = False
        """It takes no calls any more once a word has met its fate."""
        self.happened = asyncio.Event()
        """The word was said, and met its fate."""

    def when(self, word: bytes, fate: Fate, *, closes_then: bool = False) -> None:
        """This is what happens to the next client who says this word."""
        self._word, self._fate, self.closes_then = word, fate, closes_then
        self.happened.clear()

    def cut(self) -> None:
        """End all calls."""
        for end in self._calls:
            end.transport.abort()

    async def take(self, client: StreamReader, to_client: StreamWriter) -> None:
        """Take one call, to its end."""
        if self.is_closed:
            to_client.transport.abort()
            return
        server, to_server = await asyncio.open_unix_connection(self._server)
        ends = {to_client, to_server}
        self._calls |= ends
        listening = asyncio.ensure_future(self._listen(client, to_server))
        answering = asyncio.ensure_future(self._answer(server, to_client, listening))
        try:
            await asyncio.wait((listening, answering), return_when=asyncio.FIRST_COMPLETED)
            if listening.done() and not listening.cancelled() and listening.result() is Fate.CUT_AFTER:
                await answering
        finally:
            self._calls -= ends
            for task in (listening, answering):
                task.cancel()
            for end in ends:
                end.transport.abort()

    async def _listen(self, client: StreamReader, to_server: StreamWriter) -> Fate | None:
        """Pass on what the client says, until they hang up or their word meets its fate."""
        while said := await _next(client):
            if self._word is None or self._word not in said:
                to_server.write(said)
                continue
            self._word = None
            if self._fate is Fate.CUT_AFTER:
                to_server.write(said)
                return self._fate
            self._it_happened()
            if self._fate is Fate.CUT_BEFORE:
                return self._fate
        return None

    async def _answer(
        self, server: StreamReader, to_client: StreamWriter, listening: "asyncio.Future[Fate | None]"
    ) -> None:
        """Pass on what the server says, until it hangs up or its answer is the one that must not arrive."""
        while said := await _next(server):
            if listening.done():
                self._it_happened()
                return
            to_client.write(said)

    def _it_happened(self) -> None:
        self.is_closed = self.closes_then
        self.happened.set()


async def _next(reader: StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except OSError:
        return b""


@asynccontextmanager
async def line_to(server: Path) -> AsyncIterator[tuple[Line, Path]]:
    """A line to the server behind this socket, and the socket of the line itself: another directory, the same name."""
    with TemporaryDirectory(prefix="usher-line-") as directory:
        line, socket = Line(server), Path(directory) / server.name
        listener = await asyncio.start_unix_server(line.take, socket)
        yield line, socket
        listener.close()
        line.cut()
        await listener.wait_closed()
