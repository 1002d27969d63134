"""A payment is refused, takes its time, or wants an action: the seats stay, and people are told in plain words.

What the payment provider says is put in the answers on their way, so that every case can be had.
"""

import asyncio
import re
import secrets
from typing import Any

import pytest
from httpx import AsyncClient
from playwright.async_api import Page, Route, expect

from tests.order import Connection, let_run_out
from tests.web.conftest import Visitors, axe
from tests.web.houses import Show
from tests.web.seeing import is_mine, on_map

CONFIRM = "**/api/v1/reservations/*/confirm"
RESERVATION = re.compile(r"/api/v1/reservations/[0-9a-f-]{36}$")
RESERVATIONS = re.compile(r"/api/v1/reservations\?")
BOOKED = "Booked."
WAITING = "We are waiting for your bank"


async def at_the_till(visitors: Visitors, show: Show, *labels: str, **options: Any) -> Page:
    """Somebody holds these seats, and has given an address."""
    page = await visitors.open(f"/book/{show.id}", **options)
    for label in labels:
        await on_map(page, show, label).click()
        await is_mine(on_map(page, show, label))
    await page.get_by_test_id("continue").click()
    await page.get_by_test_id("email").fill("ann@example.org")
    return page


def problem(status: int, code: str, **members: Any) -> dict[str, Any]:
    """An answer that refuses."""
    body = {"type": f"/problems/{code}", "title": code, "status": status, "detail": code, "code": code} | members
    return {"status": status, "content_type": "application/problem+json", "json": body}


class Bank:
    """Stands between the page and the service. Until it has `decided`, a confirmed reservation is being paid for."""

    def __init__(self, page: Page, payment: dict[str, Any]) -> None:
        self.page = page
        self.payment = {"provider": "dummy", "redirect_url": None, "client_secret": None} | payment
        self.decided = False
        self.told = asyncio.Event()
        """The page knows that it has decided."""
        self.confirmed: Route | None = None
        self.asked = 0

    async def stand(self) -> None:
        """From now on."""
        await self.page.route(CONFIRM, self._confirm)
        await self.page.route(RESERVATION, self._show)

    async def _confirm(self, route: Route) -> None:
        self.confirmed = route
        url = route.request.url.removesuffix("/confirm")
        headers = {"authorization": route.request.headers["authorization"]}
        held = await (await self.page.context.request.get(url, headers=headers)).json()
        await route.fulfill(status=202, headers={"retry-after": "1"}, json=self._paying(held))

    async def _show(self, route: Route) -> None:
        self.asked += 1
        answer = await route.fetch()
        if self.decided:
            await route.fulfill(response=answer)
            self.told.set()
        else:
            await route.fulfill(status=200, json=self._paying(await answer.json()))

    def _paying(self, reservation: dict[str, Any]) -> dict[str, Any]:
        return reservation | {"status": "paying", "payment": self.payment}

    async def takes_the_money(self) -> None:
        """The service books what is held, as when the provider has told it."""
        assert self.confirmed is not None
        request = self.confirmed.request
        headers = {"authorization": request.headers["authorization"], "content-type": "application/json"}
        answer = await self.page.context.request.post(request.url, headers=headers, data=request.post_data)
        assert answer.status == 201
        self.decided = True


