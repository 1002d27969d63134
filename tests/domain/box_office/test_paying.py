"""Paying: what begins with a charge ends with a booking, or with the hold as it was; other money goes back."""

from datetime import timedelta

import pytest

from app.domain.bookings import BookingStatus, PaidStatus
from app.domain.box_office.commands import BeginPaying, Close
from app.domain.box_office.outcomes import Booked, GaveUp, Paying
from app.domain.money import Money
from app.domain.payments import EntryKind, PaymentState, RefundCause
from app.domain.refusals import (
    CancellationClosed,
    LimitExceeded,
    PaymentPending,
    ReservationExpired,
    SeatsUnavailable,
)
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from tests.domain.promises import check_house
from tests.domain.states import ANN, BOB, BOX, CAP, HOLD, NOON, ORGANIZER, STANDARD, Evening, empty_house

CAPTURED, FAILED, VOIDED = PaymentState.CAPTURED, PaymentState.FAILED, PaymentState.VOIDED
MINUTE = timedelta(minutes=1)


def test_while_it_is_paid_for_a_hold_does_not_run_out() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.pay(ANN, hold)
    evening.wait(timedelta(hours=1))

    assert evening.sweep() == 0
    with pytest.raises(SeatsUnavailable):
        evening.hold(BOB, "A1")

    assert evening.reservation(hold).status_at(evening.now) is ReservationStatus.PAYING
    check_house(evening.state, evening.now)


def test_its_end_is_the_deadline_of_the_provider() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD - timedelta(seconds=1))

    evening.pay(ANN, hold)

    assert evening.reservation(hold).expires_at == evening.now + MINUTE


def test_captured_money_books_the_seats() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A5")
    payment = evening.pay(ANN, hold)

    decision = evening.settle(payment, CAPTURED)

    assert isinstance(decision.outcome, Booked)
    booking = decision.outcome.booking
    assert booking.payment.amount == Money(STANDARD.amount_minor + BOX.amount_minor, "EUR")
    assert booking.payment.status is PaidStatus.PAID
    assert evening.booked_by(ANN) == {"A1", "A5"}
    assert [entry.kind for entry in decision.entries] == [EntryKind.CAPTURE]
    check_house(evening.state, evening.now)


def test_captured_twice_is_captured_once() -> None:
    evening = Evening()
    payment = evening.pay(ANN, evening.hold(ANN, "A1"))
    evening.settle(payment, CAPTURED)

    again = evening.settle(payment, CAPTURED)

    assert isinstance(again.outcome, Booked)
    assert not again.changes_something
    assert (again.payments, again.entries, again.refunds) == ({}, [], [])


@pytest.mark.parametrize("said", [FAILED, VOIDED])
def test_a_payment_that_fails_leaves_the_hold_for_a_minute_at_least(said: PaymentState) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD - timedelta(seconds=10))
    payment = evening.pay(ANN, hold)

    decision = evening.settle(payment, said)

    assert decision.outcome == GaveUp(evening.state.payments[payment.id], evening.now + MINUTE)
    assert evening.reservation(hold).status is ReservationStatus.HELD
    assert evening.held_by(ANN) == {"A1"}
    check_house(evening.state, evening.now)


def test_whoever_hears_of_a_failure_again_is_told_the_same() -> None:
    evening = Evening()
    payment = evening.pay(ANN, evening.hold(ANN, "A1"))
    first = evening.settle(payment, FAILED)

    again = evening.settle(payment, FAILED)

    assert again.outcome == first.outcome
    assert not again.changes_something


def test_a_payment_that_fails_early_takes_nothing_from_the_hold() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    evening.settle(evening.pay(ANN, hold), FAILED)

    assert evening.reservation(hold).expires_at == hold.expires_at


def test_the_minute_may_pass_the_cap_once() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    for _ in range(2):
        evening.wait(HOLD - timedelta(seconds=1))
        evening.extend(ANN, hold)
    evening.wait(HOLD + timedelta(seconds=1))
    evening.settle(evening.pay(ANN, hold), FAILED)
    assert evening.reservation(hold).expires_at == evening.now + MINUTE > NOON + CAP
    evening.wait(timedelta(seconds=59))

    decision = evening.settle(evening.pay(ANN, hold), FAILED)

    assert isinstance(decision.outcome, GaveUp)
    assert decision.outcome.expires_at == evening.now + timedelta(seconds=1)


