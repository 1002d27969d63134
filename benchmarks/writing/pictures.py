"""Makes the pictures of the pages that the README shows: `make pictures`. It starts an Usher of its own."""

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from playwright.async_api import Page, async_playwright

DOCS: Final = Path(__file__).parents[2] / "docs"
HALL: Final = "/screenings/4"
BY_OTHERS: Final = (
    *(("Block B", row, seat) for row in (1, 2, 4) for seat in (5, 6, 7, 8)),
    *(("Block B", 7, seat) for seat in range(9, 17)),
    *(("Block E", row, seat) for row in (7, 8) for seat in range(3, 9)),
    *(("Block D", row, seat) for row in (8, 9, 10) for seat in range(4, 12)),
    *(("Block A", row, seat) for row in (6, 7) for seat in range(10, 18)),
    *(("Block C", row, seat) for row in (2, 3) for seat in range(2, 9)),
)
MINE: Final = {"light": (9, 10, 11), "dark": (2, 3, 4)}
"""Which seats of a row are held in which picture: those of the first are still held in the second."""


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    """One call of the API, without a token."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, {"content-type": "application/json"})) as answer:
        return json.load(answer)


def fill(url: str) -> dict[str, int]:
    """Others hold and book seats. Gives the seats' ids by label."""
    labels = [f"{section}-{row}-{seat}" for section, row, seat in BY_OTHERS]
    for at in range(0, len(labels), 10):
        some = {"seats": labels[at : at + 10]}
        ask(f"{url}/bookings", {**some, "screening_id": 4}) if at % 30 else ask(f"{url}{HALL}/reservations", some)
    layout = ask(f"{url}/theaters/3/layout")
    return {seat["label"]: seat["id"] for seat in layout["seats"]}


async def choose(page: Page, address: str, seats: list[int]) -> None:
    """Open the map, and hold three seats."""
    await page.goto(address)
    await page.wait_for_selector("html[data-ready=true]")
    for seat in seats:
        await page.locator(f"svg [data-seat-id='{seat}']").click()
    await page.wait_for_selector("[data-testid=basket-seat]:nth-child(3):not([data-pending])")
    await page.mouse.move(5, 5)
    await page.wait_for_timeout(400)


async def take(url: str) -> None:
    """Take the pictures."""
    seats = fill(url)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for name, scheme in (("seats", "light"), ("seats-dark", "dark")):
            context = await browser.new_context(
                viewport={"width": 1280, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page = await context.new_page()
            mine = [seats[f"Block B-5-{number}"] for number in MINE[scheme]]
            await choose(page, f"{url}/book/4?lang=en", mine)
            await page.screenshot(path=DOCS / f"{name}.png")
            await context.close()
        await browser.close()


def main() -> None:
    """Start an Usher, take the pictures, stop it."""
    with TemporaryDirectory(prefix="usher-pictures-") as home:
        Path(home).chmod(0o711)
        server = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            env=environ | {"USHER_HOME": f"{home}/home", "PORT": "0"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for line in server.stdout or ():
                if found := re.search(r"Usher is ready: (\S+)", line):
                    asyncio.run(take(found[1]))
                    break
        finally:
            server.terminate()
            server.communicate()


if __name__ == "__main__":
    main()
