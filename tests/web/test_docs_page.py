"""Swagger UI at /docs, in a real browser and without internet."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.conftest import MakeSettings
from tests.listeners import house
from tests.order import Connection, edit

LIVE = "#operations-seats-followScreening"
ME = "#operations-people-whoAmI"
HOLD = "#operations-reservations-holdSeats"


@pytest.fixture
async def url(make_settings: MakeSettings) -> AsyncIterator[str]:
    """Where it is served."""
    async with house(make_settings()) as usher:
        yield f"http://127.0.0.1:{usher.port}"


async def test_a_seat_can_be_held_from_the_documentation(url: str, page: Page) -> None:
    elsewhere: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda asked: None if asked.url.startswith((url, "data:")) else elsewhere.append(asked.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)

    await page.goto(f"{url}/docs")
    await page.locator(f"{HOLD} .opblock-summary").click()
    await page.locator(f"{HOLD} button.execute").click()

    await expect(page.locator(f"{HOLD} .live-responses-table tbody .response-col_status").first).to_contain_text("201")
    await expect(page.locator(f"{HOLD} .live-responses-table")).to_contain_text("guest_token")
    assert elsewhere == []
    assert complaints == []


async def test_on_a_later_day_the_forms_name_what_is_on_sale_then(
    make_settings: MakeSettings, page: Page, database: Connection
) -> None:
    await edit(database, "starts_at = now() - interval '1 day'", "id < 4")
    async with house(make_settings()) as usher:
        await page.goto(f"http://127.0.0.1:{usher.port}/docs")
        await page.locator(f"{HOLD} .opblock-summary").click()

        await expect(page.locator(f"{HOLD} tr[data-param-name=screening_id] input")).to_have_value("4")
        await page.close()


async def test_locks_are_open_until_somebody_signs_in(url: str, page: Page) -> None:
    await page.goto(f"{url}/docs")

    await expect(page.locator(f"{HOLD} [aria-label='authorization button unlocked']")).to_be_visible()
    await expect(page.locator("[aria-label='authorization button locked']")).to_have_count(0)


async def test_a_stream_without_an_end_shows_how_it_begins(url: str, page: Page) -> None:
    await page.goto(f"{url}/docs")
    await page.locator(f"{LIVE} .opblock-summary").click()
    await page.locator(f"{LIVE} button.execute").click()

    answer = page.locator(f"{LIVE} .live-responses-table")
    await expect(answer).to_contain_text("connection_confirmed")
    await expect(answer.locator("tbody .response-col_status").first).to_contain_text("200")


async def test_the_page_works_on_a_narrow_screen(url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})

    await page.goto(f"{url}/docs")
    for operation in (HOLD, LIVE, ME):
        await page.locator(f"{operation} .opblock-summary-control").click()
    await page.locator(f"{HOLD} button.execute").click()
    await expect(page.locator(f"{HOLD} .live-responses-table")).to_contain_text("guest_token")

    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    for part in (".opblock-summary-path", "button.execute", ".body-param textarea"):
        box = await page.locator(f"{HOLD} {part}").first.bounding_box()
        assert box is not None
        assert (box["x"] >= 0, box["x"] + box["width"] <= 390) == (True, True), part
