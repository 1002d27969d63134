"""The service finds seats: the best for so many, with a price limit, with wheelchair places; and leaves none alone."""

import pytest
from httpx import AsyncClient
from playwright.async_api import Page, expect

from tests.web.conftest import Visitors
from tests.web.houses import Organizer, Show
from tests.web.seeing import is_mine, is_settled, on_map


@pytest.fixture(autouse=True)
async def _served(client: AsyncClient) -> None:
    if 'data-serves="best' not in (await client.get("/")).text:
        pytest.skip("best available is not served")


async def best(page: Page, more: int = 0) -> None:
    """Ask for two and so many more."""
    for _ in range(more):
        await page.get_by_role("button", name="One more").click()
    await page.get_by_test_id("best").click()


async def test_the_best_seats_are_taken_and_then_the_old_ones_go(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "D1").click()
    await is_mine(on_map(page, show, "D1"))

    await best(page, more=1)

    await is_mine(on_map(page, show, "A10"))
    await expect(page.get_by_test_id("basket-seat")).to_have_count(3)
    await is_settled(page)
    assert (await show.counts())["reserved"] == 3


async def test_a_pressed_price_and_a_limit_are_respected(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")

    await page.get_by_test_id("price-filter").filter(has_text="Standard").click()
    await best(page)
    await expect(page.get_by_test_id("total")).to_have_text("€50.00")
    await page.get_by_test_id("price-filter").filter(has_text="Standard").click()
    await page.get_by_test_id("best-more").click()
    await page.get_by_test_id("max-price").fill("15")
    await best(page)

    await expect(page.get_by_test_id("total")).to_have_text("€30.00")


async def test_a_wheelchair_place_comes_with_somebody_beside(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(theater_id=3)
    page = await visitors.open(f"/book/{show.id}")

    await page.get_by_test_id("best-more").click()
    await page.get_by_test_id("wheelchair").fill("1")
    await best(page)

    await expect(page.get_by_test_id("basket-seat")).to_have_count(2)
    await expect(page.get_by_test_id("basket")).to_contain_text("wheelchair space")


async def test_where_there_are_not_so_many_together_fewer_are_offered(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(theater_id=2)
    await show.taken_by_somebody("A4", "A8", "B4", "B8")
    page = await visitors.open(f"/book/{show.id}")

    await best(page, more=3)
    notice = page.get_by_test_id("notice")
    await expect(notice).to_contain_text("No 5 together. The largest group is 3.")
    await expect(notice).to_have_attribute("data-code", "not-enough-seats")
    await notice.get_by_role("button", name="Take 3").click()

    await expect(page.get_by_test_id("basket-seat")).to_have_count(3)


async def test_a_seat_that_would_be_left_alone_is_named_before_and_after(
    visitors: Visitors, organizer: Organizer
) -> None:
    show = await organizer.screening(orphan_rule="strict")
    page = await visitors.open(f"/book/{show.id}")

    await on_map(page, show, "A2").hover()
    await expect(page.get_by_test_id("seat-card")).to_contain_text("Seat 1 would be left alone.")
    await on_map(page, show, "A2").click()
    notice = page.get_by_test_id("notice")
    await expect(notice).to_contain_text("Seat 1 would be left alone.")
    await expect(notice).to_have_attribute("data-code", "leaves-single-seat")
    await notice.get_by_test_id("take-suggestion").click()

    await expect(page.get_by_test_id("basket-seat")).to_have_count(1)
    await is_settled(page)
    assert (await show.counts())["reserved"] == 1
