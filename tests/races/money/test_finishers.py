"""Two processes finish the same payments and the same refunds: one is quicker, and nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import pytest
from httpx import AsyncClient

from app.db.box_office import writing
from app.db.box_office.rows_written import PAYMENTS_CHANGED
from app.db.box_office.writing import Writes
from app.db.connections import OfficeConnection
from app.db.money import payments
from app.domain.box_office.commands import Said, Settle
from app.domain.money import Money
from app.domain.payments import Payment, PaymentState
from app.domain.people.people import Person
from app.resources import Resources
from app.services.box_office import clerk as module
from app.services.money import books
from app.services.money.asking import Asking
from app.services.money.finisher import Finisher
from app.services.money.provider import RefundStatus
from app.services.money.refunds import Refunds
from app.services.running.measures import Measures
from tests.conftest import OpenApp, resources_of
from tests.order import Connection
from tests.patience import patience
from tests.races.buyers import Buyer, seats, somebody

LATER: Final = "UPDATE payments SET next_ask_at = now() WHERE next_ask_at IS NOT NULL"
MUCH_LATER: Final = "UPDATE payments SET next_ask_at = now(), deadline = now() WHERE next_ask_at IS NOT NULL"
BANK_DECIDES: Final = "UPDATE dummy_bank.dummy_charges SET decides_at = now() WHERE decides_at IS NOT NULL"
CLAIM_IS_OVER: Final = "UPDATE refunds SET next_try_at = now() WHERE next_try_at IS NOT NULL"

pytestmark = pytest.mark.usefixtures("nobody_waits_for_the_bank")


class Slowly(Asking):
    """Hears what the provider says, and does nothing with it until it may go on."""

    def __init__(self, resources: Resources) -> None:
        super().__init__({resources.dummy.name: resources.dummy}, 1.0)
        self.asked = 0
        self.has_heard, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def find_out(self, screening_id: int, payment: Payment, now: datetime) -> Said | None:
        return await self._later(await super().find_out(screening_id, payment, now))

    async def refund(self, provider: str, reference: str, amount: Money, key: str) -> bool:
        return await self._later(await super().refund(provider, reference, amount, key))

    async def _later(self, said: Any) -> Any:
        self.asked += 1
        self.has_heard.set()
        async with patience():
            await self.may_go_on.wait()
        return said

    @asynccontextmanager
    async def paused(self, work: Any) -> AsyncIterator[None]:
        """It has heard, and goes on when the block ends."""
        working = asyncio.ensure_future(work)
        async with patience():
            await self.has_heard.wait()
        yield
        self.may_go_on.set()
        await working


@pytest.fixture
async def here(open_app: OpenApp) -> AsyncClient:
    return await open_app()


@pytest.fixture
async def there(open_app: OpenApp, here: AsyncClient) -> Resources:
    """Another process, on the same database."""
    return resources_of(await open_app())


async def paying(client: AsyncClient, token: str = "late:3600") -> tuple[Buyer, str]:  # noqa: S107 - no secret
    """Somebody who pays for A1, and of whom the bank has decided nothing."""
    buyer = await somebody(client)
    hold = (await buyer.hold("A1")).json()
    answer = await buyer.ask("POST", f"/reservations/{hold['id']}/confirm", {"payment": {"token": token}})
    assert answer.status_code == 202, answer.text
    return buyer, f"/reservations/{hold['id']}"


async def the_books_are_right(resources: Resources, kept: int) -> None:
    """Ours and the bank's. `kept`: what was taken and did not go back, in cents."""
    found = await books.examine(resources.engine)
    assert (found.wrong, found.unbalanced, found.still_open) == ([], [], 0)
    charges = await resources.dummy.books(None, 100)
    assert sum(each.amount_minor - each.refunded_minor for each in charges if each.status == "captured") == kept


