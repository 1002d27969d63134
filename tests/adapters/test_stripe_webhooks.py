"""What Stripe reports, and what is not Stripe's."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from app.adapters.stripe_payments import StripePayments
from app.domain.money import Money
from app.services.money.provider import BadSignature, ProviderStatus
from tests.adapters.stripe_stand_in import StripeStandIn, signature
from tests.adapters.test_stripe_charges import KEY, charge

NOW = datetime.now(UTC)


def signed(body: bytes, at: datetime = NOW) -> dict[str, str]:
    return {"stripe-signature": signature(body, at.timestamp())}


async def test_a_payment_that_succeeded_is_captured(payments: StripePayments, stripe: StripeStandIn) -> None:
    made = await payments.charge(charge())
    body = stripe.event("payment_intent.succeeded", stripe.books.intents[made.reference])

    [event] = payments.read_webhook(signed(body), body, NOW)

    assert (event.reference, event.status) == (made.reference, ProviderStatus.CAPTURED)
    assert event.amount == Money(4_500, "EUR")
    assert event.event_id.startswith("evt_")


@pytest.mark.parametrize("kind", ["payment_intent.payment_failed", "payment_intent.canceled"])
async def test_what_failed_is_looked_at_again_because_it_may_be_paid_by_now(
    payments: StripePayments, stripe: StripeStandIn, kind: str
) -> None:
    made = await payments.charge(charge(method=None))
    stripe.books.payer_pays(made.reference, "pm_card_visa_chargeDeclined")
    body = stripe.event(kind, stripe.books.intents[made.reference])
    stripe.books.payer_pays(made.reference)

    [event] = payments.read_webhook(signed(body), body, NOW)

    assert (event.reference, event.status, event.amount) == (made.reference, None, None)
    found = await payments.look_up(KEY, event.reference)
    assert found is not None
    assert found.status is ProviderStatus.CAPTURED


async def test_the_amount_is_what_was_received_and_not_what_was_asked_for(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    made = await payments.charge(charge())
    intent = stripe.books.intents[made.reference] | {"amount_received": 4_000, "currency": "usd"}
    body = stripe.event("payment_intent.succeeded", intent)

    [event] = payments.read_webhook(signed(body), body, NOW)

    assert event.amount == Money(4_000, "USD")


@pytest.mark.parametrize("kind", ["refund.updated", "refund.failed", "charge.refunded"])
async def test_events_about_money_back_ask_for_a_second_look(
    payments: StripePayments, stripe: StripeStandIn, kind: str
) -> None:
    made = await payments.charge(charge())
    await payments.refund(made.reference, Money(1_500, "EUR"), "refund-1")
    charged = stripe.books.intents[made.reference]["latest_charge"]
    body = stripe.event(kind, charged if kind.startswith("charge") else stripe.books.refunds[-1])

    [event] = payments.read_webhook(signed(body), body, NOW)

    assert (event.reference, event.status, event.amount) == (made.reference, None, None)


async def test_a_refund_that_did_not_arrive_is_told_to_the_operator(
    payments: StripePayments, stripe: StripeStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    made = await payments.charge(charge())
    await payments.refund(made.reference, Money(1_500, "EUR"), "refund-1")
    body = stripe.event("refund.failed", stripe.books.refunds[-1])

    payments.read_webhook(signed(body), body, NOW)

    assert stripe.books.refunds[-1]["id"] in caplog.text


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("customer.created", {"id": "cus_1", "object": "customer"}),
        ("payment_intent.created", {"id": "pi_1", "object": "payment_intent", "amount": 1, "currency": "eur"}),
        ("charge.refunded", {"id": "ch_1", "object": "charge", "payment_intent": None}),
        ("refund.updated", {"id": "re_1", "object": "refund"}),
        ("a.kind.of.tomorrow", {"id": "x_1", "object": "x"}),
    ],
)
def test_everything_else_says_nothing(
    payments: StripePayments, stripe: StripeStandIn, kind: str, about: dict[str, object]
) -> None:
    body = stripe.event(kind, about)

    assert payments.read_webhook(signed(body), body, NOW) == []


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_clock_may_be_five_minutes_off(payments: StripePayments, stripe: StripeStandIn, minutes: int) -> None:
    body = stripe.event("customer.created", {"id": "cus_1", "object": "customer"})
    whole = NOW.replace(microsecond=0)

    assert payments.read_webhook(signed(body, whole + timedelta(minutes=minutes)), body, whole) == []


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_clock_may_not_be_further_off(payments: StripePayments, stripe: StripeStandIn, seconds: int) -> None:
    body = stripe.event("customer.created", {"id": "cus_1", "object": "customer"})
    whole = NOW.replace(microsecond=0)

    with pytest.raises(BadSignature, match="five minutes"):
        payments.read_webhook(signed(body, whole + timedelta(seconds=seconds)), body, whole)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "t=,v1=",
        "t=NOW",
        f"t=NOW,v1={'0' * 64}",
        f"t={'9' * 5_000},v1=0",
        f"t=NOW,v0={'0' * 64}",
    ],
)
def test_what_is_not_signed_is_not_believed(
    payments: StripePayments, stripe: StripeStandIn, header: str | None
) -> None:
    body = stripe.event("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"})

    sent = {} if header is None else {"stripe-signature": header.replace("NOW", str(int(time.time())))}
    with pytest.raises(BadSignature) as refused:
        payments.read_webhook(sent, body, NOW)

    assert "whsec_" not in str(refused.value).replace("should start with `whsec_`", "")


def test_what_somebody_else_signed_is_not_believed(payments: StripePayments, stripe: StripeStandIn) -> None:
    body = stripe.event("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"})
    header = signature(body, NOW.timestamp(), "whsec_of_another_endpoint")

    with pytest.raises(BadSignature):
        payments.read_webhook({"stripe-signature": header}, body, NOW)


def test_one_changed_byte_is_noticed(payments: StripePayments, stripe: StripeStandIn) -> None:
    body = stripe.event("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent", "amount": 100})

    with pytest.raises(BadSignature):
        payments.read_webhook(signed(body), body.replace(b"100", b"900"), NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"object": "v2.core.event"}'])
def test_what_is_signed_and_no_event_is_refused(payments: StripePayments, body: bytes) -> None:
    with pytest.raises(BadSignature):
        payments.read_webhook(signed(body), body, NOW)
