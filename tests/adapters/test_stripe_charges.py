"""Charging by Stripe: what payers and banks may do."""

import logging
from uuid import UUID

import pytest

from app.adapters.stripe_payments import StripePayments
from app.domain.money import Money
from app.services.money.provider import Charge, ProviderStatus, UnknownToken
from tests.adapters.conftest import OpenPayments
from tests.adapters.stripe_books import IS_SLOW, NEEDS_BANK
from tests.adapters.stripe_stand_in import StripeStandIn

KEY = "usher-018f-1"


def charge(
    amount_minor: int = 4_500,
    currency: str = "EUR",
    *,
    method: str | None = "pm_card_visa",
    token: str | None = None,
    key: str = KEY,
) -> Charge:
    return Charge(
        key, 7, UUID(int=5), Money(amount_minor, currency), method=method, token=token, description="Two seats"
    )


async def test_a_card_is_charged(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge())

    assert paid.status is ProviderStatus.CAPTURED
    assert paid.amount == Money(4_500, "EUR")
    assert paid.reference in stripe.books.intents
    assert (paid.client_secret, paid.redirect_url, paid.decline_reason) == (None, None, None)
    assert stripe.books.captured() == 4_500


async def test_stripe_is_told_what_the_money_is_for(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge())

    intent = stripe.books.intents[paid.reference]
    assert intent["metadata"] == {
        "usher_key": KEY,
        "usher_payment_id": "00000000-0000-0000-0000-000000000005",
        "usher_screening_id": "7",
    }
    assert intent["description"] == "Two seats"


async def test_each_request_is_for_one_version_of_the_api_and_tells_nothing_of_this_machine(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    await payments.charge(charge())
    await payments.look_up(KEY, None)

    assert {request.headers["stripe-version"] for request in stripe.requests} == {"2026-10-28.endive"}
    assert not any("x-stripe-client-telemetry" in request.headers for request in stripe.requests)
    assert not any("telemetry_id" in request.headers["x-stripe-client-user-agent"] for request in stripe.requests)


async def test_a_confirmation_token_of_the_browser_pays(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge(method=None, token="ctoken_visa"))

    assert paid.status is ProviderStatus.CAPTURED
    assert stripe.asked("confirm")[0].params["confirmation_token"] == "ctoken_visa"


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined"),
        ("pm_unheard_of", "resource_missing"),
    ],
)
async def test_a_declined_card_fails_with_a_reason_and_nobody_can_pay_later(
    payments: StripePayments, stripe: StripeStandIn, method: str, told: str
) -> None:
    declined = await payments.charge(charge(method=method))

    assert declined.status is ProviderStatus.FAILED
    assert declined.decline_reason == told
    assert stripe.books.intents[declined.reference]["status"] == "canceled"
    assert declined.client_secret is None