async def test_a_payment_is_asked_for_by_one_process_and_settled_once(
    here: AsyncClient, there: Resources, database: Connection
) -> None:
    slow, quick = Slowly(there), Slowly(there)
    quick.may_go_on.set()
    await paying(here)
    await database.execute(BANK_DECIDES)
    await database.execute(LATER)

    async with slow.paused(Finisher(there.engine, slow, there.cashier.settle).finish()):
        rival = Finisher(there.engine, quick, resources_of(here).cashier.settle)
        await rival.finish()
        assert quick.asked == 0
        await database.execute(LATER)
        await rival.finish()
        assert await seats(here) == {"A1": "booked"}

    assert (slow.asked, quick.asked) == (1, 1)
    assert await seats(here) == {"A1": "booked"}
    await the_books_are_right(there, 4500)
    assert await database.fetchval("SELECT count(*) FROM bookings") == 1


async def test_a_payment_that_was_called_off_and_charged_all_the_same_is_what_was_settled_first(
    here: AsyncClient, there: Resources, database: Connection
) -> None:
    slow = Slowly(there)
    buyer, path = await paying(here)
    await database.execute(MUCH_LATER)

    async with slow.paused(Finisher(there.engine, slow, there.cashier.settle).finish()):
        await database.execute(BANK_DECIDES)
        await database.execute(MUCH_LATER)
        await resources_of(here).finisher.finish()
        assert (await buyer.ask("GET", path)).json()["status"] == "booked"

    assert (await buyer.ask("GET", path)).json()["status"] == "booked"
    await the_books_are_right(there, 4500)


async def cancelled(client: AsyncClient, token: str) -> None:
    """Somebody wants their money back, which nobody has given yet."""
    buyer = await somebody(client)
    wanted = {"screening_id": 1, "seats": ["A1"], "payment": {"token": token}}
    booking = (await buyer.ask("POST", "/bookings", wanted)).json()
    assert (await buyer.cancel(booking["id"])).status_code == 200


@pytest.mark.parametrize("token", ["ok", "refund-fails:1"])
async def test_a_refund_is_tried_by_one_process_and_entered_once(
    here: AsyncClient, there: Resources, database: Connection, token: str
) -> None:
    slow, quick = Slowly(there), Slowly(there)
    quick.may_go_on.set()
    await cancelled(here, token)

    async with slow.paused(Refunds(there.engine, slow, Measures()).carry_out()):
        rival = Refunds(there.engine, quick, Measures())
        await rival.carry_out()
        assert quick.asked == 0
        await database.execute(CLAIM_IS_OVER)
        await rival.carry_out()
        assert await database.fetchval("SELECT count(*) FROM refunds WHERE done_at IS NOT NULL") == 1

    assert (slow.asked, quick.asked) == (1, 1)
    await the_books_are_right(there, 0)
    assert await database.fetchval("SELECT count(*) FROM payment_entries WHERE kind = 'refund'") == 1
    assert await database.fetchval("SELECT count(*) FROM refunds WHERE next_try_at IS NULL") == 1


async def test_a_refund_that_failed_is_tried_again_by_anybody_after_a_pause(
    here: AsyncClient, there: Resources, database: Connection
) -> None:
    await cancelled(here, "refund-fails:1")

    await there.refunds.carry_out()

    pause = await database.fetchval("SELECT extract(epoch FROM next_try_at - now()) FROM refunds")
    assert pause <= 1
    await database.execute(CLAIM_IS_OVER)
    await resources_of(here).refunds.carry_out()
    await the_books_are_right(there, 0)


class Denies(Slowly):
    """Says that what was given back did not arrive."""

    async def refund_stands(self, provider: str, reference: str, key: str) -> RefundStatus | None:
        self.asked += 1
        return RefundStatus.FAILED


async def refund_key(database: Connection) -> str:
    key: str = await database.fetchval("SELECT concat(screening_id, '.', id) FROM refunds")
    return key


