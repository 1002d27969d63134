"""Booked seats go to somebody else: a link is handed over, and whoever opens it accepts, or is told why not."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.order import Connection
from tests.web.conftest import Visitors, axe
from tests.web.houses import Organizer, Show
from tests.web.seeing import on_map, pay

ACCEPT = "**/transfers/*/accept"
MY_BOOKINGS = re.compile(r"/api/v1/bookings\?")
ONE_BOOKING = re.compile("/api/v1/bookings/[^/]+$")
TAKE_BACK = re.compile("/api/v1/transfers/[^/]+$")
YOURS = "They are yours."


async def booked(visitors: Visitors, show: Show, *labels: str) -> Page:
    """Somebody who has booked these seats, and looks at their bookings."""
    page = await visitors.open(f"/book/{show.id}")
    for label in labels:
        await on_map(page, show, label).click()
    await pay(page)
    await page.goto(f"{visitors.url}/bookings")
    await expect(page.get_by_test_id("booking")).to_be_visible()
    return page


async def offer(page: Page, *without: str) -> str:
    """Offer all seats but these; the link, as a path."""
    await page.get_by_test_id("give").click()
    for name in without:
        await page.get_by_role("checkbox", name=name).uncheck()
    await page.get_by_test_id("confirm-give").click()
    link = await page.get_by_test_id("transfer-link").first.input_value()
    return "/bookings#" + link.partition("/bookings#")[2]


def shown(page: Page, status: str) -> Locator:
    """The transfer on the page, in this status."""
    return page.locator(f"[data-testid=transfer][data-status={status}]")


async def test_seats_are_given_and_accepted(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10", "B3")

    path = await offer(giver, "Row B, seat 3")
    await expect(shown(giver, "offered")).to_contain_text("Offered: Row A, seats 9 and 10")
    await expect(giver.get_by_test_id("copy-link")).to_be_focused()
    taker = await visitors.open(path)
    await expect(taker.get_by_role("heading", level=1, name="Seats for you")).to_be_visible()
    await expect(shown(taker, "offered")).to_contain_text("The Tempest")
    await expect(shown(taker, "offered")).to_contain_text("Row A, seat 10")
    await taker.get_by_test_id("accept").click()

    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_focused()
    await taker.get_by_role("link", name="Tickets").click()
    await expect(taker.get_by_test_id("ticket")).to_have_count(2)
    await taker.goto(visitors.url + path)
    await expect(shown(taker, "accepted")).to_be_visible()
    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_visible()
    await giver.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(shown(giver, "accepted")).to_have_text("Given to somebody: Row A, seats 9 and 10")
    await expect(giver.get_by_test_id("booking")).to_contain_text("€25.00")
    assert (await show.counts())["booked"] == 3


async def test_money_of_what_was_given_is_not_promised_to_who_has_it(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9")
    taker = await visitors.open(await offer(giver))
    await taker.get_by_test_id("accept").click()
    await expect(taker.get_by_role("heading", level=1, name="It is yours.")).to_be_visible()
    await taker.get_by_role("link", name="My bookings").last.click()

    await taker.get_by_test_id("cancel-booking").click()
    await expect(taker.get_by_test_id("booking")).to_contain_text("€45.00 goes back to whoever paid.")
    await taker.get_by_test_id("confirm-cancel").click()
    await giver.reload()

    await expect(taker.get_by_test_id("booking")).to_contain_text("Cancelled. €45.00 goes back to whoever paid.")
    await expect(giver.get_by_test_id("booking")).to_contain_text("Given away")
    await expect(giver.get_by_test_id("booking")).not_to_contain_text("€45.00")


async def test_an_offer_is_there_after_a_reload_and_taken_back(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10")
    path = await offer(giver)
    taker = await visitors.open(path)
    await expect(giver.get_by_test_id("give")).to_have_count(0)

    await giver.reload()
    await expect(giver.get_by_test_id("transfer-link")).to_have_value(visitors.url + path)
    await giver.get_by_test_id("take-back").click()

    await expect(giver.get_by_test_id("booking")).to_contain_text("Taken back: Row A, seats 9 and 10.")
    await expect(giver.get_by_test_id("transfer")).to_have_count(0)
    await expect(giver.get_by_test_id("give")).to_be_visible()
    await taker.get_by_test_id("accept").click()
    await expect(shown(taker, "withdrawn")).to_contain_text("These seats are not offered any more.")
    await expect(taker.get_by_role("heading", level=1, name="This offer is over")).to_be_focused()
    await taker.reload()
    await expect(shown(taker, "withdrawn")).to_be_visible()


async def test_taken_back_while_somebody_accepts(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10")
    taker = await visitors.open(await offer(giver))
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait(route: Route) -> None:
        asked.set()
        await go_on.wait()
        await route.continue_()

    await taker.route(ACCEPT, wait)
    await taker.get_by_test_id("accept").click()
    await asked.wait()
    await giver.get_by_test_id("take-back").click()
    await expect(giver.get_by_test_id("transfer")).to_have_count(0)
    go_on.set()

    await expect(shown(taker, "withdrawn")).to_contain_text("They were taken back or cancelled.")
    assert await taker.evaluate("localStorage.getItem('usher.token')") is None


async def test_accepted_while_it_is_taken_back(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10")
    taker = await visitors.open(await offer(giver))
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait(route: Route) -> None:
        if route.request.method == "DELETE":
            asked.set()
            await go_on.wait()
        await route.continue_()

    await giver.route(TAKE_BACK, wait)
    await giver.get_by_test_id("take-back").click()
    await asked.wait()
    await taker.get_by_test_id("accept").click()
    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_visible()
    go_on.set()

    await expect(giver.get_by_test_id("booking")).to_contain_text("Too late: somebody has accepted already.")
    await expect(shown(giver, "accepted")).to_have_text("Given to somebody: Row A, seats 9 and 10")


async def test_a_third_person_is_told_that_somebody_was_first(visitors: Visitors, show: Show) -> None:
    path = await offer(await booked(visitors, show, "A9"))
    second, third = await visitors.open(path), await visitors.open(path)
    await second.get_by_test_id("accept").click()
    await expect(second.get_by_role("heading", level=1, name="It is yours.")).to_be_visible()

    await third.get_by_test_id("accept").click()

    await expect(shown(third, "accepted")).to_contain_text("Somebody has accepted this seat already.")


async def test_ones_own_offer_is_known_as_such(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10")
    path = await offer(giver)

    await giver.goto(visitors.url + path)  # the hash alone is another one

    await expect(shown(giver, "own")).to_contain_text("These seats are yours. The link is for somebody else")
    await expect(giver.get_by_test_id("accept")).to_have_count(0)
    await giver.get_by_test_id("transfer").get_by_role("link", name="My bookings").click()
    await expect(shown(giver, "offered")).to_be_visible()


async def test_who_signs_in_too_late_is_told_that_the_offer_is_their_own(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10")
    taker = await visitors.open(await offer(giver))
    token = await giver.evaluate("localStorage.getItem('usher.token')")

    await taker.evaluate("(token) => localStorage.setItem('usher.token', token)", token)
    await taker.get_by_test_id("accept").click()

    await expect(shown(taker, "own")).to_be_visible()


async def test_a_wrong_code_is_told_kindly(visitors: Visitors, show: Show) -> None:
    path = await offer(await booked(visitors, show, "A9"))

    page = await visitors.open(path[:-3])

    await expect(page.get_by_test_id("error")).to_contain_text("A part of the link may be missing")
    assert await axe(page) == []


async def test_an_offer_that_ran_out_is_told_kindly(visitors: Visitors, show: Show, seats: Connection) -> None:
    path = await offer(await booked(visitors, show, "A9"))
    await seats.execute(
        "UPDATE transfers SET created_at = created_at - interval '72 hours' WHERE screening_id = $1", show.id
    )

    page = await visitors.open(path)

    await expect(shown(page, "expired")).to_contain_text("The time to accept this seat is over.")


async def test_an_answer_that_never_came_is_asked_for_again_after_a_reload(visitors: Visitors, show: Show) -> None:
    taker = await visitors.open(await offer(await booked(visitors, show, "A9", "A10")))
    keys: list[str | None] = []
    answered = asyncio.Event()

    async def lose(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        await route.fetch()
        answered.set()
        await route.abort("connectionreset")

    await taker.route(ACCEPT, lose)
    await taker.get_by_test_id("accept").click()
    await answered.wait()
    await taker.unroute(ACCEPT)
    taker.on("request", lambda asked: keys.append(asked.headers.get("idempotency-key")))
    await taker.reload()

    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_visible()
    assert len({key for key in keys if key}) == 1
    assert await taker.evaluate("localStorage.getItem('usher.token')") is not None


async def test_offline_says_so_and_the_offer_stays(visitors: Visitors, show: Show) -> None:
    taker = await visitors.open(await offer(await booked(visitors, show, "A9", "A10")))

    await taker.context.set_offline(True)
    await taker.get_by_test_id("accept").click()
    await expect(taker.get_by_role("alert").filter(has_text="The service does not answer.")).to_be_visible()
    await taker.context.set_offline(False)
    await taker.get_by_test_id("accept").click()

    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_visible()


async def test_a_limit_of_the_taker_is_told(visitors: Visitors, organizer: Organizer) -> None:
    show = await organizer.screening(limits={"max_seats_per_user": 2})
    path = await offer(await booked(visitors, show, "A9", "A10"))
    taker = await booked(visitors, show, "B1")

    await taker.goto(visitors.url + path)
    await taker.get_by_test_id("accept").click()

    await expect(taker.get_by_role("alert").filter(has_text="You can have 2 seats for this")).to_be_visible()
    await expect(taker.get_by_test_id("accept")).to_be_enabled()


async def sign_in(page: Page) -> None:
    """As the demo's customer, from an offer."""
    await page.get_by_role("button", name="Sign in first").click()
    await page.get_by_test_id("username").fill("demo")
    await page.get_by_test_id("password").fill("usher-demo")
    await page.get_by_test_id("password").press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@asynccontextmanager
