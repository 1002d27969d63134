"""How tests find things on the page of a screening: by the attributes that are promised."""

import re
from typing import Final

from playwright.async_api import Locator, Page, expect

from tests.web.houses import Show

PENDING: Final = re.compile("^(hold|release)$")


def on_map(page: Page, show: Show, label: str) -> Locator:
    """A seat on the map."""
    return page.locator(f"svg [data-seat-id='{show.seats[label]}']")


def in_list(page: Page, show: Show, label: str) -> Locator:
    """A seat's button in the list."""
    return page.locator(f"[data-testid=list-seat][data-seat-id='{show.seats[label]}']")


async def is_mine(seat: Locator) -> None:
    """It is held, and nothing about it is under way."""
    await expect(seat).to_have_attribute("data-status", "reserved_by_me")
    await expect(seat).not_to_have_attribute("data-pending", PENDING)


async def is_free(seat: Locator) -> None:
    """It is nobody's, and nothing about it is under way."""
    await expect(seat).to_have_attribute("data-status", "available")
    await expect(seat).not_to_have_attribute("data-pending", PENDING)


async def is_settled(page: Page) -> None:
    """What was asked for is answered: until then a seat is shown as it is wished."""
    await expect(page.locator("svg [data-pending]")).to_have_count(0)


async def pay(page: Page, email: str = "ann@example.org") -> None:
    """From the basket to the confirmation."""
    await page.get_by_test_id("continue").click()
    await page.get_by_test_id("email").fill(email)
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_role("heading", level=1, name="Booked.")).to_be_visible()
