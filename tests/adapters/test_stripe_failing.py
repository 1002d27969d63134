"""Charging by Stripe when answers get lost. After each of them, what was charged is known."""

import asyncio
import logging

import pytest

from app.adapters.stripe_payments import StripePayments
from app.services.money.provider import ProviderAway, ProviderStatus, ProviderUnavailable
from tests.adapters.conftest import OpenPayments
from tests.adapters.stripe_books import IS_SLOW
from tests.adapters.stripe_stand_in import (
    BROKEN,
    BROKEN_AFTER,
    FORBIDDEN,
    HANGS_AFTER,
    HANGS_BEFORE,
    LOCKED,
    NOT_JSON,
    RESET_AFTER,
    RESET_BEFORE,
    TOO_MANY,
    Fault,
    StripeStandIn,
)
from tests.adapters.test_stripe_charges import KEY, charge

IMPATIENT = 1.5


@pytest.mark.parametrize(
    "fault",
    [RESET_BEFORE, RESET_AFTER, BROKEN, BROKEN_AFTER, NOT_JSON, TOO_MANY, FORBIDDEN, HANGS_BEFORE, HANGS_AFTER],
    ids=["reset", "reset-after", "500", "500-after", "502", "429", "403", "hang", "hang-after"],
)
async def test_if_no_intent_comes_back_nothing_was_charged_and_that_is_certain(
    open_payments: OpenPayments, stripe: StripeStandIn, fault: Fault
) -> None:
    payments = open_payments(patience_seconds=IMPATIENT if fault.hangs else 20)
    stripe.fails("create", fault, fault)

    with pytest.raises(ProviderUnavailable):
        await payments.charge(charge())

    assert stripe.books.captured() == 0
    assert stripe.asked("confirm") == []


async def test_a_wrong_key_is_told_to_the_operator_and_not_shown(
    open_payments: OpenPayments, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ProviderUnavailable):
        await open_payments("sk_test_of_somebody_else").charge(charge())

    assert "STRIPE_API_KEY" in caplog.text
    assert "somebody_else" not in caplog.text


@pytest.mark.parametrize("fault", [RESET_BEFORE, RESET_AFTER], ids=["before", "after"])
async def test_one_cut_connection_is_nothing_to_speak_of(
    payments: StripePayments, stripe: StripeStandIn, fault: Fault
) -> None:
    stripe.fails("create", fault)

    paid = await payments.charge(charge())

    assert paid.status is ProviderStatus.CAPTURED
    assert list(stripe.books.intents) == [paid.reference]


@pytest.mark.parametrize(
    ("fault", "then"),
    [
        (RESET_BEFORE, ProviderStatus.REQUIRES_ACTION),
        (RESET_AFTER, ProviderStatus.CAPTURED),
        (BROKEN, ProviderStatus.REQUIRES_ACTION),
        (BROKEN_AFTER, ProviderStatus.CAPTURED),
        (NOT_JSON, ProviderStatus.REQUIRES_ACTION),
        (LOCKED, ProviderStatus.REQUIRES_ACTION),
        (HANGS_BEFORE, ProviderStatus.REQUIRES_ACTION),
        (HANGS_AFTER, ProviderStatus.CAPTURED),
    ],
    ids=["reset", "reset-after", "500", "500-after", "502", "locked", "hang", "hang-after"],
)
async def test_if_the_answer_is_lost_the_outcome_is_unknown_until_it_is_looked_up(
    open_payments: OpenPayments, stripe: StripeStandIn, fault: Fault, then: ProviderStatus
) -> None:
    payments = open_payments(patience_seconds=IMPATIENT if fault.hangs else 20)
    stripe.fails("confirm", fault)

    with pytest.raises(ProviderAway) as away:
        await payments.charge(charge())

    assert not isinstance(away.value, ProviderUnavailable)
    assert len(stripe.asked("confirm")) == 1
    found = await payments.look_up(KEY, None)
    assert found is not None
    assert found.status is then


@pytest.mark.parametrize("fault", [TOO_MANY, FORBIDDEN], ids=["429", "403"])
async def test_what_stripe_refuses_at_the_door_charged_nothing(
    payments: StripePayments, stripe: StripeStandIn, fault: Fault
) -> None:
    stripe.fails("confirm", fault)

    with pytest.raises(ProviderUnavailable):
        await payments.charge(charge())

    assert stripe.books.captured() == 0


