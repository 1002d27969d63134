"""How soon a page of seats can be used, in houses of several sizes: `python -m benchmarks.pages http://127.0.0.1:8000`.

It asks a running, empty Usher with the demo, as its organizer, for houses of 80, 1,222, 5,000 and 40,000 seats, and
opens each in Debian's Chromium. A page is ready when the first click would count; bytes are those on the wire.
"""

import asyncio
import json
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from playwright.async_api import Browser, async_playwright

HOUSES = {80: (4, 4, 5), 1_222: (6, 14, 15), 5_000: (10, 20, 25), 40_000: (40, 25, 40)}
TIMES = 3
FRAMES = """
() => new Promise((done) => {
  const room = document.querySelector('.room').getBoundingClientRect();
  const picture = document.querySelector('[data-testid=map]');
  const frames = [];
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    const place = { clientX: room.x + room.width / 2, clientY: room.y + room.height / 2, bubbles: true };
    picture.dispatchEvent(
      new WheelEvent('wheel', { deltaY: frames.length % 40 < 20 ? -9 : 9, ctrlKey: true, cancelable: true, ...place }),
    );
    if (frames.length < 60) requestAnimationFrame(step);
    else done(frames.slice(5));
  };
  requestAnimationFrame(step);
})
"""


def ask(url: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    """One call of the API."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return json.load(answer)


def blocks(sections: int, rows: int, seats: int) -> list[dict[str, Any]]:
    """Blocks in rows of five."""
    return [
        {
            "name": f"Block {number + 1}",
            "category": ("vip", "category-1", "category-2")[min(number // 5, 2)],
            "rows": [
                {
                    "row": str(row + 1),
                    "seats": [
                        {
                            "number": seat + 1,
                            "x": number % 5 * (seats + 5) + seat,
                            "y": number // 5 * (rows + 4) + row,
                        }
                        for seat in range(seats)
                    ],
                }
                for row in range(rows)
            ],
        }
        for number in range(sections)
    ]


def screening(url: str, token: str, size: int) -> int:
    """A screening in a new house of about this size."""
    layout = {"sections": blocks(*HOUSES[size])}
    house = ask(f"{url}/theaters", {"name": f"House of {size}", "timezone": "UTC", "layout": layout}, token)
    prices = {name: {"amount_minor": 1_000, "currency": "EUR"} for name in ("vip", "category-1", "category-2")}
    starts_at = (datetime.now(UTC) + timedelta(days=3)).isoformat().replace("+00:00", "Z")
    body = {"title": f"A house of {size}", "starts_at": starts_at, "prices": prices}
    return int(ask(f"{url}/theaters/{house['id']}/screenings", body, token)["id"])


async def visit(browser: Browser, address: str) -> tuple[float, int, int, float]:
    """Milliseconds until ready, bytes of the page, bytes of the API, milliseconds of the median frame of a zoom."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    urls: dict[str, str] = {}
    sizes = {"page": 0, "api": 0}
    session.on("Network.responseReceived", lambda event: urls.update({event["requestId"]: event["response"]["url"]}))

    def finished(event: dict[str, Any]) -> None:
        kind = "api" if "/api/" in urls.get(event["requestId"], "") else "page"
        sizes[kind] += int(event["encodedDataLength"])

    session.on("Network.loadingFinished", finished)
    await page.add_init_script(
        "new MutationObserver(() => { if (document.documentElement.dataset.ready && !window.__ready) "
        "window.__ready = performance.now(); }).observe(document, { attributes: true, subtree: true });"
    )
    await page.goto(address)
    await page.wait_for_selector("html[data-ready=true]")
    ready = float(await page.evaluate("window.__ready"))
    frames = await page.evaluate(FRAMES)
    await context.close()
    return ready, sizes["page"], sizes["api"], median(frames)


async def main(url: str) -> None:
    """Measure, and print a table."""
    token = ask(f"{url}/auth/login", {"username": "organizer", "password": "usher-demo"})["access_token"]
    print(f"{'seats':>7} {'ready ms':>9} {'page kB':>8} {'API kB':>8} {'frame ms':>9}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for size in HOUSES:
            address = f"{url}/book/{screening(url, token, size)}?lang=en"
            seen = [await visit(browser, address) for _ in range(TIMES)]
            ready, frame = median(each[0] for each in seen), median(each[3] for each in seen)
            print(f"{size:>7} {ready:>9.0f} {seen[0][1] / 1000:>8.1f} {seen[0][2] / 1000:>8.1f} {frame:>9.1f}")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1].rstrip("/")))
