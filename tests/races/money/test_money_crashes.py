"""A process is killed at each step of paying, exchanging, giving back and handing over: everybody has their seats and
has paid for them once, or neither.
"""

import asyncio
from typing import Any, Final

import httpx
import pytest
from httpx import AsyncClient, Response

from app.services.money import books
from tests.conftest import OpenApp, resources_of
from tests.order import Connection
from tests.races.buyers import Buyer, seats, somebody
from tests.races.conftest import StartProcess
from tests.races.lines import Fate, Line

# Where the process is when it dies: words that it says to PostgreSQL, and whether these arrive. A new process serves
# its first batch in a transaction. A word with quotation marks is of a row: it is said when a statement is carried out,
# and not when it is prepared.
PAYING: Final = {
    "before paying begins": (b"payments_begun", Fate.SWALLOWED),
    "when paying has begun": (b"COMMIT\0", Fate.CUT_AFTER),
    "before the provider is asked": (b"make_interval(secs => CAST($", Fate.SWALLOWED),
    "when the provider was asked": (b"CASE WHEN becomes", Fate.SWALLOWED),
    "before it is settled": (b"payments_changed", Fate.SWALLOWED),
    "when it is settled": (b'"status_before"', Fate.CUT_AFTER),
}
TOKENS: Final = (
    *("duplicate", "slow:0.05", "declined", "slow-declined:0.05", "refund-fails:1", "late:3600", "timeout"),
    *("action", "unavailable"),
)
AT_ONCE: Final = {
    "before it is booked": (b"payments_made", Fate.SWALLOWED),
    "when it is booked": (b"COMMIT\0", Fate.CUT_AFTER),
}
CANCELLING: Final = {
    "before it is cancelled": (b"refunds_made", Fate.SWALLOWED),
    "when it is cancelled": (b"COMMIT\0", Fate.CUT_AFTER),
}
EXCHANGING: Final = {
    "before more is paid": ("A1", 4500, (b"payments_made", Fate.SWALLOWED)),
    "when more is paid": ("A1", 4500, (b"COMMIT\0", Fate.CUT_AFTER)),
    "before it is given back": ("D1", 1500, (b"refunds_made", Fate.SWALLOWED)),
    "when it is given back": ("D1", 1500, (b"COMMIT\0", Fate.CUT_AFTER)),
    "before other seats are had": ("C1", 2500, (b"booking_seats_made", Fate.SWALLOWED)),
    "when other seats are had": ("C1", 2500, (b"COMMIT\0", Fate.CUT_AFTER)),
}
OFFERING: Final = {
    "before it is offered": (b"transfers_made", Fate.SWALLOWED),
    "when it is offered": (b"COMMIT\0", Fate.CUT_AFTER),
}
ACCEPTING: Final = {
    "before it is looked at": (b"AS transfers", Fate.SWALLOWED),
    "before the giver loses the seats": (b"booking_seats_changed", Fate.SWALLOWED),
    "before the taker gets them": (b"shared_payments_made", Fate.SWALLOWED),
    "before it is committed": (b"COMMIT\0", Fate.SWALLOWED),
    "when it is accepted": (b"COMMIT\0", Fate.CUT_AFTER),
}


def reached(token: str, step: str) -> bool:
    """Whether a process comes so far within a call."""
    if token == "timeout":
        return "paying" in step
    if token == "unavailable":
        return "provider" not in step
    if token == "action":
        return "settled" not in step
    return "paying" in step or "before the provider" in step or not token.startswith("late")


async def die(
    start_process: StartProcess, line: Line, url: str, step: tuple[bytes, Fate], ask: Any, buyer: Buyer
) -> Response | None:
    """A process that dies at this step of a call. Returns the answer, if there was one all the same."""
    killed = await start_process(database_url=url)
    async with killed.client() as client:
        line.when(*step)
        asking = asyncio.ensure_future(ask(buyer.at(client)))
        happened = asyncio.ensure_future(line.happened.wait())
        await asyncio.wait((asking, happened), return_when=asyncio.FIRST_COMPLETED)
        assert line.happened.is_set(), "no process has come so far"
        happened.cancel()
        killed.kill()
        try:
            return await asking
        except httpx.TransportError:
            return None


async def finish(client: AsyncClient, database: Connection) -> None:
    """Time passes, until the provider has decided everything and has given back what is to go back."""
    resources = resources_of(client)
    for turn in range(5):
        if turn == 3:  # whoever has to act does not, and the provider's time is over
            await database.execute("UPDATE payments SET deadline = now() WHERE next_ask_at IS NOT NULL")
        await database.execute("UPDATE dummy_bank.dummy_charges SET decides_at = now() WHERE decides_at IS NOT NULL")
        await database.execute("UPDATE dummy_bank.dummy_charges SET report_at = now() WHERE reports > 0")
        await database.execute("UPDATE payments SET next_ask_at = now() WHERE next_ask_at IS NOT NULL")
        await resources.finisher.finish()
        await resources.dummy.report_all(resources.cashier.hear_dummy)
        await database.execute("UPDATE refunds SET next_try_at = now() WHERE next_try_at IS NOT NULL")
        await resources.refunds.carry_out()