async def test_a_decline_stays_one_if_the_intent_cannot_be_canceled_now(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    stripe.fails("cancel", BROKEN, BROKEN)

    declined = await payments.charge(charge(method="pm_card_visa_chargeDeclined"))

    assert (declined.status, declined.decline_reason) == (ProviderStatus.FAILED, "generic_decline")


async def test_while_the_same_charge_is_under_way_elsewhere_its_outcome_is_unknown(
    open_payments: OpenPayments, stripe: StripeStandIn
) -> None:
    stripe.fails("create", HANGS_AFTER)
    elsewhere = asyncio.create_task(open_payments().charge(charge()))
    await stripe.is_hanging.wait()

    with pytest.raises(ProviderAway) as away:
        await open_payments().charge(charge())

    assert not isinstance(away.value, ProviderUnavailable)
    elsewhere.cancel()


async def test_a_charge_that_is_sent_twice_and_not_alike_is_told_to_the_operator(
    payments: StripePayments, stripe: StripeStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    await payments.charge(charge())

    with caplog.at_level(logging.ERROR), pytest.raises(ProviderAway) as away:
        await payments.charge(charge(9_900))

    assert not isinstance(away.value, ProviderUnavailable)
    assert "not alike" in caplog.text
    assert stripe.books.captured() == 4_500


async def test_a_charge_that_is_sent_again_while_stripe_is_away_may_have_gone_through_before(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    await payments.charge(charge())
    stripe.fails("create", BROKEN, BROKEN)

    with pytest.raises(ProviderAway) as away:
        await payments.charge(charge())

    assert not isinstance(away.value, ProviderUnavailable)


async def test_a_charge_may_be_cancelled_and_looked_up_by_another_process(
    open_payments: OpenPayments, stripe: StripeStandIn
) -> None:
    stripe.fails("confirm", HANGS_AFTER)
    asking = asyncio.create_task(open_payments().charge(charge()))
    await stripe.is_hanging.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    found = await open_payments().look_up(KEY, None)

    assert found is not None
    assert found.status is ProviderStatus.CAPTURED


# Calling off


async def test_what_is_unpaid_is_called_off_and_can_never_be_paid(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    asked = await payments.charge(charge(method=None))

    voided = await payments.void(KEY, asked.reference)

    assert voided is not None
    assert voided.status is ProviderStatus.VOIDED
    assert stripe.books.intents[asked.reference]["status"] == "canceled"
    assert await payments.void(KEY, asked.reference) == voided


async def test_what_is_paid_cannot_be_called_off(payments: StripePayments) -> None:
    paid = await payments.charge(charge())

    late = await payments.void(KEY, paid.reference)

    assert late == paid


async def test_what_the_bank_still_works_on_cannot_be_called_off_yet(payments: StripePayments) -> None:
    begun = await payments.charge(charge(method=IS_SLOW))

    later = await payments.void(KEY, begun.reference)

    assert later is not None
    assert later.status is ProviderStatus.PROCESSING


async def test_what_never_reached_stripe_is_unknown_and_can_be_barred_for_good(
    open_payments: OpenPayments, stripe: StripeStandIn
) -> None:
    payments = open_payments()
    assert await payments.look_up(KEY, None) is None

    assert await payments.void(KEY, None) is None
    assert await payments.void(KEY, None) is None

    assert {intent["status"] for intent in stripe.books.intents.values()} == {"canceled"}
    with pytest.raises(ProviderAway):  # the request that was on its way arrives
        await payments.charge(charge())
    assert stripe.books.captured() == 0


@pytest.mark.parametrize("method", ["pm_card_visa", None])
async def test_what_another_process_charged_is_found_although_it_cannot_be_searched_yet(
    open_payments: OpenPayments, stripe: StripeStandIn, method: str | None
) -> None:
    stripe.books.finds_new_intents = False
    for number in range(230):  # more than a page of others
        stripe.books.create({"amount": "900", "currency": "eur", "metadata[usher_key]": f"other-{number}"})
    await open_payments().charge(charge(method=method))
    for number in range(230):
        stripe.books.create({"amount": "900", "currency": "eur", "metadata[order]": f"of another shop {number}"})
    other_process = open_payments()
    assert await other_process.look_up(KEY, None) is None

    found = await other_process.void(KEY, None)

    assert found is not None
    assert found.status is (ProviderStatus.CAPTURED if method else ProviderStatus.VOIDED)


async def test_what_was_charged_is_found_after_stripe_has_forgotten_the_key(
    open_payments: OpenPayments, stripe: StripeStandIn
) -> None:
    paid = await open_payments().charge(charge())
    stripe.forgets_keys()

    assert await open_payments().look_up(KEY, None) == paid
    assert await open_payments().void(KEY, None) == paid


@pytest.mark.parametrize("name", ["search", "create", "cancel", "retrieve"])
async def test_while_stripe_is_away_nothing_is_certain(
    payments: StripePayments, stripe: StripeStandIn, name: str
) -> None:
    stripe.fails(name, BROKEN, BROKEN)

    asked = payments.look_up(KEY, "pi_1") if name == "retrieve" else payments.void(KEY, None)
    with pytest.raises(ProviderAway) as away:
        await asked

    assert not isinstance(away.value, ProviderUnavailable)


async def test_an_account_of_somebody_else_knows_nothing_and_proves_nothing(
    payments: StripePayments, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(ProviderAway):
        await payments.look_up(KEY, "pi_of_another_account")

    assert "STRIPE_API_KEY" in caplog.text
