"""A real browser on a real server. Where there is no Chromium there is nothing to test in: .ci/run installs one."""

import os
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from app.domain.people.people import Role
from tests.conftest import DEMO, JWT_SECRET, Copied, connect
from tests.order import Connection
from tests.organizers import token_of
from tests.patience import PATIENCE_SECONDS
from tests.places import Place
from tests.processes import Served, Starter
from tests.races.conftest import start_process
from tests.web.houses import Organizer, Show

__all__ = ["page", "start_process"]

CHROMIUM = shutil.which("chromium")
collect_ignore_glob = [] if CHROMIUM else ["test_*.py"]

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
AXE = Path(__file__).parents[2] / ".ci/node_modules/axe-core/axe.min.js"

# What a layout shift is: the sum of those that no click or key of the moment before explains.
SHIFTS = """
window.__shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.__shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""

expect.set_options(timeout=1000 * PATIENCE_SECONDS)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests; each has a profile of its own in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page of a browser that has never been anywhere."""
    context = await browser.new_context()
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    yield await context.new_page()
    await context.close()


def free_port() -> int:
    """A port where nobody listens now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def serve(starter: Starter, place: Place, database: str, port: int, **settings: str) -> Served:
    """`usher serve` on this database, until it is ready."""
    return await starter.start(
        {
            "DATABASE_URL": place.url_of(database),
            "REDIS_URL": place.redis_url,
            "JWT_SECRET": JWT_SECRET,
            "RATE_LIMITS": "off",
            "PORT": str(port),
            **settings,
        }
    )


@pytest.fixture(scope="session")
async def house_database(templates: Place, copied: Copied) -> AsyncIterator[str]:
    """One demo database for all tests of pages; each has a screening of its own in it."""
    if templates.given is not None:
        pytest.skip("needs a database beside that of a test, and TEST_DATABASE_URL gives one")
    name = f"test_{secrets.token_hex(6)}"
    async with copied(DEMO, name):
        yield name


@pytest.fixture(scope="session")
async def usher(starter: Starter, templates: Place, house_database: str) -> AsyncIterator[Served]:
    """One server for all tests of pages."""
    served = await serve(starter, templates, house_database, 0, FRAME_ANCESTORS="http://localhost:*")
    yield served
    await served.stop()


@pytest.fixture
async def seats(templates: Place, house_database: str) -> AsyncIterator[Connection]:
    """A connection to the database of the pages, to move times back."""
    connection: Connection = await connect(templates.url_of(house_database))
    yield connection
    await connection.close()


@pytest.fixture
async def organizer(usher: Served, seats: Connection) -> AsyncIterator[Organizer]:
    """Somebody who makes houses and screenings."""
    async with usher.client() as client:
        yield Organizer(client, await token_of(seats, Role.ORGANIZER))


@pytest.fixture
async def client(usher: Served) -> AsyncIterator[AsyncClient]:
    """A program beside the browser."""
    async with usher.client() as opened:
        yield opened


@pytest.fixture
async def show(organizer: Organizer) -> Show:
    """A screening in a house of 80 seats."""
    return await organizer.screening()


Visit = Callable[..., Awaitable[Page]]


class Visitors:
    """Opens pages, each in a profile of its own, and keeps what the browser complains about."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    async def open(self, path: str, *, width: int = 1280, height: int = 800, **options: Any) -> Page:
        """A page that is ready. `options` are those of a Playwright context."""
        options = {"locale": "en-GB", "reduced_motion": "reduce", **options}
        context = await self._browser.new_context(viewport={"width": width, "height": height}, **options)
        self._contexts.append(context)
        await context.add_init_script(SHIFTS)
        page = await context.new_page()
        page.on("request", lambda asked: self._asked(asked.url))
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(f"{error.name}: {error.message} {error.stack}"))
        await page.goto(self.url + path)
        await page.wait_for_selector("html[data-ready=true]")
        return page

    async def close(self) -> None:
        """Close all, after a look at how far things jumped."""
        for context in self._contexts:
            for page in context.pages:
                with suppress(Exception):
                    shift = await page.evaluate("window.__shift ?? 0")
                    if shift > 0.05:
                        self.complaints.append(f"{page.url}: things jumped by {shift:.3f}")
            await context.close()

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, self.url.replace("http", "ws"), "data:", "blob:", "about:")):
            self.elsewhere.append(url)

    def _said(self, kind: str, text: str) -> None:
        # The browser itself writes a line about every refusal and every lost connection, whatever the page does.
        of_the_browser = ("Failed to load resource", "WebSocket connection to", "net::ERR")
        if kind == "error" and not text.startswith(of_the_browser):
            self.complaints.append(text)


@pytest.fixture
async def visitors(browser: Browser, usher: Served) -> AsyncIterator[Visitors]:
    """Buyers. At the end: no error on the console, no request to another host, nothing that jumped."""
    opened = Visitors(browser, usher.url)
    yield opened
    await opened.close()
    assert opened.complaints == []
    assert opened.elsewhere == []


async def axe(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    if not AXE.exists():
        assert "CI" not in os.environ, "axe-core is not there: npm ci --prefix .ci"
        return []
    await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations.map((one) => "
        "`${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`))"
    )
    return [str(one) for one in found]
