"""Exchanges at the same moment as others who want the same seats, the same booking, or the screening."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import uuid_utils.compat as uuid_utils
from httpx import AsyncClient

from app.domain.box_office.commands import AtOnce, Attempt, Cancel, Exchange, ReleaseAll
from app.domain.box_office.outcomes import Paying
from app.domain.payments import Payment
from app.domain.people.people import Person
from app.domain.refusals import (
    BookingCancelled,
    NotFound,
    PaymentPending,
    ScreeningCancelled,
    SeatsUnavailable,
)
from app.domain.seats import SeatNames
from app.resources import Resources
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from app.services.money import books
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, edit, locked, until_waiting
from tests.races.buyers import somebody
from tests.races.test_side_by_side import booking as book
from tests.races.test_side_by_side import side_by_side
from tests.services.box_office.asking import busy, hold, told


@pytest.fixture
async def here(resources: Resources) -> BoxOffice:
    """A box office that has seen screening 1, and looks without a lock."""
    await resources.box_office.ask(1, ReleaseAll(Person(1)))
    return resources.box_office


@pytest.fixture
async def there(open_app: OpenApp) -> BoxOffice:
    """That of another process."""
    box_office = resources_of(await open_app()).box_office
    await box_office.ask(1, ReleaseAll(Person(1)))
    return box_office


def exchange(user_id: int, booking_id: Any, give: str, take: str, *, slowly: bool = False) -> Exchange:
    names = (SeatNames(labels=tuple(each.split())) for each in (give, take))
    payment_id = uuid_utils.uuid7()
    payment: AtOnce | Attempt = AtOnce(payment_id, f"dummy-{payment_id}")
    if slowly:
        payment = Attempt(payment_id, uuid_utils.uuid7(), "dummy", 60.0, 10.0, f"dummy-{payment_id}")
    return Exchange(Person(user_id), user_id, booking_id, *names, uuid_utils.uuid7(), payment)


def kinds(answers: Any) -> Iterator[type]:
    """What each was told: an answer, or which refusal."""
    return (type(each) for each in answers)


async def sold(database: Connection) -> dict[str, int]:
    """Who has booked which seats: in the claims, and so in the bookings."""
    claims = await database.fetch(
        "SELECT s.label, c.user_id FROM seat_claims c JOIN seats s ON s.id = c.seat_id WHERE c.status = 'booked'"
    )
    booked = await database.fetch(
        "SELECT s.label, b.user_id FROM booking_seats l JOIN seats s ON s.id = l.seat_id"
        " JOIN bookings b ON b.screening_id = l.screening_id AND b.id = l.booking_id WHERE l.cancelled_at IS NULL"
    )
    assert sorted(map(tuple, claims)) == sorted(map(tuple, booked))
    return {row["label"]: row["user_id"] for row in claims}


async def the_books_are_right(resources: Resources) -> None:
    found = await books.examine(resources.engine)
    assert (found.wrong, found.unbalanced) == ([], [])


async def test_the_same_exchange_twice_is_one(
    here: BoxOffice, there: BoxOffice, database: Connection, resources: Resources
) -> None:
    its = await book(here, 1, "B1")

    answers = await side_by_side(
        database,
        here.ask(1, exchange(1, its, "B1", "A1")),
        there.ask(1, exchange(1, its, "B1", "A1")),
    )

    first, second = answers
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert orjson.loads(first.body) == orjson.loads(second.body)
    assert await sold(database) == {"A1": 1}
    assert await database.fetchval("SELECT count(*) FROM payments") == 2
    await the_books_are_right(resources)


async def test_one_seat_is_given_once(
    here: BoxOffice, there: BoxOffice, database: Connection, resources: Resources
) -> None:
    its = await book(here, 1, "A1", "A2")

    answers = await side_by_side(
        database,
        here.ask(1, exchange(1, its, "A1", "D1")),
        there.ask(1, exchange(1, its, "A1 A2", "D2 D3")),
    )

    assert list(kinds(answers)) == [Answer, NotFound]
    assert await sold(database) == {"A2": 1, "D1": 1}
    await the_books_are_right(resources)


async def test_one_seat_is_taken_once(
    here: BoxOffice, there: BoxOffice, database: Connection, resources: Resources
) -> None:
    anns, bobs = await book(here, 1, "B1"), await book(here, 2, "B2")

    answers = await side_by_side(
        database,
        here.ask(1, exchange(1, anns, "B1", "A1")),
        there.ask(1, exchange(2, bobs, "B2", "A1")),
    )

    assert list(kinds(answers)) == [Answer, SeatsUnavailable]
    assert await sold(database) == {"A1": 1, "B2": 2}
    await the_books_are_right(resources)


async def test_what_is_held_first_is_not_taken(here: BoxOffice, there: BoxOffice, database: Connection) -> None:
    its = await book(here, 1, "B1")

    answers = await side_by_side(database, there.ask(1, hold(2, "A1")), here.ask(1, exchange(1, its, "B1", "A1")))

    assert list(kinds(answers)) == [Answer, SeatsUnavailable]
    assert await sold(database) == {"B1": 1}


@pytest.mark.parametrize("cancels_first", [True, False])
@pytest.mark.parametrize("whole", [True, False])
async def test_what_is_cancelled_and_exchanged(
    here: BoxOffice, there: BoxOffice, database: Connection, resources: Resources, cancels_first: bool, whole: bool
) -> None:
    its = await book(here, 1, "A1", "A2")
    asked = [here.ask(1, Cancel(Person(1), its, None if whole else 1)), there.ask(1, exchange(1, its, "A1", "D1"))]

    answers = await side_by_side(database, *(asked if cancels_first else asked[::-1]))

    if cancels_first:
        assert list(kinds(answers)) == [Answer, BookingCancelled if whole else NotFound]
        assert await sold(database) == ({} if whole else {"A2": 1})
    else:
        assert list(kinds(answers)) == [Answer, Answer]  # a seat that left the booking is cancelled for it
        assert await sold(database) == ({} if whole else {"A2": 1, "D1": 1})
    await the_books_are_right(resources)


async def test_nothing_is_exchanged_in_a_screening_that_was_just_cancelled(
    here: BoxOffice, database: Connection
) -> None:
    its = await book(here, 1, "A1")

    async with locked(database, 1):
        asking = told(here.ask(1, exchange(1, its, "A1", "D1")))
        await until_waiting(database)
        await edit(database, "cancelled_at = now(), revision = revision + 1", "id = 1")

    assert list(kinds(await asking)) == [ScreeningCancelled]
    assert await sold(database) == {"A1": 1}


async def test_one_seat_is_paid_for_once(
    here: BoxOffice, there: BoxOffice, database: Connection, resources: Resources
) -> None:
    its = await book(here, 1, "B1")

    answers = await side_by_side(
        database,
        here.ask(1, exchange(1, its, "B1", "A1", slowly=True)),
        there.ask(1, exchange(1, its, "B1", "A2", slowly=True)),
    )
    again = await there.ask(1, exchange(1, its, "B1", "A1", slowly=True))

    assert list(kinds(answers)) == [Answer, PaymentPending]
    [first, _] = answers
    assert isinstance(first, Answer)
    assert isinstance(first.money, Paying)
    assert isinstance(again.money, Paying)
    assert (again.money.payment.id, again.money.begun) == (first.money.payment.id, False)
    assert await database.fetchval("SELECT count(*) FROM payments WHERE next_ask_at IS NOT NULL") == 1
    assert await sold(database) == {"B1": 1}
    await the_books_are_right(resources)


async def test_seats_go_round_in_one_batch(here: BoxOffice, database: Connection, resources: Resources) -> None:
    anns, bobs, cleos = await book(here, 1, "A1"), await book(here, 2, "A2"), await book(here, 3, "A3")
    await here.ask(1, exchange(1, anns, "A1", "B1"))

    async with busy(here, database):  # one of them once had the seat that it takes
        answers = told(
            here.ask(1, exchange(2, bobs, "A2", "A1")),
            here.ask(1, exchange(3, cleos, "A3", "A2")),
            here.ask(1, exchange(1, anns, "B1", "A3")),
            here.ask(1, exchange(3, cleos, "A2", "A4")),
            here.ask(1, exchange(2, bobs, "A1", "A2")),
            here.ask(1, exchange(1, anns, "A3", "A1")),
            here.ask(1, exchange(3, cleos, "A4", "A5")),
            here.ask(1, Cancel(Person(3), cleos)),
            here.ask(1, exchange(1, anns, "A1", "A5")),
        )

    assert list(kinds(await answers)) == [Answer] * 9
    assert await sold(database) == {"A5": 1, "A2": 2}
    await the_books_are_right(resources)


async def test_a_seat_that_comes_back_leaves_another_booking_in_the_same_batch(
    here: BoxOffice, database: Connection, resources: Resources
) -> None:
    anns = await book(here, 1, "A1")
    await here.ask(1, exchange(1, anns, "A1", "A2"))
    bobs = await book(here, 2, "A1")

    async with busy(here, database):
        answers = told(here.ask(1, Cancel(Person(2), bobs)), here.ask(1, exchange(1, anns, "A2", "A1")))

    assert list(kinds(await answers)) == [Answer, Answer]
    assert await sold(database) == {"A1": 1}
    await the_books_are_right(resources)


async def test_who_pays_while_the_seats_are_given_up_elsewhere_is_told_that_the_money_goes_back(
    client: AsyncClient, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, resources = await somebody(client), resources_of(client)
    booking = (await buyer.book("B1")).json()
    charge = resources.cashier._asking.charge

    async def cancel_first(screening_id: int, payment: Payment, *how: Any) -> Any:
        assert (await buyer.cancel(booking["id"])).status_code == 200
        return await charge(screening_id, payment, *how)

    monkeypatch.setattr(resources.cashier._asking, "charge", cancel_first)
    body = {"give": {"seat": "B1"}, "take": {"seat": "A1"}, "payment": {"token": "duplicate"}}

    answer = await buyer.ask("POST", f"/bookings/{booking['id']}/exchange", body, key="k")

    assert (answer.status_code, answer.json()["reason"]) == (402, "too_late")
    assert "goes back" in answer.json()["detail"]
    assert await sold(database) == {}
    await resources.refunds.carry_out()
    found = await books.examine(resources.engine)
    assert (found.wrong, found.unbalanced) == ([], [])
    assert [each.captured_minor - each.refunded_minor for each in found.totals] == [0]
