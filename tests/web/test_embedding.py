"""In a frame of somebody else's page: no header, events to that page alone, and never a token."""

from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.order import Connection, let_run_out
from tests.processes import Served
from tests.web.houses import Show

PAGE = """<!doctype html><title>A theater's own page</title><script>
window.heard = [];
addEventListener("message", (event) => window.heard.push({ origin: event.origin, ...event.data }));
</script><iframe src="%s" width="1000" height="800"></iframe>"""


@pytest.fixture
async def embedder() -> AsyncIterator[ThreadingHTTPServer]:
    """Another site. `.frame` is the address that its page shows."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (PAGE % self.server.frame).encode()  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_page_around_is_told(
    browser: Browser, usher: Served, show: Show, embedder: ThreadingHTTPServer
) -> None:
    embedder.frame = f"{usher.url}/book/{show.id}?embed=1&lang=en"  # type: ignore[attr-defined]
    context = await browser.new_context()
    page = await context.new_page()

    await page.goto(f"http://localhost:{embedder.server_port}/")
    frame = page.frame_locator("iframe")
    await frame.locator(f"svg [data-seat-id='{show.seats['A4']}']").click()
    await expect(frame.get_by_test_id("basket-seat")).to_have_count(1)
    await frame.get_by_test_id("continue").click()
    await frame.get_by_test_id("email").fill("ann@example.org")
    await frame.get_by_test_id("pay").click()
    await expect(frame.get_by_test_id("ticket")).to_be_visible()

    await expect(frame.locator("header.top")).to_have_count(0)
    heard: list[dict[str, Any]] = await page.evaluate("window.heard")
    assert {message["type"] for message in heard} == {"ready", "resize", "selection", "booked"}
    assert all(message["source"] == "usher" and message["v"] == 1 for message in heard)
    assert all(message["screening_id"] == show.id and message["origin"] == usher.url for message in heard)
    selection = next(message for message in heard if message["type"] == "selection" and message["seats"])
    assert selection["seats"] == [
        {"seat_id": show.seats["A4"], "label": "A4", "price": {"amount_minor": 4500, "currency": "EUR"}}
    ]
    assert selection["total"] == {"amount_minor": 4500, "currency": "EUR"}
    assert "token" not in str(heard)
    await context.close()


async def test_the_page_around_is_told_of_a_refusal_and_of_an_end(
    browser: Browser, usher: Served, show: Show, seats: Connection, embedder: ThreadingHTTPServer
) -> None:
    embedder.frame = f"{usher.url}/book/{show.id}?embed=1&lang=en"  # type: ignore[attr-defined]
    context = await browser.new_context()
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"http://localhost:{embedder.server_port}/")
    frame = page.frame_locator("iframe")
    await frame.locator(f"svg [data-seat-id='{show.seats['A4']}']").click()
    await frame.get_by_test_id("continue").click()
    await frame.get_by_test_id("email").fill("ann@example.org")

    await frame.get_by_test_id("card").fill("unavailable")
    await frame.get_by_test_id("pay").click()
    await expect(frame.get_by_test_id("pay-error")).to_be_visible()
    await let_run_out(seats, show.id)
    await page.clock.fast_forward(301_000)
    await expect(frame.get_by_test_id("expired")).to_be_visible()

    heard: list[dict[str, Any]] = await page.evaluate("window.heard")
    errors = [message for message in heard if message["type"] == "error"]
    assert [message["code"] for message in errors] == ["payments-unavailable"]
    assert errors[0]["request_id"]
    [expired] = [message for message in heard if message["type"] == "expired"]
    assert expired["seats"] == [{"seat_id": show.seats["A4"], "label": "A4"}]
    await context.close()
