"""Bookings that are paid by Stripe, from the call to the money."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.domain.people.people import Role
from app.services.money import books
from tests.adapters.stripe_books import NEEDS_BANK
from tests.adapters.stripe_stand_in import (
    API_KEY,
    BROKEN,
    HANGS_AFTER,
    HANGS_BEFORE,
    RESET_AFTER,
    RESET_BEFORE,
    WEBHOOK_SECRET,
    Fault,
    StripeStandIn,
    signature,
)
from tests.conftest import OpenApp, resources_of
from tests.order import Connection, until, until_so
from tests.organizers import token_of
from tests.routers.reference.documented import Json
from tests.routers.visitors import Visitor, guest, refused, told

WAIT_SECONDS = 3.0
OpenShop = Callable[..., Awaitable[AsyncClient]]


@pytest.fixture
def open_shop(open_app: OpenApp, stripe: StripeStandIn) -> OpenShop:
    """Opens an application that is paid by Stripe: a process."""

    async def open_one(**changes: Any) -> AsyncClient:
        stripes = {
            "payment_provider": "stripe",
            "stripe_api_key": API_KEY,
            "stripe_webhook_secret": WEBHOOK_SECRET,
            "stripe_api_base": stripe.url,
            "sweep": True,  # it finishes payments, too
        }
        return await open_app(**{**stripes, **changes})

    return open_one


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncClient:
    """A process that is paid by Stripe."""
    return await open_shop()


@pytest.fixture
async def ada(shop: AsyncClient) -> Visitor:
    """Somebody who wants seats."""
    return await guest(shop, "ada@example.com")


async def pay(payer: Visitor, hold: Json, **payment: str) -> Response:
    return await payer.post(f"/reservations/{hold['id']}/confirm", {"payment": payment} if payment else None)


async def report(client: AsyncClient, stripe: StripeStandIn, kind: str, about: Json) -> Response:
    """What Stripe's servers do."""
    body = stripe.event(kind, about)
    headers = {"stripe-signature": signature(body, time.time()), "content-type": "application/json; charset=utf-8"}
    return await client.post("/api/v1/payments/stripe/webhook", content=body, headers=headers)


async def payments_of(client: AsyncClient, database: Connection, hold: Json) -> list[Json]:
    """What organizers see of the payments of a reservation."""
    listed = await Visitor(client, await token_of(database, Role.ORGANIZER)).read("/payments")
    return [payment for payment in listed["items"] if payment["reservation_id"] == hold["id"]]


async def test_a_card_pays_for_seats(ada: Visitor, stripe: StripeStandIn) -> None:
    hold = await ada.hold("A1", "A2")

    booking = told(await pay(ada, hold, method="pm_card_visa"), 201)

    assert booking["payment"]["provider"] == "stripe"
    assert booking["payment"]["status"] == "paid"
    assert booking["payment"]["reference"] in stripe.books.intents
    assert booking["payment"]["amount"] == hold["total"]
    assert stripe.books.captured() == hold["total"]["amount_minor"]


async def test_seats_are_booked_directly_with_a_token_of_the_browser(ada: Visitor, stripe: StripeStandIn) -> None:
    wanted = {"screening_id": 1, "seats": ["A1"], "payment": {"token": "ctoken_visa"}}

    booking = told(await ada.post("/bookings", wanted), 201)

    assert stripe.books.captured() == booking["total"]["amount_minor"]


async def test_a_declined_card_leaves_the_seats_held_and_says_why(ada: Visitor, stripe: StripeStandIn) -> None:
    hold = await ada.hold("A1")

    declined = await pay(ada, hold, method="pm_card_visa_chargeDeclinedInsufficientFunds")

    assert declined.status_code == 402
    assert declined.json()["code"] == "payment-declined"
    assert "insufficient_funds" in declined.text
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"
    assert told(await pay(ada, hold, method="pm_card_visa"), 201)["status"] == "confirmed"
    assert stripe.books.captured() == hold["total"]["amount_minor"]


@pytest.mark.parametrize("payment", [{"method": "card"}, {"token": "tok_visa"}])
async def test_what_is_no_token_of_stripe_is_refused_and_stripe_is_not_asked(
    ada: Visitor, stripe: StripeStandIn, payment: Json
) -> None:
    hold = await ada.hold("A1")

    assert (await pay(ada, hold, **payment)).status_code == 422

    assert stripe.requests == []