async def test_who_was_told_that_it_is_back_before_it_came_to_nothing_enters_nothing(
    here: AsyncClient, there: Resources, database: Connection
) -> None:
    slow = Slowly(there)
    await cancelled(here, "ok")

    async with slow.paused(Refunds(there.engine, slow, Measures()).carry_out()):
        await Refunds(there.engine, Denies(there), Measures()).hear("dummy", await refund_key(database))

    assert await database.fetchval("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 1
    await the_books_are_right(there, 0)
    await database.execute(CLAIM_IS_OVER)
    await there.refunds.carry_out()
    assert await database.fetchval("SELECT count(*) FROM payment_entries WHERE kind = 'refund'") == 1
    await the_books_are_right(there, 0)


async def test_what_came_to_nothing_is_given_back_again_and_again(
    here: AsyncClient, there: Resources, database: Connection
) -> None:
    denying = Refunds(there.engine, Denies(there), Measures())
    await cancelled(here, "ok")

    for times in range(1, 4):
        await database.execute(CLAIM_IS_OVER)
        await there.refunds.carry_out()
        await the_books_are_right(there, 0)
        await denying.hear("dummy", await refund_key(database))
        entries = await database.fetch("SELECT kind, count(*) FROM payment_entries GROUP BY kind ORDER BY kind")
        assert [tuple(row) for row in entries] == [("capture", 1), ("fail", times), ("refund", times)]
        await the_books_are_right(there, 0)

    row = await database.fetchrow("SELECT refunded_minor, refunding_minor FROM payments")
    assert row is not None
    assert tuple(row) == (0, 4500)


@pytest.mark.parametrize(
    "key", ["", "1", "1.", "x.y", f"1.{UUID(int=7)}", f"{2**63}.{UUID(int=7)}", f"+1.{UUID(int=7)}"]
)
async def test_news_of_a_refund_that_is_not_ours_says_nothing(there: Resources, key: str) -> None:
    denying = Denies(there)

    await Refunds(there.engine, denying, Measures()).hear("dummy", key)

    assert denying.asked == 0


async def test_news_of_a_refund_from_another_provider_says_nothing(
    here: AsyncClient, there: Resources, database: Connection
) -> None:
    denying = Denies(there)
    await cancelled(here, "ok")

    await Refunds(there.engine, denying, Measures()).hear("stripe", await refund_key(database))

    assert denying.asked == 0


async def test_the_dummy_knows_what_it_gave_back(here: AsyncClient, there: Resources, database: Connection) -> None:
    await cancelled(here, "ok")
    key = await refund_key(database)
    assert await there.dummy.look_up_refund("", key) is None

    await there.refunds.carry_out()

    assert await there.dummy.look_up_refund("", key) is RefundStatus.DONE
    await there.refunds.hear("dummy", key)
    await the_books_are_right(there, 0)


@pytest.mark.parametrize("says", [PaymentState.CAPTURED, PaymentState.FAILED])
async def test_a_batch_with_the_lock_looks_again_at_a_payment_of_which_a_rival_heard_meanwhile(
    here: AsyncClient, there: Resources, database: Connection, monkeypatch: pytest.MonkeyPatch, says: PaymentState
) -> None:
    await paying(here)
    payment_id = await database.fetchval("SELECT id FROM payments")
    async with there.engine.connect() as connection:
        payment = await payments.by_id(connection, 1, payment_id)
    assert payment is not None
    there.box_office.locks_first = module.LOCKS_FIRST
    write, rivals = writing.write, [Said(PaymentState.REQUIRES_ACTION, payment.amount, redirect_url="/a-bank")]

    async def write_after_a_rival(connection: OfficeConnection, writes: Writes, *, of: int | None = None) -> list[int]:
        if rivals and writes.rows(PAYMENTS_CHANGED):
            said = rivals.pop()
            its = Settle(Person(payment.user_id), payment, said, payment.id)
            await resources_of(here).box_office.ask(1, its)
        return await write(connection, writes, of=of)

    monkeypatch.setattr(writing, "write", write_after_a_rival)

    await there.box_office.ask(1, Settle(Person(payment.user_id), payment, Said(says, payment.amount), payment.id))

    assert rivals == []
    row = await database.fetchrow("SELECT status, redirect_url FROM payments")
    assert row is not None
    assert (row["status"], row["redirect_url"]) == (says, "/a-bank")
    assert await seats(here) == {"A1": "booked" if says is PaymentState.CAPTURED else "reserved"}
