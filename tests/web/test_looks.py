"""How pages look: axe-core finds nothing in any state, nothing sticks out, in every language and direction."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Route, expect

from tests.order import Connection, let_run_out
from tests.web.conftest import Visitors, axe
from tests.web.houses import Organizer, Show, large
from tests.web.seeing import in_list, is_mine, on_map, pay

SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft singt Weihnachtslieder"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_axe_finds_nothing_in_any_state(
    visitors: Visitors, organizer: Organizer, seats: Connection, scheme: str, width: int
) -> None:
    show = await organizer.screening()
    await organizer.block(show, "D20")
    await show.taken_by_somebody("D1")
    page = await visitors.open("/", width=width, color_scheme=scheme)
    found = {"screenings": await axe(page)}

    async def look(state: str) -> None:
        found[state] = await axe(page)

    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")
    await look("the map")
    await page.keyboard.press("Tab")
    await on_map(page, show, "C5").focus()
    await page.keyboard.press("Enter")
    await is_mine(on_map(page, show, "C5"))
    await look("a seat is held")
    await page.goto(f"{visitors.url}/book/{show.id}#list")
    await page.locator("summary").first.click()
    await in_list(page, show, "A5").click()
    await is_mine(in_list(page, show, "A5"))
    await look("the list")
    if width < 896:
        await page.get_by_test_id("basket-toggle").click()
        await look("the sheet is open")
        await page.get_by_test_id("basket-toggle").click()
    await page.get_by_test_id("continue").click()
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_test_id("pay-error")).to_be_visible()
    await look("an email is missing")
    await let_run_out(seats, show.id)
    await page.reload()
    await page.wait_for_selector("html[data-ready=true]")
    await page.goto(f"{visitors.url}/book/{show.id}")
    await on_map(page, show, "A7").click()
    await is_mine(on_map(page, show, "A7"))
    await pay(page)
    await look("paid")
    await page.goto(f"{visitors.url}/bookings")
    await page.get_by_test_id("cancel-booking").click()
    await look("bookings")
    await page.get_by_test_id("exchange").click()
    await expect(page.get_by_test_id("exchange-offer").first).to_be_visible()
    await look("an exchange")
    if width > 896:
        await page.get_by_test_id("sign-in").click()
        await look("signing in")
    await page.goto(f"{visitors.url}/book/987654")
    await expect(page.get_by_test_id("error")).to_be_visible()
    await look("no such screening")

    assert {state: wrong for state, wrong in found.items() if wrong} == {}


async def test_axe_finds_nothing_while_a_page_waits_for_the_service(visitors: Visitors) -> None:
    answered = asyncio.Event()

    async def wait(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    page = await visitors.open("/")
    await page.route(re.compile("/api/v1/screenings/987654$"), wait)
    await page.goto(f"{visitors.url}/book/987654")
    await expect(page.locator("[aria-busy=true] h1")).to_have_text("Loading …")
    found = await axe(page)
    answered.set()
    await expect(page.get_by_test_id("error")).to_be_visible()
    assert not found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_axe_finds_nothing_when_things_go_otherwise(
    visitors: Visitors, organizer: Organizer, scheme: str, width: int
) -> None:
    show = await organizer.screening(orphan_rule="strict")
    sold_out = await organizer.screening(theater_id=2)
    await organizer.block(sold_out, *sold_out.seats)
    page = await visitors.open("/bookings", width=width, color_scheme=scheme)
    found = {"no bookings": await axe(page)}

    async def look(state: str) -> None:
        found[state] = await axe(page)

    async def go(path: str) -> None:
        await page.goto("about:blank")
        await page.goto(visitors.url + path)
        await page.wait_for_selector("html[data-ready=true]")

    await go(f"/book/{sold_out.id}")
    await expect(page.get_by_test_id("empty")).to_be_visible()
    await look("sold out")
    await page.clock.install()
    await go(f"/book/{show.id}")
    await page.get_by_test_id("best-more").click()
    await look("more wishes")
    await page.get_by_test_id("best-more").click()
    await on_map(page, show, "A2").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("notice")).to_have_attribute("data-code", "leaves-single-seat")
    await look("a seat would be left alone")
    await page.get_by_test_id("take-suggestion").click()
    await expect(page.get_by_test_id("basket-seat")).to_have_count(1)
    await expect(page.locator("svg [data-pending]")).to_have_count(0)
    await page.clock.fast_forward(250_000)
    await expect(page.get_by_test_id("countdown")).to_have_text(re.compile("^0:"))
    await look("the last minute")
    await page.clock.fast_forward(60_000)
    await expect(page.get_by_test_id("expired")).to_be_visible()
    await look("the hold has ended")
    await page.context.set_offline(True)
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "offline")
    await look("offline")
    await page.context.set_offline(False)
    await go(f"/book/{show.id}?embed=1&lang=ar")
    await look("in a frame, from right to left")

    assert {state: wrong for state, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(("language", "width"), [("de", 320), ("de", 768), ("de", 2560), ("ar", 390), ("ar", 1440)])
async def test_nothing_sticks_out(visitors: Visitors, organizer: Organizer, language: str, width: int) -> None:
    show = await organizer.screening(title=LONG)
    page = await visitors.open(f"/book/{show.id}?lang={language}", width=width)
    out = {}

    async def look(state: str) -> None:
        out[state] = await page.evaluate(SIDEWAYS)

    await look("the map")
    await on_map(page, show, "B5").focus()
    await page.keyboard.press("Enter")
    await is_mine(on_map(page, show, "B5"))
    await look("a seat is held")
    await page.goto(f"{visitors.url}/book/{show.id}?lang={language}#list")
    await page.locator("summary").first.click()
    await look("the list")
    await page.get_by_test_id("continue").click()
    await look("paying")
    await page.get_by_test_id("email").fill("anna@example.org")
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_test_id("ticket")).to_be_visible()
    await look("paid")
    for path in ("/", "/bookings"):
        await page.goto(f"{visitors.url}{path}?lang={language}")
        await page.wait_for_selector("html[data-ready=true]")
        await look(path)

    assert {state: by for state, by in out.items() if by > 0} == {}
    assert await page.get_attribute("html", "dir") == ("rtl" if language == "ar" else "ltr")


async def test_a_theme_can_be_asked_for(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}?theme=dark", color_scheme="light")

    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 15, 20)"


async def test_in_forced_colours_a_seat_still_has_a_shape(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}", forced_colors="active")

    await on_map(page, show, "A5").click()
    await is_mine(on_map(page, show, "A5"))

    shapes = await page.evaluate(
        "[...document.querySelectorAll('[data-seat-id]')].slice(0, 40).map((seat) => seat.getAttribute('d'))"
    )
    assert len(set(shapes)) == 3


async def test_names_are_as_promised(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(theater_id=3, title="The Great Winter Concert")
    page = await visitors.open(f"/book/{show.id}")

    grid = page.get_by_role("grid", name="Seats of Riethsporthalle Erfurt")
    await expect(grid).to_have_attribute("aria-multiselectable", "true")
    await expect(grid.get_by_role("rowgroup", name="Block B")).to_have_count(1)
    await expect(grid.get_by_role("row", name="Block B, row 5", exact=True)).to_have_count(1)
    await expect(
        grid.get_by_role("gridcell", name="Row 5, seat 9, Block B, VIP, €89.00, available", exact=True)
    ).to_have_count(1)
    await expect(page.get_by_role("button", name="Show the whole house")).to_be_visible()
    await page.get_by_test_id("view-list").click()
    sections = page.locator(".list-section > summary")
    await expect(sections.nth(0)).to_have_text("Block A, 235 free, from €39.00")
    await expect(sections.nth(1)).to_have_text("Block B, 198 free, from €59.00")


@pytest.mark.parametrize("width", [390, 1280])
async def test_what_cannot_be_had_says_why_and_looks_like_it(
    visitors: Visitors, organizer: Organizer, seats: Connection, width: int
) -> None:
    opens_at = (datetime.now(UTC) + timedelta(days=2)).isoformat().replace("+00:00", "Z")
    later, over = await organizer.screening(sales_open_at=opens_at), await organizer.screening()
    for table in ("screenings", "screening_states"):
        key = "id" if table == "screenings" else "screening_id"
        await seats.execute(
            f"UPDATE {table} SET sales_close_at = now() - interval '1 minute', revision = revision + 1"  # noqa: S608
            f" WHERE {key} = $1",
            over.id,
        )
    cancelled = await organizer.screening()
    await organizer.cancel(cancelled)
    found = {}

    for show, why in (
        (later, re.compile("^Opens ")),
        (over, "Nothing is sold for this screening now."),
        (cancelled, "This screening is cancelled."),
    ):
        page = await visitors.open(f"/book/{show.id}", width=width)
        await expect(page.locator(".sale")).to_have_text(why)
        basket = page.get_by_test_id("basket")
        if width < 896:
            await expect(basket).to_be_hidden()
        else:
            await expect(basket.locator(".none")).to_have_text(why)
        await expect(page.get_by_test_id("continue")).to_be_hidden()
        await expect(page.get_by_test_id("best")).to_have_count(0)
        await expect(on_map(page, show, "A5")).to_have_attribute("aria-disabled", "true")
        await on_map(page, show, "A5").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("announce")).to_have_text(why)
        opacity = await on_map(page, show, "A5").evaluate("(seat) => getComputedStyle(seat).opacity")
        assert opacity == ("1" if show is later else "0.28")
        found[show.id] = await axe(page)
        await page.get_by_test_id("view-list").click()
        await page.locator("summary").first.click()
        await expect(in_list(page, show, "A5")).to_have_attribute("aria-disabled", "true")
        found[-show.id] = await axe(page)
        assert (await show.counts())["reserved"] == 0

    assert {state: wrong for state, wrong in found.items() if wrong} == {}


async def test_sections_come_first_in_a_large_house(visitors: Visitors, organizer: Organizer) -> None:
    theater_id = await organizer.house(large(sections=10, rows=16, seats=20), "Arena")
    show = await organizer.screening(theater_id=theater_id)
    page = await visitors.open(f"/book/{show.id}")

    sections = page.get_by_role("group", name="Sections of Arena").get_by_test_id("section")
    await expect(sections).to_have_count(10)
    await expect(page.get_by_role("button", name="Block 3, 320 free, from €89.00")).to_have_count(1)
    assert await axe(page) == []
    await sections.nth(2).click()
    seat = page.locator("svg [data-seat-id]").nth(30)
    await expect(page.locator("svg [data-seat-id]")).to_have_count(320)
    await seat.click()
    await is_mine(seat)
    await page.get_by_test_id("all-sections").click()
    await expect(page.get_by_role("button", name="319 free")).to_have_count(1)

    await sections.nth(4).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("svg [data-seat-id]:focus")).to_have_count(1)