async def late(page: Page, path: re.Pattern[str]) -> AsyncIterator[asyncio.Event]:
    """What is read from this path arrives when the block ends; whether it has been asked for."""
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def wait(route: Route) -> None:
        asked.set()
        await goes_on.wait()
        await route.continue_()

    await page.route(path, wait)
    try:
        yield asked
    finally:
        goes_on.set()


async def test_somebody_signed_in_accepts(visitors: Visitors, show: Show, client: AsyncClient) -> None:
    taker = await visitors.open(await offer(await booked(visitors, show, "A9", "A10")))

    await sign_in(taker)
    await expect(taker.get_by_role("heading", level=1, name="Seats for you")).to_be_focused()
    await taker.get_by_test_id("accept").click()
    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_visible()

    login = await client.post("/auth/login", json={"username": "demo", "password": "usher-demo"})
    headers = {"authorization": f"Bearer {login.json()['access_token']}"}
    mine = (await client.get(f"/bookings?screening_id={show.id}", headers=headers)).json()["items"]
    assert [seat["label"] for seat in mine[0]["seats"]] == ["A9", "A10"]


async def test_while_it_is_read_for_who_signed_in_nothing_is_accepted(visitors: Visitors, show: Show) -> None:
    taker = await visitors.open(await offer(await booked(visitors, show, "A9", "A10")))
    accept = taker.get_by_test_id("accept")
    sent: list[str] = []
    taker.on("request", lambda asked: sent.append(asked.url) if asked.url.endswith("/accept") else None)

    async with late(taker, MY_BOOKINGS) as asked:
        await sign_in(taker)
        await asked.wait()
        box = await accept.bounding_box()
        assert box is not None
        await taker.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await taker.evaluate("new Promise(requestAnimationFrame)")
    await accept.click()

    await expect(taker.get_by_role("heading", level=1, name=YOURS)).to_be_visible()
    assert len(sent) == 1


