"""Giving money back by Stripe: once, whatever is asked how often."""

import logging

import pytest

from app.adapters.stripe_payments import StripePayments
from app.domain.money import Money
from app.services.money.provider import ProviderAway, RefundStatus
from tests.adapters.conftest import OpenPayments
from tests.adapters.stripe_stand_in import BROKEN, HANGS_AFTER, RESET_AFTER, RESET_BEFORE, Fault, StripeStandIn, error
from tests.adapters.test_stripe_charges import KEY, charge
from tests.adapters.test_stripe_failing import IMPATIENT

REFUSED = Fault(400, error("invalid_request_error", "balance_insufficient"))


async def test_a_part_is_given_back_and_the_payment_tells(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge())

    assert await payments.refund(paid.reference, Money(1_500, "EUR"), "refund-1") is RefundStatus.DONE

    found = await payments.look_up(KEY, paid.reference)
    assert found is not None
    assert found.refunded_minor == 1_500
    assert stripe.books.captured() == 3_000


async def test_a_refund_that_is_asked_for_again_gives_nothing_twice(
    open_payments: OpenPayments, stripe: StripeStandIn
) -> None:
    paid = await open_payments().charge(charge())
    await open_payments().refund(paid.reference, Money(1_500, "EUR"), "refund-1")
    stripe.forgets_keys()

    assert await open_payments().refund(paid.reference, Money(1_500, "EUR"), "refund-1") is RefundStatus.DONE
    assert await open_payments().refund(paid.reference, Money(1_500, "EUR"), "refund-2") is RefundStatus.DONE

    assert stripe.books.captured() == 1_500


@pytest.mark.parametrize("fault", [RESET_BEFORE, RESET_AFTER, HANGS_AFTER], ids=["reset", "reset-after", "hang-after"])
async def test_a_refund_whose_answer_is_lost_is_asked_for_again(
    open_payments: OpenPayments, stripe: StripeStandIn, fault: Fault
) -> None:
    payments = open_payments(patience_seconds=IMPATIENT if fault.hangs else 20)
    paid = await payments.charge(charge())
    stripe.fails("refund", fault, fault)
    with pytest.raises(ProviderAway):
        await payments.refund(paid.reference, Money(1_500, "EUR"), "refund-1")

    assert await payments.refund(paid.reference, Money(1_500, "EUR"), "refund-1") is RefundStatus.DONE

    assert stripe.books.captured() == 3_000


async def test_a_pending_refund_is_followed_and_not_made_again(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge(method="pm_card_pendingRefund"))

    first = await payments.refund(paid.reference, Money(4_500, "EUR"), "refund-1")
    again = await payments.refund(paid.reference, Money(4_500, "EUR"), "refund-1")
    stripe.books.refund_becomes("succeeded")
    at_last = await payments.refund(paid.reference, Money(4_500, "EUR"), "refund-1")

    assert (first, again, at_last) == (RefundStatus.PENDING, RefundStatus.PENDING, RefundStatus.DONE)
    assert len(stripe.books.refunds) == 1


@pytest.mark.parametrize("status", ["failed", "canceled"])
async def test_a_refund_that_failed_later_is_made_anew(
    payments: StripePayments, stripe: StripeStandIn, status: str
) -> None:
    paid = await payments.charge(charge(method="pm_card_pendingRefund"))
    await payments.refund(paid.reference, Money(4_500, "EUR"), "refund-1")
    stripe.books.refund_becomes(status)

    anew = await payments.refund(paid.reference, Money(4_500, "EUR"), "refund-1")

    assert anew is RefundStatus.PENDING
    assert [refund["status"] for refund in stripe.books.refunds] == [status, "pending"]
    assert stripe.books.captured() == 0


async def test_a_refund_that_stripe_refuses_now_is_told_and_tried_with_a_new_key(
    payments: StripePayments, stripe: StripeStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    paid = await payments.charge(charge())
    stripe.fails("refund", REFUSED)
    with caplog.at_level(logging.ERROR):
        refused = await payments.refund(paid.reference, Money(1_500, "EUR"), "refund-1")

    anew = await payments.refund(paid.reference, Money(1_500, "EUR"), "refund-1")

    assert (refused, anew) == (RefundStatus.FAILED, RefundStatus.DONE)
    assert "1500 EUR" in caplog.text
    first, second = (request.headers["idempotency-key"] for request in stripe.asked("refund"))
    assert first != second


async def test_what_somebody_gave_back_by_hand_is_back(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge())
    stripe.books.refund({"payment_intent": paid.reference, "amount": "4500"})

    assert await payments.refund(paid.reference, Money(4_500, "EUR"), "refund-1") is RefundStatus.DONE

    assert stripe.books.captured() == 0


async def test_more_than_was_paid_is_never_given_back(payments: StripePayments, stripe: StripeStandIn) -> None:
    paid = await payments.charge(charge())

    assert await payments.refund(paid.reference, Money(4_501, "EUR"), "refund-1") is RefundStatus.FAILED

    assert stripe.books.captured() == 4_500


async def test_a_part_that_stripe_cannot_give_back_exactly_is_told_to_the_operator(
    payments: StripePayments, caplog: pytest.LogCaptureFixture
) -> None:
    paid = await payments.charge(charge(10_250, "KWD"))

    with caplog.at_level(logging.ERROR):
        assert await payments.refund(paid.reference, Money(5_125, "KWD"), "refund-1") is RefundStatus.FAILED

    assert "5125 KWD" in caplog.text


async def test_a_payment_with_more_refunds_than_fit_a_page_is_read_wholly(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    paid = await payments.charge(charge(50_000))
    await payments.refund(paid.reference, Money(100, "EUR"), "the first")
    for _ in range(230):
        stripe.books.refund({"payment_intent": paid.reference, "amount": "100"})
    stripe.forgets_keys()

    assert await payments.refund(paid.reference, Money(100, "EUR"), "the first") is RefundStatus.DONE

    assert stripe.books.captured() == 50_000 - 231 * 100


async def test_while_stripe_is_away_a_refund_is_neither_done_nor_failed(
    payments: StripePayments, stripe: StripeStandIn
) -> None:
    paid = await payments.charge(charge())
    stripe.fails("refunds", BROKEN, BROKEN)

    with pytest.raises(ProviderAway):
        await payments.refund(paid.reference, Money(1_500, "EUR"), "refund-1")

    assert stripe.asked("refund") == []