async def test_a_payer_pays_in_the_browser_and_stripe_reports_it(
    ada: Visitor, shop: AsyncClient, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    paying = told(await pay(ada, hold), 202)
    assert paying["status"] == "paying"
    assert paying["payment"]["status"] == "requires_action"
    [intent] = stripe.books.intents.values()
    assert paying["payment"]["client_secret"] == intent["client_secret"]

    stripe.books.payer_pays(intent["id"])
    for _ in range(2):
        assert (await report(shop, stripe, "payment_intent.succeeded", intent)).status_code == 200

    paid = await ada.read(f"/reservations/{hold['id']}")
    assert paid["status"] == "booked"
    booking = await ada.read(f"/bookings/{paid['booking_id']}")
    assert booking["payment"]["status"] == "paid"
    assert stripe.books.captured() == hold["total"]["amount_minor"]


async def test_a_decline_after_3d_secure_gives_the_hold_back(
    ada: Visitor, shop: AsyncClient, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    told(await pay(ada, hold, method=NEEDS_BANK), 202)
    [intent] = stripe.books.intents.values()
    stripe.books.payer_pays(intent["id"], "pm_card_visa_chargeDeclined")

    assert (await report(shop, stripe, "payment_intent.payment_failed", intent)).status_code == 200

    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"
    assert intent["status"] == "canceled"


async def test_while_stripe_is_away_nothing_is_charged_and_the_seats_stay_held(
    ada: Visitor, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    stripe.fails("create", BROKEN, BROKEN)

    answer = await pay(ada, hold, method="pm_card_visa")

    assert (answer.status_code, answer.json()["code"]) == (503, "payments-unavailable")
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "held"
    assert stripe.books.captured() == 0


async def test_if_the_answer_is_lost_after_the_charge_the_seats_are_booked(ada: Visitor, stripe: StripeStandIn) -> None:
    hold = await ada.hold("A1")
    stripe.fails("confirm", RESET_AFTER)

    booking = told(await pay(ada, hold, method="pm_card_visa"), 201)

    assert booking["status"] == "confirmed"
    assert stripe.books.captured() == hold["total"]["amount_minor"]


async def test_if_the_answer_is_lost_before_the_charge_nothing_is_charged(ada: Visitor, stripe: StripeStandIn) -> None:
    hold = await ada.hold("A1")
    stripe.fails("confirm", RESET_BEFORE)

    answer = await pay(ada, hold, method="pm_card_visa")

    assert (answer.status_code, answer.json()["code"]) == (503, "payments-unavailable")
    assert {intent["status"] for intent in stripe.books.intents.values()} == {"canceled"}
    assert stripe.books.captured() == 0


@pytest.mark.parametrize("can_be_searched", [True, False])
@pytest.mark.parametrize(
    ("name", "fault", "then"),
    [("confirm", HANGS_AFTER, "booked"), ("confirm", HANGS_BEFORE, "held"), ("create", HANGS_AFTER, "held")],
    ids=["charged", "not-charged", "not-confirmed"],
)
async def test_a_stripe_that_hangs_is_asked_later_what_came_of_it_by_another_process(
    open_shop: OpenShop,
    database: Connection,
    stripe: StripeStandIn,
    name: str,
    fault: Fault,
    then: str,
    can_be_searched: bool,
) -> None:
    stripe.books.finds_new_intents = can_be_searched
    soon = {"payment_wait_seconds": WAIT_SECONDS, "payment_deadline_seconds": WAIT_SECONDS}
    ada = await guest(await open_shop(**soon, sweep=False), "ada@example.com")
    hold = await ada.hold("A1")
    stripe.fails(name, fault)
    assert told(await pay(ada, hold, method="pm_card_visa"), 202)["payment"]["status"] == "processing"
    stripe.go_on.set()

    await open_shop()

    async def is_decided() -> bool:
        return bool((await ada.read(f"/reservations/{hold['id']}"))["status"] != "paying")

    await until_so(database, is_decided)
    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == then
    assert stripe.books.captured() == (hold["total"]["amount_minor"] if then == "booked" else 0)


async def test_a_cancelled_booking_is_refunded_by_stripe(
    ada: Visitor, database: Connection, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    booking = told(await pay(ada, hold, method="pm_card_visa"), 201)

    told(await ada.delete(f"/bookings/{booking['id']}"), 200)

    await until(database, "NOT EXISTS (SELECT FROM refunds WHERE done_at IS NULL)")
    assert (await ada.read(f"/bookings/{booking['id']}"))["payment"]["status"] == "refunded"
    assert stripe.books.captured() == 0


async def test_a_refund_that_stripe_is_slow_with_is_pending_until_it_is_through(
    ada: Visitor, database: Connection, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    booking = told(await pay(ada, hold, method="pm_card_pendingRefund"), 201)
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    await until_so(database, lambda: _is(len(stripe.books.refunds) == 1))
    assert (await ada.read(f"/bookings/{booking['id']}"))["payment"]["status"] == "refund_pending"

    stripe.books.refund_becomes("succeeded")

    await until(database, "NOT EXISTS (SELECT FROM refunds WHERE done_at IS NULL)")
    assert (await ada.read(f"/bookings/{booking['id']}"))["payment"]["status"] == "refunded"
    assert len(stripe.books.refunds) == 1


async def test_a_refund_that_did_not_arrive_is_seen_and_given_back_again(
    ada: Visitor, shop: AsyncClient, database: Connection, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    booking = told(await pay(ada, hold, method="pm_card_pendingRefund"), 201)
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    await until_so(database, lambda: _is(len(stripe.books.refunds) == 1))
    stripe.books.refund_becomes("succeeded")
    lost = stripe.books.refunds[-1]
    assert (await report(shop, stripe, "refund.updated", lost)).status_code == 200
    assert (await ada.read(f"/bookings/{booking['id']}"))["payment"]["status"] == "refunded"
    organizer = Visitor(shop, await token_of(database, Role.ORGANIZER))
    assert (await organizer.read("/screenings/1/report"))["refunded"] == hold["total"]

    stripe.books.refund_becomes("failed")
    stripe.fails("refunds", BROKEN, BROKEN)
    assert (await report(shop, stripe, "refund.failed", lost)).status_code == 503
    assert (await report(shop, stripe, "refund.failed", lost)).status_code == 200

    [owed] = (await organizer.read("/payments?status=refund_pending"))["items"]
    assert [entry["kind"] for entry in owed["entries"]] == ["capture", "refund", "fail"]
    assert owed["entries"][2]["cause"] == "cancelled"
    assert owed["refunded"]["amount_minor"] == 0
    assert (await organizer.read("/screenings/1/report"))["refunded"]["amount_minor"] == 0
    assert (await ada.read(f"/bookings/{booking['id']}"))["payment"]["status"] == "refund_pending"
    await the_books_are_right(shop)

    await until(database, "EXISTS (SELECT FROM refunds WHERE tries > 2)")
    await until_so(database, lambda: _is(len(stripe.books.refunds) == 2))
    assert (await report(shop, stripe, "refund.failed", lost)).status_code == 200  # once more, and late
    stripe.books.refund_becomes("succeeded")
    assert (await report(shop, stripe, "charge.refund.updated", stripe.books.refunds[-1])).status_code == 200

    [payment] = await payments_of(shop, database, hold)
    assert payment["status"] == "refunded"
    assert [entry["kind"] for entry in payment["entries"]] == ["capture", "refund", "fail", "refund"]
    assert stripe.books.captured() == 0
    assert len(stripe.books.refunds) == 2
    assert (await organizer.read("/screenings/1/report"))["refunded"] == hold["total"]
    await the_books_are_right(shop)


async def the_books_are_right(client: AsyncClient) -> None:
    found = await books.examine(resources_of(client).engine)
    assert (found.wrong, found.unbalanced) == ([], [])


async def _is(so: bool) -> bool:
    return so


async def test_a_wrong_amount_books_nothing_and_goes_back(
    ada: Visitor, shop: AsyncClient, database: Connection, stripe: StripeStandIn
) -> None:
    hold = await ada.hold("A1")
    told(await pay(ada, hold), 202)
    [intent] = stripe.books.intents.values()
    intent["amount"] -= 100
    stripe.books.payer_pays(intent["id"])

    assert (await report(shop, stripe, "payment_intent.succeeded", intent)).status_code == 200

    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] != "booked"
    await until(database, "NOT EXISTS (SELECT FROM refunds WHERE done_at IS NULL)")
    [payment] = await payments_of(shop, database, hold)
    assert (payment["status"], payment["cause"]) == ("refunded", "wrong_amount")
    assert stripe.books.captured() == 0


async def test_a_payment_of_another_shop_is_none_of_ours(shop: AsyncClient, stripe: StripeStandIn) -> None:
    intent = stripe.books.create({"amount": "900", "currency": "eur"})
    stripe.books.payer_pays(intent["id"])

    assert (await report(shop, stripe, "payment_intent.succeeded", intent)).status_code == 200


async def test_a_webhook_that_is_not_stripes_is_refused(ada: Visitor, shop: AsyncClient, stripe: StripeStandIn) -> None:
    hold = await ada.hold("A1")
    told(await pay(ada, hold), 202)
    [intent] = stripe.books.intents.values()
    stripe.books.payer_pays(intent["id"])
    body = stripe.event("payment_intent.succeeded", intent)

    for header in (signature(body, time.time(), "whsec_guessed"), signature(body, time.time() - 400), "t=1"):
        answer = await shop.post("/api/v1/payments/stripe/webhook", content=body, headers={"stripe-signature": header})
        refused(answer, 401, "unauthenticated")

    assert (await ada.read(f"/reservations/{hold['id']}"))["status"] == "paying"


async def test_a_webhook_of_a_megabyte_is_read_or_refused_and_never_an_error(
    shop: AsyncClient, stripe: StripeStandIn
) -> None:
    answer = await report(shop, stripe, "customer.updated", {"id": "cus_1", "object": "customer", "x": "x" * 1_000_000})

    assert answer.status_code in (200, 413)


async def test_two_tabs_pay_once(ada: Visitor, stripe: StripeStandIn) -> None:
    hold = await ada.hold("A1")

    answers = await asyncio.gather(*(pay(ada, hold, method="pm_card_visa") for _ in range(4)))

    assert {answer.status_code for answer in answers} <= {201, 200, 202}
    assert stripe.books.captured() == hold["total"]["amount_minor"]


async def test_what_was_paid_by_stripe_is_refunded_there_after_it_is_chosen_no_more(
    open_shop: OpenShop, database: Connection, stripe: StripeStandIn
) -> None:
    ada = await guest(await open_shop(), "ada@example.com")
    booking = told(await pay(ada, await ada.hold("A1"), method="pm_card_visa"), 201)
    later = Visitor(await open_shop(payment_provider="dummy"), ada.token)

    told(await later.delete(f"/bookings/{booking['id']}"), 200)

    await until(database, "NOT EXISTS (SELECT FROM refunds WHERE done_at IS NULL)")
    assert stripe.books.captured() == 0


async def test_a_difference_is_paid_by_stripe_and_goes_back_there(
    ada: Visitor, database: Connection, stripe: StripeStandIn
) -> None:
    booking = told(await pay(ada, await ada.hold("B1"), method="pm_card_visa"), 201)
    path, dearer = f"/bookings/{booking['id']}/exchange", {"give": {"seat": "B1"}, "take": {"seat": "A1"}}

    declined = await ada.post(path, {**dearer, "payment": {"method": "pm_card_visa_chargeDeclined"}})
    exchanged = told(await ada.post(path, {**dearer, "payment": {"method": "pm_card_visa"}}), 200)

    assert declined.status_code == 402
    assert exchanged["payment"]["reference"] == booking["payment"]["reference"]
    assert stripe.books.captured() == exchanged["payment"]["amount"]["amount_minor"] == 4500
    cheaper = {"give": {"seat": "A1"}, "take": {"seat": "D1"}}
    told(await ada.post(path, cheaper), 200)  # more than the second payment: some goes back from both
    await until(database, "NOT EXISTS (SELECT FROM refunds WHERE done_at IS NULL)")
    assert stripe.books.captured() == 1500
    assert len(stripe.books.refunds) == 2
