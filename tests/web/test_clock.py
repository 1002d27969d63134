"""A hold's time: counted by the service's clock, warned of without disturbing, extended, over, and tried again."""

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.order import Connection, let_run_out
from tests.web.conftest import Visitors
from tests.web.houses import Organizer, Show
from tests.web.seeing import is_free, is_mine, on_map


async def with_hold(visitors: Visitors, show: Show, *labels: str) -> Page:
    """A page with these seats held, whose clock the test can turn on."""
    page = await visitors.open("/")
    await page.clock.install()
    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")
    for label in labels:
        await on_map(page, show, label).click()
        await is_mine(on_map(page, show, label))
    return page


async def seconds(page: Page) -> int:
    """What the countdown says."""
    return int(await page.get_by_test_id("countdown").get_attribute("data-seconds") or -1)


async def test_the_countdown_does_not_believe_a_wrong_watch(visitors: Visitors, show: Show) -> None:
    page = await visitors.open("/")
    await page.add_init_script("const now = Date.now; Date.now = () => now() + 3_600_000;")
    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")

    await on_map(page, show, "A1").click()
    await is_mine(on_map(page, show, "A1"))

    assert 280 <= await seconds(page) <= 300


async def test_the_last_minute_is_said_and_takes_no_focus(visitors: Visitors, show: Show) -> None:
    page = await with_hold(visitors, show, "A1")
    await page.get_by_test_id("view-list").focus()

    await page.clock.fast_forward(241_000)

    await expect(page.get_by_test_id("basket")).to_contain_text("Your hold ends in")
    await page.clock.run_for(1000)
    await expect(page.get_by_test_id("announce")).to_contain_text("1 minute left")
    await expect(page.get_by_test_id("view-list")).to_be_focused()
    assert await seconds(page) <= 60


async def test_one_button_extends(visitors: Visitors, show: Show) -> None:
    page = await with_hold(visitors, show, "A1")
    await expect(page.get_by_test_id("basket")).to_contain_text("2 times left")
    await page.clock.fast_forward(100_000)

    await page.get_by_role("button", name="Keep 5 more minutes").click()

    await expect(page.get_by_test_id("basket")).to_contain_text("This is the last time")
    assert await seconds(page) > 280


async def test_after_the_end_the_same_seats_can_be_tried_again(
    visitors: Visitors, show: Show, seats: Connection
) -> None:
    page = await with_hold(visitors, show, "A1", "A2")

    await let_run_out(seats, show.id)
    await page.clock.fast_forward(301_000)
    await expect(page.get_by_test_id("expired")).to_contain_text("Your hold has ended. Nothing was charged.")
    await page.clock.run_for(1000)
    await expect(page.get_by_test_id("alert")).to_contain_text("Your hold has ended.")
    await is_free(on_map(page, show, "A1"))
    await page.get_by_test_id("same-seats").click()

    await is_mine(on_map(page, show, "A1"))
    await is_mine(on_map(page, show, "A2"))
    await expect(page.get_by_test_id("expired")).to_be_hidden()


async def test_what_is_gone_by_then_is_named_and_the_rest_offered(
    visitors: Visitors, show: Show, seats: Connection
) -> None:
    page = await with_hold(visitors, show, "A1", "A2", "A3")

    await let_run_out(seats, show.id)
    await page.clock.fast_forward(301_000)
    await show.taken_by_somebody("A2")
    await page.get_by_test_id("same-seats").click()
    await expect(page.get_by_test_id("notice")).to_contain_text("Row A, seat 2 has just gone to someone else.")
    await page.get_by_role("button", name="Take the other 2").click()

    await is_mine(on_map(page, show, "A1"))
    await is_mine(on_map(page, show, "A3"))
    await expect(page.get_by_test_id("basket-seat")).to_have_count(2)


async def test_a_form_keeps_its_text_when_the_hold_ends(visitors: Visitors, show: Show, seats: Connection) -> None:
    page = await with_hold(visitors, show, "A1")
    await page.get_by_test_id("continue").click()
    await page.get_by_test_id("email").fill("ann@example.org")

    await let_run_out(seats, show.id)
    await page.clock.fast_forward(301_000)
    await page.get_by_test_id("same-seats").click()
    await expect(page.get_by_test_id("pay")).to_be_enabled()

    await expect(page.get_by_test_id("email")).to_have_value("ann@example.org")
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_role("heading", level=1, name="Booked.")).to_be_visible()


async def test_whoever_waits_for_the_sale_sees_it_begin(
    visitors: Visitors, organizer: Organizer, seats: Connection
) -> None:
    opens_at = (datetime.now(UTC) + timedelta(days=2)).isoformat().replace("+00:00", "Z")
    show = await organizer.screening(sales_open_at=opens_at)
    page = await with_hold(visitors, show)
    await expect(page.locator(".sale")).to_have_text(re.compile("^Opens "))

    for table, key in (("screenings", "id"), ("screening_states", "screening_id")):
        await seats.execute(
            f"UPDATE {table} SET sales_open_at = now() - interval '1 minute', revision = revision + 1"  # noqa: S608
            f" WHERE {key} = $1",
            show.id,
        )
    await page.clock.fast_forward(timedelta(days=2, seconds=2) // timedelta(milliseconds=1))

    await on_map(page, show, "A1").click()
    await is_mine(on_map(page, show, "A1"))