def test_a_hold_that_was_over_before_it_was_paid_for_ends_with_the_second_failure() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(CAP)
    evening.settle(evening.pay(ANN, hold), FAILED)
    payment = evening.pay(ANN, hold)
    evening.wait(2 * MINUTE)

    decision = evening.settle(payment, FAILED)

    assert isinstance(decision.outcome, GaveUp)
    assert decision.outcome.expires_at is None
    assert evening.reservation(hold).status is ReservationStatus.EXPIRED
    assert "A1" in evening.free()
    check_house(evening.state, evening.now)


def test_nothing_about_it_can_change_meanwhile() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.pay(ANN, hold)

    for change in (
        lambda: evening.release(ANN, hold),
        lambda: evening.release(ANN, hold, "A1"),
        lambda: evening.extend(ANN, hold),
        lambda: evening.toggle(ANN, "A1"),
        lambda: evening.hold(ANN, "A1", "A3"),
        lambda: evening.book(ANN, "A1"),
    ):
        with pytest.raises(PaymentPending):
            change()

    assert evening.held_by(ANN) == {"A1", "A2"}


def test_releasing_everything_leaves_it() -> None:
    evening = Evening()
    evening.pay(ANN, evening.hold(ANN, "A1"))
    evening.hold(ANN, "A2")

    assert evening.release_all(ANN) == {"A2"}

    assert evening.held_by(ANN) == {"A1"}


def test_a_toggle_joins_another_hold() -> None:
    evening = Evening()
    paying = evening.hold(ANN, "A1")
    evening.pay(ANN, paying)

    toggled = evening.toggle(ANN, "A3")

    assert toggled.reservation is not None
    assert toggled.reservation.id != paying.id


def test_confirming_again_says_that_it_is_being_paid_for() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    payment = evening.pay(ANN, hold)

    again = evening.ask(BeginPaying(ANN, hold.id, evening.attempt()))

    assert again.outcome == Paying(evening.reservation(hold), payment)
    assert not again.changes_something


def test_what_is_free_is_booked_at_once() -> None:
    evening = Evening(empty_house(prices={"standard": Money(0, "EUR"), "box": BOX}))
    hold = evening.hold(ANN, "A1")

    decision = evening.ask(BeginPaying(ANN, hold.id, evening.attempt()))

    assert isinstance(decision.outcome, Booked)
    [payment] = decision.payments.values()
    assert (payment.amount, payment.captured_minor, payment.status) == (Money(0, "EUR"), 0, CAPTURED)


def test_the_active_limit_counts_it() -> None:
    evening = Evening(empty_house(limits=Limits(None, max_active_reservations_per_user=1)))
    evening.pay(ANN, evening.hold(ANN, "A1"))
    evening.wait(timedelta(hours=1))

    with pytest.raises(LimitExceeded):
        evening.hold(ANN, "A2")


def test_the_daily_limit_counts_it() -> None:
    evening = Evening(empty_house(limits=Limits(None, bookings_per_user_per_day=1)))
    first, second = evening.hold(ANN, "A1"), evening.hold(ANN, "A2")
    payment = evening.pay(ANN, first)

    with pytest.raises(LimitExceeded):
        evening.pay(ANN, second)

    evening.settle(payment, FAILED)
    evening.pay(ANN, second)


def test_a_wrong_amount_is_never_booked_and_goes_back() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    payment = evening.pay(ANN, hold)

    decision = evening.settle(payment, CAPTURED, Money(1, "EUR"))

    [refund] = decision.refunds
    assert (refund.amount, refund.cause) == (Money(1, "EUR"), RefundCause.WRONG_AMOUNT)
    assert evening.held_by(ANN) == {"A1"}
    assert evening.state.payments[payment.id].left_minor == 0
    check_house(evening.state, evening.now)


def test_money_that_comes_after_it_was_called_off_goes_back() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    payment = evening.pay(ANN, hold)
    evening.settle(payment, VOIDED)

    decision = evening.settle(payment, CAPTURED)

    [refund] = decision.refunds
    assert (refund.amount, refund.cause) == (STANDARD, RefundCause.TOO_LATE)
    assert not decision.changes_something
    assert evening.held_by(ANN) == {"A1"}