async def test_who_names_neither_method_nor_token_pays_in_the_browser(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    asked = await payments.charge(charge(method=None))

    assert asked.status is ProviderStatus.REQUIRES_ACTION
    assert asked.client_secret == stripe.books.intents[asked.reference]["client_secret"]
    assert asked.redirect_url is None
    stripe.books.payer_pays(asked.reference)
    paid = await payments.look_up(KEY, asked.reference)
    assert paid is not None
    assert paid.status is ProviderStatus.CAPTURED


async def test_a_decline_in_the_browser_fails_the_payment_for_good(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    asked = await payments.charge(charge(method=None))
    stripe.books.payer_pays(asked.reference, "pm_card_visa_chargeDeclinedInsufficientFunds")

    found = await payments.look_up(KEY, asked.reference)

    assert found is not None
    assert (found.status, found.decline_reason) == (ProviderStatus.FAILED, "insufficient_funds")
    assert stripe.books.intents[asked.reference]["status"] == "canceled"
    assert await payments.look_up(KEY, asked.reference) == found


async def test_a_bank_that_wants_to_see_the_payer_is_visited_by_stripe_js(payments: StripePayments) -> None:
    asked = await payments.charge(charge(method=NEEDS_BANK))

    assert asked.status is ProviderStatus.REQUIRES_ACTION
    assert asked.client_secret is not None
    assert asked.redirect_url is None


async def test_a_bank_that_wants_to_see_the_payer_has_a_page_if_there_is_a_way_back(
    open_payments: OpenPayments, stripe: StripeStandIn
) -> None:
    asked = await open_payments(return_url="https://tickets.example.org/paid").charge(charge(method=NEEDS_BANK))

    assert asked.redirect_url == f"https://hooks.stripe.com/3d_secure_2/hosted?payment_intent={asked.reference}"
    assert stripe.asked("confirm")[0].params["return_url"] == "https://tickets.example.org/paid"


async def test_a_slow_bank_is_processing(payments: StripePayments, stripe: StripeStandIn) -> None:
    begun = await payments.charge(charge(method=IS_SLOW))

    assert begun.status is ProviderStatus.PROCESSING
    stripe.books.payer_pays(begun.reference)
    paid = await payments.look_up(KEY, begun.reference)
    assert paid is not None
    assert paid.status is ProviderStatus.CAPTURED


async def test_a_charge_that_is_sent_twice_is_one_charge(payments: StripePayments, stripe: StripeStandIn) -> None:
    first = await payments.charge(charge())
    again = await payments.charge(charge())

    assert again == first
    assert stripe.books.captured() == 4_500


async def test_a_charge_that_is_sent_twice_is_told_as_it_is_now(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    asked = await payments.charge(charge(method=NEEDS_BANK))
    stripe.books.payer_pays(asked.reference)

    again = await payments.charge(charge(method=NEEDS_BANK))

    assert again.status is ProviderStatus.CAPTURED


@pytest.mark.parametrize(
    ("amount_minor", "currency", "sent"),
    [
        (4_500, "EUR", "4500"),
        (4_500, "JPY", "4500"),
        (4_500, "HUF", "4500"),
        (4_500, "TWD", "4500"),
        (4_500, "ISK", "450000"),
        (4_500, "UGX", "450000"),
        (450_000, "MGA", "4500"),
        (5_120, "KWD", "5120"),
    ],
)
async def test_amounts_are_charged_in_stripes_units_and_told_in_ours(
    payments: StripePayments, stripe: StripeStandIn, amount_minor: int, currency: str, sent: str
) -> None:
    paid = await payments.charge(charge(amount_minor, currency))

    assert stripe.asked("create")[0].params["amount"] == sent
    assert paid.status is ProviderStatus.CAPTURED
    assert paid.amount == Money(amount_minor, currency)


@pytest.mark.parametrize(("amount_minor", "currency"), [(5_125, "KWD"), (450_050, "MGA")])
async def test_what_stripe_cannot_take_exactly_is_not_rounded(
    payments: StripePayments,
    stripe: StripeStandIn,
    caplog: pytest.LogCaptureFixture,
    amount_minor: int,
    currency: str,
) -> None:
    refused = await payments.charge(charge(amount_minor, currency))

    assert (refused.status, refused.decline_reason) == (ProviderStatus.FAILED, "amount_not_chargeable")
    assert stripe.requests == []
    assert currency in caplog.text


@pytest.mark.parametrize(
    ("amount_minor", "currency", "reason"),
    [(10, "EUR", "amount_too_small"), (100_000_000, "EUR", "amount_too_large"), (4_500, "KPW", "card_declined")],
)
async def test_what_stripe_does_not_charge_fails_and_is_told_to_the_operator(
    payments: StripePayments, caplog: pytest.LogCaptureFixture, amount_minor: int, currency: str, reason: str
) -> None:
    with caplog.at_level(logging.ERROR):
        refused = await payments.charge(charge(amount_minor, currency))

    assert (refused.status, refused.decline_reason) == (ProviderStatus.FAILED, reason)
    assert f"{amount_minor} {currency}" in caplog.text


@pytest.mark.parametrize(
    ("method", "token"),
    [("card", None), (None, "tok_visa"), ("pm_card_visa", "ctoken_visa"), ("", None), (None, "declined")],
)
def test_what_is_no_token_of_stripe_is_refused_before_anybody_is_asked(
    payments: StripePayments, method: str | None, token: str | None
) -> None:
    with pytest.raises(UnknownToken):
        payments.check(method, token)


@pytest.mark.parametrize(("method", "token"), [(None, None), ("pm_1", None), (None, "ctoken_1")])
def test_methods_and_tokens_of_stripe_are_taken(
    payments: StripePayments, method: str | None, token: str | None
) -> None:
    payments.check(method, token)

    assert not payments.is_certain(method, token)
