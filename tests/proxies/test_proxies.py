"""Usher behind real proxies, with the configurations of ops/: addresses, streams, sockets, packed maps."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.settings import Settings
from tests.forking import Forked, Forker, Started
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT, patience

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def process(*words: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A program, until the block ends."""
    with subprocess.Popen(
        words, env=os.environ | PATIENT_ENVIRONMENT | environment, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.wait(PATIENCE_SECONDS)


@contextmanager
def serving(forker: Forker, **settings: str) -> Iterator[Forked]:
    """`usher serve` with these settings, until the block ends."""
    running = forker.start("serve", environment=os.environ | PATIENT_ENVIRONMENT | settings, complains_to=2)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(PATIENCE_SECONDS)


async def until_it_listens(port: int, running: Started) -> None:
    async with patience():
        while True:
            assert running.poll() is None, "it has ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@pytest.fixture
async def usher(settings: Settings, forker: Forker) -> AsyncIterator[int]:
    """A service that believes the proxies of this machine: its port."""
    port = free_port()
    own = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "JWT_SECRET": settings.jwt_secret or "",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "RATE_LIMITS": "on",
        "RATE_READING": "1000/minute",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with serving(forker, **own) as running:
        await until_it_listens(port, running)
        yield port


@contextmanager
def nginx(directory: Path, before: int, *behind: int) -> Iterator["subprocess.Popen[str]"]:
    """nginx with our configuration, listening on `before` and asking those `behind`."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    ours = (ROOT / "ops/nginx.conf").read_text()
    assert "listen 80;" in ours
    assert "    server 127.0.0.1:8000;\n" in ours
    directory.chmod(0o777)  # its workers run as another user
    servers = "".join(f"    server 127.0.0.1:{port};\n" for port in behind)
    written = ours.replace("listen 80;", f"listen 127.0.0.1:{before};").replace("    server 127.0.0.1:8000;\n", servers)
    (directory / "usher.conf").write_text(written)
    temporary = "".join(
        f"{name}_temp_path {directory};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = (
        f"daemon off; pid {directory}/pid; error_log {directory}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; gzip on; gzip_proxied any; gzip_types application/json; {temporary}"
        f" include {directory}/usher.conf; }}"
    )
    (directory / "nginx.conf").write_text(main)
    with process(program, "-c", str(directory / "nginx.conf"), "-p", str(directory)) as running:
        yield running


@contextmanager
def haproxy(directory: Path, before: int, *behind: int) -> Iterator["subprocess.Popen[str]"]:
    """HAProxy with our configuration, listening on `before` and asking those `behind`."""
    program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("HAProxy is not installed")
    ours = (ROOT / "ops/haproxy.cfg").read_text()
    assert "bind :80" in ours
    assert "    server usher1 127.0.0.1:8000\n" in ours
    servers = "".join(f"    server usher{number} 127.0.0.1:{port}\n" for number, port in enumerate(behind, 1))
    written = ours.replace("bind :80", f"bind 127.0.0.1:{before}").replace(
        "    server usher1 127.0.0.1:8000\n", servers
    )
    file = directory / "haproxy.cfg"
    file.write_text(written)
    with process(program, "-db", "-f", str(file)) as running:
        yield running


@pytest.fixture(params=["nginx", "haproxy", "nginx before haproxy"])
async def world(request: pytest.FixtureRequest, usher: int, tmp_path: Path) -> AsyncIterator[int]:
    """The port at which the world knocks."""
    front, middle = free_port(), free_port()
    match request.param:
        case "nginx":
            with nginx(tmp_path, front, usher) as running:
                await until_it_listens(front, running)
                yield front
        case "haproxy":
            with haproxy(tmp_path, front, usher) as running:
                await until_it_listens(front, running)
                yield front
        case _:
            with haproxy(tmp_path, middle, usher) as behind, nginx(tmp_path, front, middle) as before:
                await until_it_listens(middle, behind)
                await until_it_listens(front, before)
                yield front


def calling(world: int, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Somebody out in the world."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{world}", headers=headers, timeout=PATIENCE_SECONDS)


async def five_clients_behind_a_proxy_are_five_clients(world: int) -> None:
    """Each has come through another proxy of the house, which this one passes on; none is counted with another."""
    left = []
    for client in range(1, 6):
        headers = {"x-forwarded-for": f"127.0.0.1, 198.51.100.{client}, 127.0.0.1"}
        async with calling(world, headers) as http:
            for _ in range(2):
                answer = await http.get("/theaters")
                assert answer.status_code == 200
            left.append(answer.headers["ratelimit"].partition(";t=")[0])

    assert len(set(left)) == 1, left


async def a_stream_comes_through_as_it_is_sent(world: int) -> None:
    async with (
        calling(world) as http,
        http.stream("GET", "/screenings/1/live") as stream,
    ):
        lines = stream.aiter_lines()
        assert stream.status_code == 200
        assert (await anext(lines)).startswith("retry:")
        held = await http.post("/screenings/1/reservations", json={"seats": ["A1"]})
        assert held.status_code == 201
        async for line in lines:
            if line.startswith("data:") and "bulk_seat_update" in line:
                break


async def a_socket_comes_through_also_from_a_page_of_the_same_host(world: int) -> None:
    opened = connect(
        f"ws://127.0.0.1:{world}/ws/screenings/1",
        origin=f"http://127.0.0.1:{world}",
        proxy=None,  # type: ignore[arg-type]
        open_timeout=PATIENCE_SECONDS,
    )
    async with opened as ws, patience():
        assert "connection_confirmed" in str(await ws.recv())


async def a_request_id_of_the_caller_is_kept(world: int) -> None:
    async with calling(world) as http:
        mine = await http.get("/theaters", headers={"x-request-id": "mine"})
        new = await http.get("/theaters")

    assert mine.headers["x-request-id"] == "mine"
    assert new.headers["x-request-id"]


async def a_map_that_is_known_is_not_sent_again_whoever_packs_it(world: int) -> None:
    async with calling(world) as http:
        for packing in ("gzip", "identity"):
            first = await http.get("/screenings/1/seats", headers={"accept-encoding": packing})
            again = await http.get(
                "/screenings/1/seats", headers={"accept-encoding": packing, "if-none-match": first.headers["etag"]}
            )

            assert (first.status_code, len(first.json()["seats"])) == (200, 80)
            assert again.status_code == 304


async def test_everything_comes_through(world: int) -> None:
    """One service for all of it: to start it takes longer than to ask it."""
    await five_clients_behind_a_proxy_are_five_clients(world)
    await a_stream_comes_through_as_it_is_sent(world)
    await a_socket_comes_through_also_from_a_page_of_the_same_host(world)
    await a_request_id_of_the_caller_is_kept(world)
    await a_map_that_is_known_is_not_sent_again_whoever_packs_it(world)


async def test_a_socket_whose_upgrade_was_dropped_is_told_so(usher: int, tmp_path: Path) -> None:
    port = free_port()
    with pytest.MonkeyPatch.context() as patched:
        careless = (ROOT / "ops/nginx.conf").read_text().replace("proxy_set_header Upgrade $http_upgrade;", "")
        careless = careless.replace("proxy_set_header Connection $usher_connection;", "")
        original = Path.read_text
        patched.setattr(
            Path, "read_text", lambda path, *rest: careless if path.name == "nginx.conf" else original(path, *rest)
        )
        with nginx(tmp_path, port, usher) as running:
            await until_it_listens(port, running)
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"ws://127.0.0.1:{port}/ws/screenings/1", proxy=None, open_timeout=PATIENCE_SECONDS):
                    pass

    assert refused.value.response.status_code == 426
    assert b"upgrade-required" in refused.value.response.body
    assert b"proxy_set_header" in refused.value.response.body