async def the_books_are_right(client: AsyncClient, kept: int) -> None:
    """Ours, the bank's, and both together. `kept`: what was taken and did not go back, in cents."""
    resources = resources_of(client)
    found = await books.examine(resources.engine)
    assert (found.wrong, found.unbalanced, found.still_open) == ([], [], 0)
    charges = await resources.dummy.books(None, 100)
    assert sum(each.amount_minor - each.refunded_minor for each in charges if each.status == "captured") == kept
    assert sum(each.captured_minor - each.refunded_minor for each in found.totals) == kept


@pytest.mark.parametrize(
    ("step", "token"), [(step, token) for step in PAYING for token in TOKENS if reached(token, step)]
)
async def test_a_process_that_is_killed_while_it_is_paid(
    start_process: StartProcess,
    to_postgresql: tuple[Line, str],
    open_app: OpenApp,
    database: Connection,
    step: str,
    token: str,
) -> None:
    line, url = to_postgresql
    living = await open_app()
    buyer = await somebody(living)
    hold = (await buyer.hold("A1")).json()
    path, payment = f"/reservations/{hold['id']}/confirm", {"payment": {"token": token}}

    await die(start_process, line, url, PAYING[step], lambda at: at.ask("POST", path, payment, key="k"), buyer)
    await finish(living, database)

    status = (await buyer.ask("GET", f"/reservations/{hold['id']}")).json()["status"]
    assert status in ("held", "booked")
    await the_books_are_right(living, 4500 if status == "booked" else 0)
    again = await buyer.ask("POST", path)
    assert again.status_code == (201 if status == "held" else 200), again.text
    await the_books_are_right(living, 4500)
    assert await seats(living) == {"A1": "booked"}


@pytest.mark.parametrize("step", AT_ONCE)
async def test_a_process_that_is_killed_while_it_books_at_once(
    start_process: StartProcess, to_postgresql: tuple[Line, str], open_app: OpenApp, step: str
) -> None:
    line, url = to_postgresql
    living = await open_app()
    buyer = await somebody(living)

    await die(start_process, line, url, AT_ONCE[step], lambda at: at.book("A1", key="k"), buyer)

    await resources_of(living).reconciler.look()
    is_booked = await seats(living) == {"A1": "booked"}
    assert is_booked is (AT_ONCE[step][1] is Fate.CUT_AFTER)
    await the_books_are_right(living, 4500 if is_booked else 0)
    assert (await buyer.book("A1", key="k")).status_code == 201
    await the_books_are_right(living, 4500)


@pytest.mark.parametrize("token", ["ok", "refund-fails:2"])
@pytest.mark.parametrize("step", CANCELLING)
async def test_a_process_that_is_killed_while_it_cancels(
    start_process: StartProcess,
    to_postgresql: tuple[Line, str],
    open_app: OpenApp,
    database: Connection,
    step: str,
    token: str,
) -> None:
    line, url = to_postgresql
    living = await open_app()
    buyer = await somebody(living)
    wanted = {"screening_id": 1, "seats": ["A1", "A2"], "payment": {"token": token}}
    booking = (await buyer.ask("POST", "/bookings", wanted)).json()

    await die(start_process, line, url, CANCELLING[step], lambda at: at.cancel(booking["id"]), buyer)
    await finish(living, database)

    await resources_of(living).reconciler.look()
    is_cancelled = await seats(living) == {}
    assert is_cancelled is (CANCELLING[step][1] is Fate.CUT_AFTER)
    await the_books_are_right(living, 0 if is_cancelled else 9000)
    assert (await buyer.cancel(booking["id"])).status_code == 200
    await finish(living, database)
    await the_books_are_right(living, 0)


@pytest.mark.parametrize("step", EXCHANGING)
async def test_a_process_that_is_killed_while_it_exchanges(
    start_process: StartProcess, to_postgresql: tuple[Line, str], open_app: OpenApp, database: Connection, step: str
) -> None:
    line, url = to_postgresql
    label, price, death = EXCHANGING[step]
    living = await open_app()
    buyer = await somebody(living)
    booking = (await buyer.book("B1")).json()
    path, body = f"/bookings/{booking['id']}/exchange", {"give": {"seat": "B1"}, "take": {"seat": label}}

    await die(start_process, line, url, death, lambda at: at.ask("POST", path, body, key="k"), buyer)
    await finish(living, database)

    await resources_of(living).reconciler.look()
    is_exchanged = await seats(living) == {label: "booked"}
    assert is_exchanged is (death[1] is Fate.CUT_AFTER)
    await the_books_are_right(living, price if is_exchanged else 2500)
    answer = await buyer.ask("POST", path, body, key="k")
    assert answer.status_code == 200
    assert ("idempotent-replayed" in answer.headers) is is_exchanged
    await finish(living, database)
    assert await seats(living) == {label: "booked"}
    await the_books_are_right(living, price)


