"""People who watch live seats through a real server: over a WebSocket, or as Server-Sent Events."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import uvicorn
from fastapi import FastAPI
from httpx import AsyncClient, Limits, Response, Timeout
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.resources import Resources
from app.server.protocols.http_protocol import BoundedHttp
from app.server.protocols.websocket_protocol import LiveSocket
from app.settings import Settings
from tests.conftest import built, may_serve_again
from tests.patience import PATIENCE_SECONDS, patience

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class House:
    """A real server on this machine, in the loop of the test."""

    port: int
    app: FastAPI
    server: uvicorn.Server
    client: AsyncClient
    """Speaks to it over the network."""

    @property
    def resources(self) -> Resources:
        """What it has open."""
        opened = self.app.state.resources
        assert isinstance(opened, Resources)
        return opened

    def socket(
        self,
        screening: int | str = 1,
        *,
        query: str = "",
        base: str = "/ws",
        offered: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> "connect":
        """A socket that is about to be opened."""
        return connect(
            f"ws://127.0.0.1:{self.port}{base}/screenings/{screening}{query}",
            open_timeout=PATIENCE_SECONDS,
            subprotocols=[Subprotocol(each) for each in offered] or None,
            additional_headers=headers,
            compression=None,
            ping_interval=None,
            proxy=None,
            max_size=None,
            close_timeout=2,
        )

    @asynccontextmanager
    async def stream(
        self, screening: int = 1, *, query: str = "", headers: dict[str, str] | None = None
    ) -> AsyncIterator["Stream"]:
        """A stream of events."""
        path = f"/api/v1/screenings/{screening}/live{query}"
        async with self.client.stream("GET", path, headers=headers) as answer:
            yield Stream(answer)


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def house(settings: Settings) -> AsyncIterator[House]:
    """Serve with these settings, as `usher serve` does."""
    app = built(settings)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = _Server(
            uvicorn.Config(
                app,
                http=BoundedHttp,
                ws=LiveSocket,
                ws_max_size=64 * 1024,
                ws_per_message_deflate=False,
                lifespan="on",
                log_config=None,
                access_log=False,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=5,
            )
        )
        serving = asyncio.ensure_future(server.serve([listener]))
        try:
            async with AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                limits=Limits(max_connections=None, max_keepalive_connections=20),
                timeout=Timeout(PATIENCE_SECONDS),
            ) as client:
                await asyncio.wait((serving, asyncio.ensure_future(server.is_up.wait())), return_when="FIRST_COMPLETED")
                yield House(port, app, server, client)
        finally:
            server.should_exit = True
            await serving
            may_serve_again(app)


class Told(Protocol):
    """Whoever is told messages, one after the other."""

    async def next(self) -> Json: ...


async def seats(listener: Told) -> Json:
    """The next message that is about seats."""
    while True:
        message = await listener.next()
        if message["type"] in ("bulk_seat_update", "resync"):
            return message


class Stream:
    """An SSE client, as the standard has it."""

    def __init__(self, answer: Response) -> None:
        self.answer = answer
        self.last_event_id: int | None = None
        self.retry_ms: int | None = None
        self.event = ""
        """The name of the last event."""
        self._lines = answer.aiter_lines()

    async def next(self) -> Json:
        """The data of the next event. Raises StopAsyncIteration at the end of the stream."""
        event, data = "message", ""
        async with patience():
            async for line in self._lines:
                name, _, value = line.partition(": ")
                match name:
                    case "event":
                        event = value
                    case "data":
                        data += value
                    case "id":
                        self.last_event_id = int(value)
                    case "retry":
                        self.retry_ms = int(value)
                    case "" if data:
                        self.event = event
                        message: Json = json.loads(data)
                        return message
        raise StopAsyncIteration


class Socket:
    """A WebSocket client that reads JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def next(self) -> Json:
        """The next message. Raises ConnectionClosed."""
        async with patience():
            message: Json = json.loads(await self.connection.recv())
        return message

    async def say(self, message: Any) -> None:
        """Send this as JSON."""
        await self.connection.send(json.dumps(message))

    async def close_code(self) -> int:
        """Read until the other side closes; why it did."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006  # no close frame came


@dataclass
class Map:
    """What somebody knows of a screening who read the map once and was told the rest."""

    version: int = -1
    statuses: dict[int, str] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    must_read_again: bool = False

    def read(self, seat_map: Json) -> None:
        """Take in a whole map."""
        self.version = seat_map["version"]
        self.statuses = {seat["seat_id"]: seat["status"] for seat in seat_map["seats"]}
        self.must_read_again = False

    def hear(self, message: Json) -> None:
        """Take in a message."""
        if message["type"] == "resync":
            self.must_read_again = True
        if message["type"] == "bulk_seat_update":
            assert message["version"] > self.version, "versions only grow"
            self.version = message["version"]
            self.versions.append(message["version"])
            for update in message["updates"]:
                self.statuses[update["seat_id"]] = update["status"]