def test_a_cancelled_screening_releases_it_and_late_money_goes_back() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    payment = evening.pay(ANN, hold)
    evening.change_screening(cancelled_at=NOON)
    evening.ask(Close(ORGANIZER, (hold.id,), ()))
    assert evening.reservation(hold).status is ReservationStatus.RELEASED

    decision = evening.settle(payment, CAPTURED)

    assert [refund.cause for refund in decision.refunds] == [RefundCause.SCREENING_CANCELLED]
    assert evening.booked_by(ANN) == set()


def test_a_screening_that_is_cancelled_just_now_is_not_booked() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    payment = evening.pay(ANN, hold)
    evening.change_screening(cancelled_at=NOON)

    decision = evening.settle(payment, CAPTURED)

    assert [refund.cause for refund in decision.refunds] == [RefundCause.SCREENING_CANCELLED]
    assert evening.reservation(hold).status is ReservationStatus.RELEASED
    assert "A1" in evening.free()


# --- late, and directly ----------------------------------------------------------------------------------------------


def test_a_hold_that_ran_out_is_taken_again_to_be_paid_for() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)

    payment = evening.pay(ANN, hold)

    assert evening.held_by(ANN) == {"A1"}
    evening.settle(payment, CAPTURED)
    assert evening.booked_by(ANN) == {"A1"}


def test_a_hold_whose_seats_are_gone_is_not_paid_for() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.hold(BOB, "A1")

    with pytest.raises(ReservationExpired):
        evening.pay(ANN, hold)


def test_a_direct_booking_that_fails_holds_nothing() -> None:
    evening = Evening()
    payment = evening.buy(ANN, "A1", "A2")
    assert evening.held_by(ANN) == {"A1", "A2"}

    decision = evening.settle(payment, FAILED)

    assert decision.outcome == GaveUp(evening.state.payments[payment.id], None)
    assert evening.held_by(ANN) == set()
    check_house(evening.state, evening.now)


def test_what_a_direct_booking_took_from_a_hold_goes_back_to_it() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    payment = evening.buy(ANN, "A1", "A3")

    evening.settle(payment, FAILED)

    after = evening.reservation(hold)
    assert (after.prices.keys(), after.left, after.status) == ({1, 2}, {}, ReservationStatus.HELD)
    assert evening.held_by(ANN) == {"A1", "A2"}
    check_house(evening.state, evening.now)


def test_a_hold_that_a_direct_booking_ended_goes_on() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    payment = evening.buy(ANN, "A1", "A2", "A3")
    assert evening.reservation(hold).status is ReservationStatus.RELEASED

    decision = evening.settle(payment, FAILED)

    assert isinstance(decision.outcome, GaveUp)
    assert decision.outcome.expires_at == hold.expires_at
    assert evening.reservation(hold).status is ReservationStatus.HELD
    assert evening.held_by(ANN) == {"A1", "A2"}
    check_house(evening.state, evening.now)


def test_nothing_goes_back_to_a_hold_that_was_released_meanwhile() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    payment = evening.buy(ANN, "A1")
    evening.release(ANN, hold)

    evening.settle(payment, FAILED)

    assert evening.held_by(ANN) == set()
    check_house(evening.state, evening.now)


def test_buying_the_same_again_says_that_it_is_being_paid_for() -> None:
    evening = Evening()
    payment = evening.buy(ANN, "A1", "A2")

    again = evening.buy(ANN, "A2", "A1")

    assert again == payment


# --- giving back -----------------------------------------------------------------------------------------------------


def test_a_seat_that_is_cancelled_gives_back_its_price() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A5")

    smaller = evening.cancel(ANN, booking, "A5")

    assert smaller.payment.refunding_minor == BOX.amount_minor
    assert smaller.payment.status is PaidStatus.REFUND_PENDING
    check_house(evening.state, evening.now)
    evening.cancel(ANN, booking)
    assert evening.state.payments[booking.id].left_minor == 0
    check_house(evening.state, evening.now)


def test_customers_cancel_until_a_moment_and_organizers_always() -> None:
    evening = Evening(empty_house(cancel_until=NOON + HOLD))
    booking = evening.book(ANN, "A1", "A2")
    evening.wait(HOLD)

    with pytest.raises(CancellationClosed):
        evening.cancel(ANN, booking)

    assert evening.cancel(ORGANIZER, booking).status is BookingStatus.CANCELLED
    assert evening.cancel(ANN, booking).status is BookingStatus.CANCELLED
