"""Those who never read, at both live doors: they are let go within bounds while everybody else hears everything."""

import asyncio
import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from app.db.seat_maps.seat_events import SeatChange
from app.server.protocols import http_protocol, websocket_protocol
from app.server.protocols.websocket_protocol import LiveSocket
from app.services.live import broadcast as module
from app.services.news import News
from tests.conftest import MakeSettings
from tests.listeners import House, Socket, house, seats
from tests.patience import until_true

BUFFER_KIB = 16
EACH = 200
"""So many do not read at each door."""
CHANGES = 4_000

UPGRADE = (
    b"GET /ws/screenings/1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STREAM = b"GET /screenings/1/live HTTP/1.1\r\nHost: x\r\n\r\n"


async def deaf(usher: House, ask: bytes) -> socket.socket:
    """A listener that never reads, with a small buffer."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connected.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connected, ("127.0.0.1", usher.port))
    await loop.sock_sendall(connected, ask)
    return connected


def waiting(usher: House) -> int:
    """The bytes that this process keeps for those who have not read them."""
    kept = 0
    for connection in usher.server.server_state.connections:
        transport: Any = getattr(connection, "_plain", None) or connection.transport
        kept += transport.get_write_buffer_size()
    for broadcast in usher.resources.live._broadcasts.values():
        kept += sum(getattr(listener, "_bytes", 0) for listener in broadcast.listeners)
    return kept


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's, so that few changes fill them; and no pause between two messages."""
    for each in (http_protocol, websocket_protocol):
        monkeypatch.setattr(each, "KERNEL_BUFFER", 4_096)
    monkeypatch.setattr(module, "MERGED_SECONDS", 0.0)


async def test_little_may_come_before_it_is_read(make_settings: MakeSettings) -> None:
    """What many send at the same moment is copied in one turn of the loop."""
    async with house(make_settings()) as usher, usher.socket() as opened:
        await Socket(opened).next()
        [connection] = [each for each in usher.server.server_state.connections if isinstance(each, LiveSocket)]
        connected = connection.transport.get_extra_info("socket")

        kept = connected.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    assert kept <= 2 * websocket_protocol.ARRIVING_MAX  # Linux counts what it needs for itself


def news(version: int) -> News:
    """Four seats, taken at once."""
    at = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
    changes = tuple(SeatChange(version, seat, "reserved", at, None, None) for seat in range(1, 5))
    return News(version - 1, version, changes)


@pytest.mark.usefixtures("small_buffers")
async def test_four_hundred_who_never_read_are_let_go_while_thousands_of_changes_flow(
    make_settings: MakeSettings,
) -> None:
    async with house(make_settings(live_buffer_kib=BUFFER_KIB)) as usher, usher.socket() as opened:
        quick, live = Socket(opened), usher.resources.live
        await quick.next()
        never = [await deaf(usher, ask) for ask in (UPGRADE, STREAM) for _ in range(EACH)]
        await until_true(lambda: len(live.limits) == 2 * EACH + 1)
        [broadcast] = live._broadcasts.values()
        most = 0

        for version in range(1, CHANGES + 1):
            broadcast.hear(news(version))
            assert (await seats(quick))["version"] == version
            most = max(most, waiting(usher))

        # A socket has the buffer and one message beyond it. A stream has that twice, as what waits and as what is being
        # sent, after the 64 KiB that asyncio takes before it says that nobody reads.
        assert most <= EACH * (3 * (BUFFER_KIB + 2) + 64) * 1024
        await until_true(lambda: len(live.limits) == 1)
        await until_true(lambda: len(usher.server.server_state.connections) == 1)
        assert waiting(usher) == 0
        for each in never:
            each.close()
