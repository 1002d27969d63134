"""Buying, from the screenings to the confirmation: by mouse, by keyboard alone, from the list alone, on a phone."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from httpx import AsyncClient
from playwright.async_api import Route, expect

from tests.patience import patience
from tests.web.conftest import Visitors
from tests.web.houses import Organizer, Show
from tests.web.seeing import in_list, is_free, is_mine, on_map, pay


def soon() -> str:
    """So early that it stands among the first screenings, whatever other tests put on."""
    return (datetime.now(UTC) + timedelta(hours=2)).isoformat().replace("+00:00", "Z")


async def test_by_mouse(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(title="A Winter's Tale", starts_at=soon())
    page = await visitors.open("/")

    card = page.get_by_test_id("screening").filter(has_text="A Winter's Tale")
    await expect(card).to_contain_text("from €15.00")
    await card.get_by_role("link", name="Choose seats").click()
    await on_map(page, show, "A9").click()
    await on_map(page, show, "A10").click()
    await is_mine(on_map(page, show, "A9"))
    await is_mine(on_map(page, show, "A10"))
    await expect(page.get_by_test_id("total")).to_have_text("€90.00")
    await pay(page)

    await expect(page.get_by_test_id("ticket")).to_have_count(2)
    assert (await show.counts())["booked"] == 2


async def test_a_second_click_gives_the_seat_back(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    seat = on_map(page, show, "B3")

    await seat.click()
    await is_mine(seat)
    await seat.click()

    await is_free(seat)
    await expect(page.get_by_test_id("basket-seat")).to_have_count(0)
    assert (await show.counts())["available"] == 80


async def test_by_keyboard_alone(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    press = page.keyboard.press

    await press("Tab")
    await expect(page.get_by_role("link", name="Choose from a list")).to_be_focused()
    for _ in range(20):
        if await page.evaluate("document.activeElement.hasAttribute('data-seat-id')"):
            break
        await press("Tab")
    await press("ArrowRight")
    await press("ArrowDown")
    await expect(on_map(page, show, "B2")).to_be_focused()
    await expect(page.get_by_test_id("seat-card")).to_be_visible()
    await press("Enter")
    await is_mine(on_map(page, show, "B2"))
    await press("End")
    await expect(on_map(page, show, "B20")).to_be_focused()
    await press("Control+Home")
    await expect(on_map(page, show, "A1")).to_be_focused()
    await press("PageDown")
    await expect(on_map(page, show, "B1")).to_be_focused()
    await press(" ")
    await is_mine(on_map(page, show, "B1"))
    for _ in range(20):
        if await page.evaluate("document.activeElement.dataset.testid === 'continue'"):
            break
        await press("Tab")
    await press("Enter")
    await expect(page.get_by_role("heading", level=1, name="Pay")).to_be_focused()
    for _ in range(10):
        if await page.evaluate("document.activeElement.dataset.testid === 'email'"):
            break
        await press("Tab")
    await page.keyboard.type("ann@example.org")
    await press("Enter")

    await expect(page.get_by_role("heading", level=1, name="Booked.")).to_be_visible()
    await expect(page.get_by_test_id("ticket")).to_have_count(2)


async def test_from_the_list_alone(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")

    await page.get_by_test_id("view-list").click()
    await expect(page).to_have_url(f"{visitors.url}/book/{show.id}#list")
    await page.locator("summary").filter(has_text="C, 20 free, from €25.00").click()
    await in_list(page, show, "C4").click()
    await expect(in_list(page, show, "C4")).to_have_attribute("aria-pressed", "true")
    await is_mine(in_list(page, show, "C4"))
    await pay(page)

    await expect(page.get_by_test_id("ticket")).to_contain_text("4")


async def test_on_a_phone(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(theater_id=3, title="The Great Winter Concert")
    page = await visitors.open(f"/book/{show.id}", width=390, height=844, has_touch=True, is_mobile=True)
    seat = on_map(page, show, "Block B-6-8")

    await page.get_by_test_id("section").filter(has_text="Block B").tap()
    await seat.tap()
    await is_mine(seat)
    await page.get_by_test_id("basket-toggle").tap()
    await expect(page.get_by_test_id("basket-seat")).to_be_visible()
    await page.get_by_test_id("basket-toggle").tap()
    await pay(page)

    await expect(page.get_by_test_id("ticket")).to_have_count(1)


async def test_where_seats_are_small_a_tap_comes_closer_first(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(theater_id=3)
    page = await visitors.open(f"/book/{show.id}", width=390, height=844, has_touch=True, is_mobile=True)
    seat = on_map(page, show, "Block B-6-8")

    await seat.tap()
    await expect(page.get_by_test_id("zoom-out")).to_be_visible()
    await is_free(seat)
    await seat.tap()

    await is_mine(seat)


async def test_prices_filter(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")

    await page.get_by_test_id("price-filter").filter(has_text="Economy").click()
    await page.get_by_test_id("view-list").click()

    await expect(page.get_by_test_id("price-filter").filter(has_text="Economy")).to_have_attribute(
        "aria-pressed", "true"
    )
    await expect(page.locator(".list-section:visible")).to_have_count(1)


async def test_in_german(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}?lang=de")

    await on_map(page, show, "A9").click()

    await expect(page.get_by_test_id("total")).to_have_text("45,00 €")
    await expect(page.get_by_test_id("basket-seat")).to_contain_text("Reihe A, Platz 9")
    await expect(on_map(page, show, "A9")).to_have_attribute(
        "aria-label", "Reihe A, Platz 9, Premium, 45,00 €, für Sie"
    )


async def test_somebody_signed_in_pays_and_the_hold_comes_along(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")

    await on_map(page, show, "D5").click()
    await is_mine(on_map(page, show, "D5"))
    await page.get_by_test_id("sign-in").click()
    await page.get_by_test_id("username").fill("demo")
    await page.get_by_test_id("password").fill("usher-demo")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await is_mine(on_map(page, show, "D5"))
    await pay(page, "demo@example.org")

    await page.get_by_role("link", name="My bookings").first.click()
    await expect(page.get_by_test_id("booking").first).to_contain_text("The Tempest")


async def test_an_address_that_is_known_does_not_come_under_the_hands_of_who_writes(
    visitors: Visitors, show: Show
) -> None:
    page = await visitors.open(f"/book/{show.id}")
    email = page.get_by_test_id("email")
    asked, answered = asyncio.Event(), asyncio.Event()

    async def wait(route: Route) -> None:
        asked.set()
        await answered.wait()
        await route.continue_()

    await on_map(page, show, "D5").click()
    await is_mine(on_map(page, show, "D5"))
    await page.get_by_test_id("sign-in").click()
    await page.get_by_test_id("username").fill("demo")
    await page.get_by_test_id("password").fill("usher-demo")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await page.route(re.compile("/api/v1/me$"), wait)
    await page.get_by_test_id("continue").click()
    async with patience():
        await asked.wait()
    await email.focus()
    async with page.expect_response(re.compile("/api/v1/me$")):
        answered.set()
    await page.keyboard.type("ann@example.org")

    await expect(email).to_have_value("ann@example.org")
    await email.fill("")
    await page.get_by_test_id("card").focus()
    await expect(email).to_have_value("demo@example.org")


async def test_a_seat_and_then_all_of_a_booking_are_cancelled(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    for label in ("A1", "A2", "A3"):
        await on_map(page, show, label).click()
    await pay(page)

    await page.get_by_role("link", name="My bookings").first.click()
    booking = page.get_by_test_id("booking")
    await booking.get_by_test_id("cancel-seat").first.click()
    await booking.get_by_test_id("confirm-cancel").click()
    await expect(booking).to_contain_text("Cancelled. €45.00 is refunded.")
    assert (await show.counts())["booked"] == 2
    await booking.get_by_test_id("cancel-booking").click()
    await booking.get_by_test_id("confirm-cancel").click()

    await expect(booking).to_contain_text("Cancelled. €90.00 is refunded.")
    assert (await show.counts())["available"] == 80


async def test_a_seat_is_exchanged_for_a_dearer_one(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    for label in ("B1", "B2"):
        await on_map(page, show, label).click()
    await pay(page)
    await page.get_by_role("link", name="My bookings").first.click()
    booking = page.get_by_test_id("booking")

    await booking.get_by_test_id("exchange").click()
    await booking.get_by_role("checkbox", name="Row B, seat 1").uncheck()
    offer = booking.get_by_test_id("exchange-offer")
    await expect(offer).to_have_count(3)
    await booking.get_by_label("Premium: Row A, seat 10 (€20.00 more)").check()
    await booking.get_by_test_id("card").fill("declined")
    await booking.get_by_role("button", name="Exchange and pay €20.00").click()
    await expect(booking.get_by_role("alert")).to_have_text("The card was declined. Nothing was charged.")
    assert (await show.counts())["booked"] == 2
    await booking.get_by_test_id("card").fill("slow:1")
    await booking.get_by_test_id("confirm-exchange").click()

    await expect(booking).to_contain_text("Exchanged: €20.00 more.")
    await expect(booking).to_contain_text("Row A, seat 10")
    await expect(booking).not_to_contain_text("Row B, seat 2")
    await expect(booking).to_contain_text("€70.00")
    assert (await show.counts())["booked"] == 2


async def test_what_an_exchange_has_cost_is_said_as_it_was_charged(
    visitors: Visitors, show: Show, organizer: Organizer
) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "B1").click()
    await pay(page)
    await page.get_by_role("link", name="My bookings").first.click()
    booking = page.get_by_test_id("booking")
    await booking.get_by_test_id("exchange").click()
    await booking.get_by_label("Premium: Row A, seat 10 (€20.00 more)").check()

    await organizer.price(show, premium=4000, standard=2500, economy=1500)
    await booking.get_by_test_id("confirm-exchange").click()

    await expect(booking).to_contain_text("Exchanged: €15.00 more.")
    await expect(booking).to_contain_text("€40.00")


async def test_a_booking_is_exchanged_for_the_seats_that_are_held(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "A1").click()
    await pay(page)
    await page.goto(f"{visitors.url}/book/{show.id}")
    await on_map(page, show, "D5").click()
    await is_mine(on_map(page, show, "D5"))
    await page.goto(f"{visitors.url}/bookings")
    booking = page.get_by_test_id("booking")

    await booking.get_by_test_id("exchange").click()
    await booking.get_by_label("The seats that you hold: D5 (€30.00 back)").check()
    await booking.get_by_test_id("confirm-exchange").click()

    await expect(booking).to_contain_text("Exchanged: €30.00 back.")
    await expect(booking).to_contain_text("€15.00")
    assert (await show.counts()) == {"available": 79, "reserved": 0, "booked": 1, "blocked": 0}


async def test_lists_ask_for_no_more_than_they_show(visitors: Visitors, organizer: Organizer) -> None:
    sold_out = await organizer.screening(theater_id=2, title="Everybody Came", starts_at=soon())
    await organizer.block(sold_out, *sold_out.seats)
    show = await organizer.screening(theater_id=3)
    page = await visitors.open(f"/book/{show.id}")
    seat = on_map(page, show, "Block B-6-8")
    await seat.focus()
    await page.keyboard.press("Enter")
    await is_mine(seat)
    await pay(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/api/v1")[2]))

    await page.goto(f"{visitors.url}/")
    await page.wait_for_selector("html[data-ready=true]")
    card = page.get_by_test_id("screening").filter(has_text="Everybody Came")
    await expect(card.get_by_role("link", name="Sold out")).to_be_visible()
    for_screenings = sorted(path.partition("?")[0] for path in asked if path)
    asked.clear()
    await page.goto(f"{visitors.url}/bookings")
    await expect(page.get_by_test_id("booking").first).to_contain_text("Row 6, seat 8, Block B")

    assert for_screenings == ["/screenings", "/theaters"]
    assert [path for path in asked if "layout" in path] == [f"/theaters/3/layout?seat_ids={show.seats['Block B-6-8']}"]


async def test_a_guest_is_forgotten_when_asked(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "A1").click()
    await pay(page)

    await page.goto(f"{visitors.url}/bookings")
    await page.get_by_role("button", name="Forget me").click()

    await expect(page.get_by_test_id("empty")).to_be_visible()
    assert await page.evaluate("localStorage.getItem('usher.token')") is None


async def test_what_there_is_not(visitors: Visitors, client: AsyncClient) -> None:
    page = await visitors.open("/book/987654")

    await expect(page.get_by_test_id("error")).to_contain_text("There is no such screening.")
    assert (await client.get("/book/987654")).status_code == 404