async def test_a_declined_card_keeps_the_seats(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5", "A6")
    keys: list[str | None] = []

    async def decline(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            await route.fulfill(**problem(402, "payment-declined", reason="card_declined", expires_at=None))
        else:
            await route.continue_()

    await page.route(CONFIRM, decline)
    await page.get_by_test_id("pay").click()

    error = page.get_by_test_id("pay-error")
    await expect(error).to_contain_text("The card was declined. Nothing was charged. Your seats are held until ")
    await expect(page.get_by_test_id("alert")).to_contain_text("The card was declined.")
    await expect(page.get_by_test_id("basket-seat")).to_have_count(2)
    assert (await show.counts())["reserved"] == 2
    assert await axe(page) == []
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_role("heading", level=1, name=BOOKED)).to_be_visible()
    assert len(set(keys)) == 2


async def test_what_only_the_service_sees_to_be_no_address_is_asked_for_again(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5")

    await page.get_by_test_id("email").fill(f"{'ann' * 30}@example.org")
    await page.get_by_test_id("pay").click()

    await expect(page.get_by_test_id("pay-error")).to_have_text(re.compile("^Please give an email address"))
    await expect(page.get_by_test_id("email")).to_be_focused()
    await expect(page.get_by_test_id("email")).to_have_attribute("aria-invalid", "true")
    assert (await show.counts())["reserved"] == 1


async def test_a_provider_that_cannot_be_asked_is_asked_again_with_the_same_key(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5")
    keys: list[str | None] = []

    async def away(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        await route.fulfill(**problem(503, "payments-unavailable"), headers={"retry-after": "1"})

    await page.route(CONFIRM, away)
    await page.get_by_test_id("pay").click()

    error = page.get_by_test_id("pay-error")
    await expect(error).to_contain_text("The payment service does not answer. Nothing was charged.")
    await expect(error).to_contain_text("Your seats are held until ")
    assert len(set(keys)) == 1
    assert (await show.counts())["reserved"] == 1


async def test_a_slow_payment_is_waited_for_and_ends_in_a_booking(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5")
    bank = Bank(page, {"status": "processing"})
    await bank.stand()

    await page.get_by_test_id("pay").click()
    await expect(page.locator(".waiting")).to_have_text(WAITING)
    await expect(page.get_by_test_id("pay")).to_be_disabled()
    await expect(page.get_by_test_id("extend")).to_be_hidden()
    await expect(page.get_by_test_id("announce")).to_contain_text(WAITING)
    assert await axe(page) == []
    await bank.takes_the_money()

    await expect(page.get_by_role("heading", level=1, name=BOOKED)).to_be_visible()
    await expect(page.get_by_test_id("ticket")).to_have_count(1)


async def test_a_slow_payment_that_fails_leaves_the_seats_held(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5")
    bank = Bank(page, {"status": "processing"})
    await bank.stand()

    await page.get_by_test_id("pay").click()
    await expect(page.locator(".waiting")).to_have_text(WAITING)
    bank.decided = True

    await expect(page.get_by_test_id("pay-error")).to_contain_text("The card was declined. Nothing was charged.")
    await expect(page.get_by_test_id("basket-seat")).to_have_count(1)
    await expect(page.get_by_test_id("pay")).to_be_enabled()


@pytest.mark.parametrize("is_first", ["whichever is first", "the bank"])
async def test_a_slow_payment_that_outlasts_the_hold_says_so(
    visitors: Visitors, show: Show, seats: Connection, is_first: str
) -> None:
    page = await at_the_till(visitors, show, "A5")
    bank = Bank(page, {"status": "processing"})
    await bank.stand()

    async def after_the_bank(route: Route) -> None:
        await bank.told.wait()
        await route.continue_()

    if is_first == "the bank":  # what the feed lets the page ask is answered after that
        await page.route(RESERVATIONS, after_the_bank)
    await page.get_by_test_id("pay").click()
    await expect(page.locator(".waiting")).to_have_text(WAITING)
    await let_run_out(seats, show.id)
    await show.taken_by_somebody("A5")
    bank.decided = True

    await expect(page.get_by_test_id("pay-error")).to_contain_text("Your hold has ended. Nothing was charged.")
    await expect(page.get_by_test_id("basket-seat")).to_have_count(0)


async def test_what_the_bank_asks_is_one_click_away(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5")
    url = f"{visitors.url}/docs#the-bank"
    bank = Bank(page, {"status": "requires_action", "redirect_url": url})
    await bank.stand()

    await page.get_by_test_id("pay").click()
    link = page.get_by_role("link", name="Continue at your bank")
    await expect(link).to_have_attribute("href", url)
    async with page.expect_popup() as opened:
        await link.click()
    assert (await opened.value).url == url
    await bank.takes_the_money()

    await expect(page.get_by_role("heading", level=1, name=BOOKED)).to_be_visible()


async def test_a_reload_goes_on_waiting(visitors: Visitors, show: Show) -> None:
    page = await at_the_till(visitors, show, "A5")
    bank = Bank(page, {"status": "processing"})
    await bank.stand()
    await page.get_by_test_id("pay").click()
    await expect(page.locator(".waiting")).to_have_text(WAITING)

    async def paying(route: Route) -> None:
        answer = await route.fetch(url=route.request.url.replace("status=paying", "status=held"))
        items = [{**each, "status": "paying", "payment": bank.payment} for each in (await answer.json())["items"]]
        wanted = "status=paying" in route.request.url
        await route.fulfill(status=200, json={"items": items if wanted else [], "next_cursor": None})

    await page.route(re.compile(r"/api/v1/reservations\?"), paying)
    await page.reload()
    await page.wait_for_selector("html[data-ready=true]")

    asked = bank.asked
    await expect(page.get_by_test_id("basket-seat")).to_have_count(1)
    await bank.takes_the_money()
    await expect(page.get_by_role("heading", level=1, name=BOOKED)).to_be_visible()
    assert bank.asked > asked


@pytest.fixture
async def account(client: AsyncClient) -> dict[str, Any]:
    """Somebody with an account and an address."""
    name = f"ann-{secrets.token_hex(6)}"
    who = {"username": name, "password": secrets.token_hex(12)}
    made = await client.post("/auth/register", json={**who, "email": f"{name}@example.org"})
    assert made.status_code == 201, made.text
    return {"email": f"{name}@example.org", **(await client.post("/auth/login", json=who)).json()}


async def signed_in_at_the_till(visitors: Visitors, show: Show, account: dict[str, Any]) -> Page:
    page = await visitors.open("/")
    await page.evaluate(
        "([token, refresh]) => { localStorage.setItem('usher.token', token); "
        "localStorage.setItem('usher.refresh', refresh); }",
        [account["access_token"], account["refresh_token"]],
    )
    await page.goto(f"{visitors.url}/book/{show.id}")
    await on_map(page, show, "B5").click()
    await is_mine(on_map(page, show, "B5"))
    await page.get_by_test_id("continue").click()
    await expect(page.get_by_test_id("email")).to_have_value(account["email"])
    return page


async def email_of(client: AsyncClient, account: dict[str, Any]) -> str:
    headers = {"authorization": f"Bearer {account['access_token']}"}
    return str((await client.get("/me", headers=headers)).json()["email"])


async def test_another_address_does_not_change_an_account(
    visitors: Visitors, show: Show, client: AsyncClient, account: dict[str, Any]
) -> None:
    page = await signed_in_at_the_till(visitors, show, account)

    await page.get_by_test_id("email").fill("other@example.org")
    await expect(page.get_by_text(f"The confirmation goes to {account['email']}, the address of")).to_be_visible()
    assert await axe(page) == []
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_role("heading", level=1, name=BOOKED)).to_be_visible()

    assert await email_of(client, account) == account["email"]


async def test_an_account_takes_another_address_when_it_is_told_to(
    visitors: Visitors, show: Show, client: AsyncClient, account: dict[str, Any]
) -> None:
    page = await signed_in_at_the_till(visitors, show, account)
    other = f"new-{account['email']}"

    await page.get_by_test_id("email").fill(other)
    await page.get_by_label(f"Use {other} for my account from now on").check()
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_role("heading", level=1, name=BOOKED)).to_be_visible()

    assert await email_of(client, account) == other