@pytest.mark.parametrize(
    ("step", "token"), [(step, token) for step in PAYING for token in TOKENS if reached(token, step)]
)
async def test_a_process_that_is_killed_while_an_exchange_is_paid(
    start_process: StartProcess,
    to_postgresql: tuple[Line, str],
    open_app: OpenApp,
    database: Connection,
    step: str,
    token: str,
) -> None:
    line, url = to_postgresql
    living = await open_app()
    buyer = await somebody(living)
    booking = (await buyer.book("B1")).json()
    path, exchange = f"/bookings/{booking['id']}/exchange", {"give": {"seat": "B1"}, "take": {"seat": "A1"}}
    body = {**exchange, "payment": {"token": token}}

    await die(start_process, line, url, PAYING[step], lambda at: at.ask("POST", path, body, key="k"), buyer)
    await finish(living, database)

    await resources_of(living).reconciler.look()
    after = await seats(living)
    assert after in ({"B1": "booked"}, {"A1": "booked"})
    await the_books_are_right(living, 4500 if "A1" in after else 2500)
    answer = await buyer.ask("POST", path, exchange)
    assert answer.status_code == 200, answer.text
    assert await seats(living) == {"A1": "booked"}
    await the_books_are_right(living, 4500)
    assert (await buyer.cancel(booking["id"])).status_code == 200
    await finish(living, database)
    await the_books_are_right(living, 0)


@pytest.mark.parametrize("step", OFFERING)
async def test_a_process_that_is_killed_while_it_offers_seats(
    start_process: StartProcess, to_postgresql: tuple[Line, str], open_app: OpenApp, database: Connection, step: str
) -> None:
    line, url = to_postgresql
    living = await open_app()
    buyer, taker = await somebody(living), await somebody(living, "taker")
    booking = (await buyer.book("A1", "A2")).json()
    path, wanted = f"/bookings/{booking['id']}/transfers", {"seats": ["A1"]}

    await die(start_process, line, url, OFFERING[step], lambda at: at.ask("POST", path, wanted, key="k"), buyer)

    offers = await database.fetchval("SELECT count(*) FROM transfers")
    assert offers == (OFFERING[step][1] is Fate.CUT_AFTER)
    offer = await buyer.ask("POST", path, wanted, key="k")
    assert (offer.status_code, offer.headers.get("idempotent-replayed")) == (201, "true" if offers else None)
    assert (await taker.ask("POST", f"/transfers/{offer.json()['code']}/accept")).status_code == 201
    await the_books_are_right(living, 9000)


@pytest.mark.parametrize("token", ["ok", "refund-fails:2"])
@pytest.mark.parametrize("step", ACCEPTING)
async def test_a_process_that_is_killed_while_seats_change_hands(
    start_process: StartProcess,
    to_postgresql: tuple[Line, str],
    open_app: OpenApp,
    database: Connection,
    step: str,
    token: str,
) -> None:
    line, url = to_postgresql
    living = await open_app()
    giver, taker = await somebody(living), await somebody(living, "taker")
    wanted = {"screening_id": 1, "seats": ["A1", "A2"], "payment": {"token": token}}
    booking = (await giver.ask("POST", "/bookings", wanted)).json()
    offer = (await giver.ask("POST", f"/bookings/{booking['id']}/transfers", {"seats": ["A1"]})).json()
    path = f"/transfers/{offer['code']}/accept"

    await die(start_process, line, url, ACCEPTING[step], lambda at: at.ask("POST", path, key="k"), taker)

    await the_books_are_right(living, 9000)
    is_accepted = (await taker.ask("GET", f"/transfers/{offer['code']}")).json()["status"] == "accepted"
    assert is_accepted is (ACCEPTING[step][1] is Fate.CUT_AFTER)
    taken = await taker.ask("POST", path, key="k")
    assert (taken.status_code, taken.headers.get("idempotent-replayed")) == (201, "true" if is_accepted else None)
    assert (await giver.ask("POST", path)).status_code == 409
    await the_books_are_right(living, 9000)
    assert (await taker.cancel(taken.json()["id"])).status_code == 200
    await finish(living, database)
    await the_books_are_right(living, 4500)
    assert (await giver.cancel(booking["id"])).status_code == 200
    await finish(living, database)
    await the_books_are_right(living, 0)
    assert await seats(living) == {}


async def test_what_was_paid_for_a_cancelled_screening_goes_back(client: AsyncClient, database: Connection) -> None:
    buyers = [await somebody(client, f"somebody{number}") for number in range(8)]
    for number, buyer in enumerate(buyers):
        assert (await buyer.book(f"B{number + 1}", f"C{number + 1}")).status_code == 201
    resources = resources_of(client)
    await database.execute("UPDATE screenings SET cancelled_at = now() WHERE id = 1")
    await database.execute("UPDATE screening_states SET cancelled_at = now(), revision = revision + 1")

    await resources.closing.finish_all()
    await the_books_are_right_while_it_goes_back(client)
    await finish(client, database)

    await the_books_are_right(client, 0)


async def the_books_are_right_while_it_goes_back(client: AsyncClient) -> None:
    found = await books.examine(resources_of(client).engine)
    assert (found.wrong, found.unbalanced) == ([], [])
    assert sum(each.refunding_minor for each in found.totals) > 0
