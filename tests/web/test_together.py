"""Others want the same seats, connections break, answers get lost: no seat is held twice, and the map ends up true."""

import asyncio

from httpx import AsyncClient
from playwright.async_api import Page, Request, Route, WebSocketRoute, expect

from tests.patience import patience
from tests.places import Place
from tests.processes import Starter
from tests.web.conftest import Visitors, free_port, serve
from tests.web.houses import Organizer, Show
from tests.web.seeing import in_list, is_free, is_mine, is_settled, on_map, pay

RESERVATIONS = "**/reservations"


async def deaf(page: Page) -> None:
    """The page hears nothing of what others do, and thinks that it does."""
    confirmed = '{"type": "connection_confirmed", "screening_id": 1, "version": 0, "user_id": null}'
    await page.route_web_socket("**/ws/**", lambda socket: socket.send(confirmed))


async def test_what_others_do_is_seen_at_once(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")

    await show.taken_by_somebody("B7", "B8")

    await expect(on_map(page, show, "B7")).to_have_attribute("data-status", "reserved")
    await expect(on_map(page, show, "B7")).to_have_attribute("aria-disabled", "true")


async def test_two_browsers_race_for_a_seat_and_the_loser_is_told_kindly(visitors: Visitors, show: Show) -> None:
    one = await visitors.open(f"/book/{show.id}")
    other = await visitors.open("/")
    await deaf(other)
    await other.goto(f"{visitors.url}/book/{show.id}")
    await other.wait_for_selector("html[data-ready=true]")

    await on_map(one, show, "C8").click()
    await is_mine(on_map(one, show, "C8"))
    await on_map(other, show, "C8").click()

    notice = other.get_by_test_id("notice")
    await expect(notice).to_contain_text("Row C, seat 8 has just gone to someone else.")
    await expect(notice).to_have_attribute("data-code", "seats-unavailable")
    await expect(on_map(other, show, "C8")).to_have_attribute("data-status", "reserved")
    await expect(other.get_by_test_id("announce")).to_contain_text("Row C, seat 8 has just gone to someone else.")
    await notice.get_by_test_id("take-suggestion").click()
    await expect(other.get_by_test_id("basket-seat")).to_have_count(1)
    await expect(other.get_by_test_id("notice")).to_have_count(0)
    await is_settled(other)
    assert (await show.counts())["reserved"] == 2


async def test_of_several_seats_those_that_are_left_are_taken(visitors: Visitors, show: Show) -> None:
    page = await visitors.open("/")
    await deaf(page)
    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")
    await show.taken_by_somebody("D4")
    held_up = asyncio.Event()

    async def wait(route: Route) -> None:
        await held_up.wait()
        await route.continue_()

    await page.route(RESERVATIONS, wait)
    await on_map(page, show, "D3").click()
    await on_map(page, show, "D4").click()
    await on_map(page, show, "D5").click()
    held_up.set()

    await expect(page.get_by_test_id("notice")).to_have_attribute("data-code", "took-part")
    await is_mine(on_map(page, show, "D3"))
    await is_mine(on_map(page, show, "D5"))
    assert (await show.counts())["reserved"] == 3


async def test_rapid_clicks_end_as_the_last_one_said(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")

    for _ in range(5):
        await on_map(page, show, "A5").click(delay=0)
    for label in ("A6", "A7", "A8"):
        await on_map(page, show, label).click(delay=0)

    await is_mine(on_map(page, show, "A5"))
    await is_mine(on_map(page, show, "A8"))
    await expect(page.get_by_test_id("basket-seat")).to_have_count(4)
    await is_settled(page)
    assert (await show.counts())["reserved"] == 4


async def test_an_answer_that_never_came_holds_once(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    keys: list[str | None] = []

    async def lose(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) < 3:
            await route.fetch()
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route(RESERVATIONS, lose)
    await on_map(page, show, "B11").click()
    await expect(on_map(page, show, "B11")).to_have_attribute("data-pending", "hold")

    await is_mine(on_map(page, show, "B11"))
    assert len(set(keys)) == 1
    assert len(keys) == 3
    assert (await show.counts())["reserved"] == 1


async def test_a_reload_in_the_middle_carries_on_with_the_same_key(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    keys: list[str | None] = []
    arrived = asyncio.Event()

    async def lose(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        await route.fetch()
        await route.abort("connectionreset")
        arrived.set()

    await page.route(RESERVATIONS, lose)
    await on_map(page, show, "B12").click()
    await expect(page.get_by_test_id("basket-seat")).to_have_count(1)
    await arrived.wait()
    await page.unroute_all(behavior="wait")

    def posted(asked: Request) -> None:
        if asked.method == "POST":
            keys.append(asked.headers.get("idempotency-key"))

    page.on("request", posted)
    await page.reload()

    await is_mine(on_map(page, show, "B12"))
    assert len(set(keys)) == 1
    assert (await show.counts())["reserved"] == 1


async def test_offline_and_back(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "A1").click()
    await is_mine(on_map(page, show, "A1"))

    await page.context.set_offline(True)
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "offline")
    await expect(page.get_by_test_id("connection")).to_have_text("Offline")
    await on_map(page, show, "A2").click()
    await is_free(on_map(page, show, "A2"))
    await show.taken_by_somebody("A3")
    await page.context.set_offline(False)

    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    await expect(on_map(page, show, "A3")).to_have_attribute("data-status", "reserved")
    await is_mine(on_map(page, show, "A1"))
    await on_map(page, show, "A2").click()
    await is_mine(on_map(page, show, "A2"))


async def test_the_feed_is_cut_and_resumed(visitors: Visitors, show: Show) -> None:
    page = await visitors.open("/")
    sockets: list[WebSocketRoute] = []
    is_open = True

    async def through(socket: WebSocketRoute) -> None:
        if is_open:
            sockets.append(socket)
            socket.connect_to_server()
        else:
            await socket.close(code=1012)

    await page.route_web_socket("**/ws/**", through)
    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")
    connection = page.get_by_test_id("connection")
    await expect(connection).to_have_attribute("data-state", "live")

    is_open = False
    await sockets[-1].close(code=1012)
    await show.taken_by_somebody("C1")
    await expect(connection).to_have_attribute("data-state", "reconnecting")
    is_open = True

    await expect(connection).to_have_attribute("data-state", "live")
    await expect(on_map(page, show, "C1")).to_have_attribute("data-status", "reserved")


async def test_without_a_feed_the_page_asks(visitors: Visitors, show: Show) -> None:
    page = await visitors.open("/")
    await page.route_web_socket("**/ws/**", lambda socket: socket.close(code=1012))
    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")

    await show.taken_by_somebody("C2")

    await expect(on_map(page, show, "C2")).to_have_attribute("data-status", "reserved")


async def test_a_process_is_killed_in_the_middle(
    starter: Starter, templates: Place, house_database: str, visitors: Visitors, organizer: Organizer
) -> None:
    show = await organizer.screening()
    port = free_port()
    first = await serve(starter, templates, house_database, port)
    visitors.url = first.url
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "B1").click()
    await is_mine(on_map(page, show, "B1"))

    first.kill()
    await first.ended()
    await on_map(page, show, "B2").click()
    await expect(on_map(page, show, "B2")).to_have_attribute("data-pending", "hold")
    second = await serve(starter, templates, house_database, port)

    await is_mine(on_map(page, show, "B2"))
    await is_mine(on_map(page, show, "B1"))
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    assert (await show.counts())["reserved"] == 2
    await pay(page)
    await page.context.close()
    await second.stop()


async def test_what_another_tab_does_is_mine_here_too(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    await on_map(page, show, "A1").click()
    await is_mine(on_map(page, show, "A1"))
    tab = await page.context.new_page()
    await tab.goto(page.url)
    await tab.wait_for_selector("html[data-ready=true]")

    await is_mine(on_map(tab, show, "A1"))
    await on_map(tab, show, "A2").click()

    await is_mine(on_map(page, show, "A2"))
    await expect(page.get_by_test_id("basket-seat")).to_have_count(2)


SAID = """
window.__said = [];
const place = document.querySelector('[data-testid=announce]');
new MutationObserver(() => window.__said.push(place.textContent)).observe(place, { childList: true });
"""


async def test_what_becomes_mine_is_said_and_what_others_take_never(visitors: Visitors, show: Show) -> None:
    page = await visitors.open(f"/book/{show.id}")
    said = page.get_by_test_id("announce")
    await page.evaluate(SAID)

    await on_map(page, show, "A5").click()
    await expect(said).to_have_text("Row A, seat 5 is yours. 1 seat, €45.00.")
    await show.taken_by_somebody("B7")
    await expect(on_map(page, show, "B7")).to_have_attribute("data-status", "reserved")
    await on_map(page, show, "A6").click()
    await expect(said).to_have_text("Row A, seat 6 is yours. 2 seats, €90.00.")
    await on_map(page, show, "A5").click()
    await expect(said).to_have_text("Row A, seat 5 given back. 1 seat, €45.00.")

    assert len(await page.evaluate("window.__said")) == 3


async def test_who_is_told_to_look_again_reads_all(visitors: Visitors, show: Show) -> None:
    page = await visitors.open("/")
    sockets: list[WebSocketRoute] = []

    def hear(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.send('{"type": "connection_confirmed", "screening_id": 1, "version": 0, "user_id": null}')

    await page.route_web_socket("**/ws/**", hear)
    await page.goto(f"{visitors.url}/book/{show.id}")
    await page.wait_for_selector("html[data-ready=true]")
    await show.taken_by_somebody("C3")
    await is_free(on_map(page, show, "C3"))

    sockets[-1].send('{"type": "resync", "screening_id": 1, "version": 9}')

    await expect(on_map(page, show, "C3")).to_have_attribute("data-status", "reserved")


async def test_in_the_list_a_seat_that_goes_under_the_focus_stays_until_it_is_left(
    visitors: Visitors, show: Show
) -> None:
    page = await visitors.open(f"/book/{show.id}#list")
    await page.locator("summary").first.click()
    await in_list(page, show, "A5").focus()

    await show.taken_by_somebody("A5", "A6")
    await expect(in_list(page, show, "A6")).to_have_count(0)
    await expect(in_list(page, show, "A5")).to_be_focused()
    await expect(in_list(page, show, "A5")).to_have_attribute("aria-disabled", "true")
    await page.keyboard.press("Tab")

    await expect(in_list(page, show, "A5")).to_have_count(0)


async def test_two_tabs_renew_a_session_once(visitors: Visitors, client: AsyncClient) -> None:
    login = (await client.post("/auth/login", json={"username": "demo", "password": "usher-demo"})).json()
    page = await visitors.open("/")
    tab = await page.context.new_page()
    refreshed: list[str | None] = []
    for each in (page, tab):
        each.on("request", lambda asked: "/auth/refresh" in asked.url and refreshed.append(asked.post_data))
    await page.evaluate(
        "(refresh) => { localStorage.setItem('usher.token', 'stale'); "
        "localStorage.setItem('usher.refresh', refresh); }",
        login["refresh_token"],
    )

    await asyncio.gather(page.goto(f"{visitors.url}/bookings"), tab.goto(f"{visitors.url}/bookings"))

    for each in (page, tab):
        await expect(each.get_by_role("button", name="Sign out")).to_be_visible()
        await expect(each.get_by_role("heading", level=1, name="My bookings")).to_be_visible()
    assert len(refreshed) == 1
    assert await page.evaluate("localStorage.getItem('usher.refresh')") != login["refresh_token"]


LATE = """
const kept = Object.fromEntries(['usher.token', 'usher.refresh'].map((name) => [name, localStorage.getItem(name)]));
const read = Storage.prototype.getItem;
window.__late = true;
Storage.prototype.getItem = function (name) {
  return window.__late && name in kept ? kept[name] : read.call(this, name);
};
"""
WAITS = """
async (wanted) => {
  const waits = async () => (await navigator.locks.query()).pending.some((lock) => lock.name === 'usher.refresh');
  while ((await waits()) !== wanted) await new Promise((done) => setTimeout(done, 5));
}
"""  # wait_for_function takes the promise of an async function for a yes


async def test_a_tab_that_reads_late_what_another_wrote_does_not_use_a_refresh_token_again(
    visitors: Visitors, client: AsyncClient
) -> None:
    login = (await client.post("/auth/login", json={"username": "demo", "password": "usher-demo"})).json()
    page = await visitors.open("/")
    await page.evaluate(
        "(refresh) => { localStorage.setItem('usher.token', 'stale'); "
        "localStorage.setItem('usher.refresh', refresh); }",
        login["refresh_token"],
    )
    tab = await page.context.new_page()
    await tab.add_init_script(LATE)
    refreshed: list[str | None] = []
    renews, waits = asyncio.Event(), asyncio.Event()

    async def hold_up(route: Route) -> None:
        refreshed.append(route.request.post_data)
        renews.set()
        await waits.wait()
        await route.continue_()

    await page.context.route("**/auth/refresh", hold_up)

    await page.goto(f"{visitors.url}/bookings")
    await renews.wait()
    await tab.goto(f"{visitors.url}/bookings")
    async with patience():
        await tab.evaluate(WAITS, True)
        waits.set()
        await tab.evaluate(WAITS, False)
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await tab.evaluate("window.__late = false")

    await expect(tab.get_by_text("No bookings yet.")).to_be_visible()
    for each in (page, tab):
        await expect(each.get_by_role("button", name="Sign out")).to_be_visible()
    assert len(refreshed) == 1
