"""The map is brought closer by two fingers, by Ctrl and the wheel, by keys; the page by 400 % zoom; and onto paper."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.patience import patience
from tests.web.conftest import Visitors
from tests.web.houses import Organizer, Show, large
from tests.web.seeing import in_list, is_free, is_mine, on_map, pay

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


async def middle(seat: Locator) -> tuple[float, float]:
    box = await seat.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def size(seat: Locator) -> float:
    box = await seat.bounding_box()
    assert box is not None
    return box["width"]


async def becomes(seat: Locator, is_so: Callable[[float], bool]) -> None:
    """Its size on the screen becomes so, when the map has come to rest."""
    async with patience():
        while not is_so(await size(seat)):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.02)


async def pinch(page: Page, x: float, y: float, before: float, after: float) -> None:
    """Two fingers, side by side about a point, go from one distance to another."""
    session = await page.context.new_cdp_session(page)

    async def touch(kind: str, apart: float | None) -> None:
        fingers = (
            [] if apart is None else [{"x": x - apart / 2, "y": y, "id": 0}, {"x": x + apart / 2, "y": y, "id": 1}]
        )
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    await touch("touchStart", before)
    for step in range(1, 9):
        await touch("touchMove", before + (after - before) * step / 8)
    await touch("touchEnd", None)


async def closer(page: Page, x: float, y: float) -> None:
    """Ctrl and the wheel, at this place."""
    await page.mouse.move(x, y)
    await page.keyboard.down("Control")
    for _ in range(4):
        await page.mouse.wheel(0, -120)
    await page.keyboard.up("Control")
    await expect(page.locator(".stage:not(.is-home)")).to_have_count(1)


@pytest.fixture
async def hall(organizer: Organizer) -> Show:
    """A screening in a hall of 1,222 seats."""
    return await organizer.screening(theater_id=3)


async def test_two_fingers_bring_the_map_closer_and_back(visitors: Visitors, hall: Show) -> None:
    page = await visitors.open(f"/book/{hall.id}", **PHONE)
    seat = on_map(page, hall, "Block E-7-5")
    x, y = await middle(seat)
    far = await size(seat)

    await pinch(page, x, y, 40, 160)
    await becomes(seat, lambda near: near > 3 * far)
    there = await middle(seat)
    await pinch(page, 195, y, 200, 20)

    assert abs(there[0] - x) < 20
    assert abs(there[1] - y) < 20
    await becomes(seat, lambda now: abs(now - far) < 1)
    assert await page.evaluate("visualViewport.scale") == 1
    assert (await hall.counts())["reserved"] == 0


async def test_after_two_fingers_one_tap_holds(visitors: Visitors, hall: Show) -> None:
    page = await visitors.open(f"/book/{hall.id}", **PHONE)
    seat = on_map(page, hall, "Block B-6-8")

    await pinch(page, *await middle(seat), 40, 200)
    await seat.tap()

    await is_mine(seat)


async def test_ctrl_and_the_wheel_bring_the_map_closer_where_the_mouse_is(visitors: Visitors, hall: Show) -> None:
    page = await visitors.open(f"/book/{hall.id}")
    seat = on_map(page, hall, "Block B-1-8")  # near the middle: there no edge of the house holds the map back
    x, y = await middle(seat)
    far = await size(seat)

    await closer(page, x, y)

    there = await middle(seat)
    await becomes(seat, lambda now: now > 2 * far)
    assert abs(there[0] - x) < 20
    assert abs(there[1] - y) < 20


async def test_the_wheel_alone_scrolls_the_page(visitors: Visitors, hall: Show) -> None:
    page = await visitors.open(f"/book/{hall.id}", height=500)
    seat = on_map(page, hall, "Block B-6-8")
    far = await size(seat)

    await page.mouse.move(400, 350)
    await page.mouse.wheel(0, 300)

    await expect(page.locator("header.top")).not_to_be_in_viewport()
    assert abs(await size(seat) - far) < 0.5


async def test_a_drag_pans_and_holds_nothing(visitors: Visitors, hall: Show) -> None:
    page = await visitors.open(f"/book/{hall.id}")
    seat = on_map(page, hall, "Block B-6-8")
    await closer(page, *await middle(seat))
    x, y = await middle(seat)

    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 60, y - 40, steps=5)
    await page.mouse.up()

    there = await middle(seat)
    assert abs(there[0] - x - 60) < 3
    assert abs(there[1] - y + 40) < 3
    await is_free(seat)
    assert (await hall.counts())["reserved"] == 0


async def test_keys_lead_across_sections_of_a_large_house(visitors: Visitors, organizer: Organizer) -> None:
    theater_id = await organizer.house(large(sections=10, rows=16, seats=20), "Arena")
    show = await organizer.screening(theater_id=theater_id)
    page = await visitors.open(f"/book/{show.id}")
    named = page.locator("svg [data-seat-id]:focus")

    await page.get_by_role("group", name="Sections of Arena").get_by_test_id("section").first.focus()
    await page.keyboard.press("Enter")
    first = await named.get_attribute("aria-label")
    assert first is not None
    await page.keyboard.press("PageDown")
    await expect(page.locator("[role=rowgroup]")).to_have_count(1)
    await expect(named).to_have_attribute("aria-label", re.compile("^Row"))
    await expect(named).not_to_have_attribute("aria-label", first)
    await page.keyboard.press("Control+Home")

    await expect(named).to_have_attribute("aria-label", first)


async def test_escape_leads_out_of_the_map(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "B5").focus()

    await page.keyboard.press("Control+End")
    await expect(on_map(page, show, "D20")).to_be_focused()
    await page.keyboard.press("Escape")

    await expect(page.get_by_test_id("view-map")).to_be_focused()


async def test_at_400_percent_everything_is_there_and_nothing_sticks_out(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}#list", width=320, height=256, device_scale_factor=4)
    sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

    await page.locator("summary").first.click()
    await in_list(page, show, "A5").click()
    await is_mine(in_list(page, show, "A5"))
    assert await page.evaluate(sideways) == 0
    await pay(page)

    assert await page.evaluate(sideways) == 0
    await expect(page.get_by_test_id("ticket")).to_have_count(1)


async def test_a_confirmation_prints_without_what_is_to_press(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}", color_scheme="dark")
    for label in ("A5", "A6"):
        await on_map(page, show, label).click()
        await is_mine(on_map(page, show, label))
    await pay(page)

    assert await page.evaluate("window.__shift") < 0.05
    await page.emulate_media(media="print")

    await expect(page.get_by_test_id("ticket")).to_have_count(2)
    await expect(page.get_by_test_id("ticket").first).to_contain_text("The Tempest")
    await expect(page.get_by_test_id("booked-total")).to_have_text("€90.00")
    for unneeded in ("button", "header.top", "[data-testid=basket]", ".map"):
        assert await page.locator(unneeded).filter(visible=True).count() == 0, unneeded
    colours = "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    assert await page.evaluate(colours) == ["rgb(20, 23, 31)", "rgb(255, 255, 255)"]
    assert (await page.pdf(format="A4")).count(b"/Type /Page\n") == 1
    await page.context.close()  # paper is laid out otherwise, and that is no jump on the screen


async def test_forced_colours_tell_what_is_mine_and_what_is_gone(visitors: Visitors, show: Show) -> None:
    await show.taken_by_somebody("A7")
    options: dict[str, Any] = {"forced_colors": "active"}
    page = await visitors.open(f"/book/{show.id}", **options)
    fill = "(seat) => getComputedStyle(seat).fill"

    await on_map(page, show, "A5").click()
    await is_mine(on_map(page, show, "A5"))
    fills = {await on_map(page, show, label).evaluate(fill) for label in ("A5", "A6", "A7")}
    await page.get_by_test_id("price-filter").first.click()

    assert len(fills) == 3
    outline = await page.get_by_test_id("price-filter").first.evaluate("(chip) => getComputedStyle(chip).outlineWidth")
    assert outline == "3px"