async def test_of_two_pages_the_one_wanted_last_is_shown(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9")
    path = await offer(giver)

    async with giver.expect_response(re.compile("/layout")) as read, late(giver, TAKE_BACK) as asked:
        await giver.evaluate("hash => { location.hash = hash }", path.partition("#")[2])
        await asked.wait()
        await giver.evaluate("location.hash = ''")
        await expect(giver.locator("main:not([inert])").get_by_test_id("booking")).to_be_visible()
    await (await read.value).finished()
    await giver.evaluate("new Promise(requestAnimationFrame)")

    await expect(giver.get_by_role("heading", level=1, name="My bookings")).to_be_focused()


async def test_a_question_is_not_taken_away_by_news(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9", "A10")
    taker = await visitors.open(await offer(giver, "Row A, seat 9"))
    await taker.get_by_test_id("accept").click()
    await expect(taker.get_by_role("heading", level=1, name="It is yours.")).to_be_visible()

    async with giver.expect_response(ONE_BOOKING) as read, late(giver, ONE_BOOKING) as asked:
        await giver.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await asked.wait()
        await giver.get_by_test_id("cancel-booking").click()
    await (await read.value).finished()
    await giver.evaluate("new Promise(requestAnimationFrame)")
    await giver.get_by_test_id("confirm-cancel").click()

    await expect(giver.get_by_test_id("booking")).to_contain_text("Cancelled. €45.00 is refunded.")


async def test_by_keyboard_alone(visitors: Visitors, show: Show) -> None:
    giver = await booked(visitors, show, "A9")
    await giver.get_by_test_id("give").focus()

    await giver.keyboard.press("Enter")
    await expect(giver.get_by_role("button", name="Keep it")).to_be_focused()
    await giver.keyboard.press("Enter")
    await expect(giver.get_by_test_id("give")).to_be_focused()
    await giver.keyboard.press("Enter")
    await giver.keyboard.press("Shift+Tab")
    await giver.keyboard.press("Enter")

    await expect(giver.get_by_test_id("copy-link")).to_be_focused()
    await expect(giver.get_by_test_id("announce")).to_contain_text("Offered: Row A, seat 9")


@pytest.mark.parametrize("has_clipboard", [True, False])
async def test_the_link_is_copied(visitors: Visitors, show: Show, browser: Browser, has_clipboard: bool) -> None:
    giver = await booked(visitors, show, "A9")
    if has_clipboard:
        await giver.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:  # as on plain HTTP
        await giver.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    path = await offer(giver)

    await giver.get_by_test_id("copy-link").click()

    await expect(giver.get_by_test_id("copy-link")).to_have_text("Copied")
    if has_clipboard:
        assert await giver.evaluate("navigator.clipboard.readText()") == visitors.url + path


async def test_the_code_is_in_no_address_but_the_apis(visitors: Visitors, show: Show) -> None:
    path = await offer(await booked(visitors, show, "A9"))
    code = path.rpartition("/")[2]
    page = await visitors.open("/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await page.goto(visitors.url + path)
    await expect(shown(page, "offered")).to_be_visible()

    of_api = [url for url in asked if "/api/v1/" in url]
    assert [url for url in of_api if code in url] == [f"{visitors.url}/api/v1/transfers/{code}"]
    assert not [url for url in asked if url not in of_api and code in url.partition("#")[0]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "language"), [(390, "en"), (1280, "en"), (320, "de"), (768, "ar")])
async def test_axe_finds_nothing_and_nothing_sticks_out(
    visitors: Visitors, organizer: Organizer, scheme: str, width: int, language: str
) -> None:
    show = await organizer.screening(title="Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamte")
    giver = await booked(visitors, show, "A9", "A10")
    await giver.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    await giver.set_viewport_size({"width": width, "height": 800})
    wrong: dict[str, object] = {}

    async def look(page: Page, state: str) -> None:
        sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if found := [*(await axe(page)), *filter(None, [await page.evaluate(sideways)])]:
            wrong[state] = found

    await giver.goto(f"{visitors.url}/bookings?lang={language}")
    await giver.get_by_test_id("give").click()
    await look(giver, "which seats")
    await giver.get_by_test_id("confirm-give").click()
    await expect(giver.get_by_test_id("transfer-link")).to_be_visible()
    await look(giver, "offered")
    hash_ = (await giver.get_by_test_id("transfer-link").input_value()).partition("#")[2]
    path = f"/bookings?lang={language}#{hash_}"
    taker = await visitors.open(path, width=width, color_scheme=scheme)
    await look(taker, "an offer")
    other = await visitors.open(path, width=width, color_scheme=scheme)
    await taker.get_by_test_id("accept").click()
    await expect(shown(taker, "accepted")).to_be_visible()
    await look(taker, "accepted")
    await other.get_by_test_id("accept").click()
    await expect(shown(other, "accepted")).to_be_visible()
    await look(other, "somebody was first")
    await giver.reload()
    await expect(shown(giver, "accepted")).to_be_visible()
    await look(giver, "given")

    assert wrong == {}
