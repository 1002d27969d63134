"""Exchanging: other seats for the same buyer, all or none, and the difference is paid or goes back."""

from datetime import timedelta

import pytest

from app.domain.bookings import BookingStatus, PaidStatus
from app.domain.box_office.commands import Block
from app.domain.box_office.outcomes import Booked, Exchanged, GaveUp, Paying
from app.domain.box_office.screening_state import Cause
from app.domain.claims import ClaimStatus
from app.domain.money import Money
from app.domain.payments import EntryKind, PaymentState, RefundCause
from app.domain.refusals import (
    BookingCancelled,
    CancellationClosed,
    Flawed,
    LeavesSingleSeat,
    NotEnoughSeats,
    NotFound,
    PaymentPending,
    SalesClosed,
    ScreeningCancelled,
    SeatsUnavailable,
    UnknownSeats,
)
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.orphans import OrphanRule
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Wish
from tests.domain.promises import check_house
from tests.domain.states import (
    ANN,
    BOB,
    BOX,
    DEARER,
    HOLD,
    LAYOUT,
    NOON,
    ORGANIZER,
    STANDARD,
    Evening,
    empty_house,
    labels,
    named,
)

CAPTURED, FAILED, VOIDED = PaymentState.CAPTURED, PaymentState.FAILED, PaymentState.VOIDED
MORE = BOX.amount_minor - STANDARD.amount_minor


def with_a_floor(evening: Evening) -> Evening:
    """The evening, and what is free in the whole house."""
    picture = Picture(LAYOUT)
    evening.state.floor = Floor(picture, picture.free(evening.state.claims))
    return evening


# --- at once ---------------------------------------------------------------------------------------------------------


def test_seats_of_the_same_price_change_places_and_nothing_is_paid() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    decision = evening.ask(evening.exchanging(ANN, booking, "A1 A2", "A3 A4"))

    assert isinstance(decision.outcome, Exchanged)
    after = decision.outcome.booking
    assert (after.id, after.status) == (booking.id, BookingStatus.CONFIRMED)
    assert (labels(after.prices), labels(after.left)) == ({"A3", "A4"}, {"A1", "A2"})
    assert (decision.payments, decision.refunds, decision.entries) == ({}, [], [])
    assert evening.booked_by(ANN) == {"A3", "A4"}
    assert evening.free() == {"A1", "A2", "A5", "A6"}
    assert evening.state.version == booking.version + 1 == after.version
    check_house(evening.state, evening.now)


def test_who_takes_dearer_seats_pays_the_difference() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    after = evening.exchange(ANN, booking, "A2", "A5")

    assert labels(after.prices) == {"A1", "A5"}
    assert after.payment.amount == Money(2 * STANDARD.amount_minor + MORE, "EUR")
    assert (after.payment.reference, after.payment.status) == ("paid", PaidStatus.PAID)
    [paid] = [each for each in evening.state.payments.values() if each.id != booking.id]
    assert (paid.booking_id, paid.captured_minor, paid.reference) == (booking.id, MORE, "more")
    check_house(evening.state, evening.now)


def test_who_takes_cheaper_seats_gets_the_difference_back() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A5", "A6")

    decision = evening.ask(evening.exchanging(ANN, booking, "A5", "A1"))

    assert isinstance(decision.outcome, Exchanged)
    paid = decision.outcome.booking.payment
    assert (paid.amount.amount_minor, paid.refunding_minor) == (2 * BOX.amount_minor, MORE)
    [refund] = decision.refunds
    assert (refund.amount.amount_minor, refund.cause, refund.booking_id) == (MORE, RefundCause.EXCHANGED, booking.id)
    check_house(evening.state, evening.now)


def test_taken_seats_cost_what_they_cost_now_and_given_ones_what_they_did() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    evening.hold(ANN, "A2")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    after = evening.exchange(ANN, booking, "A1", "A2")

    assert after.prices == {2: DEARER}
    assert after.payment.amount == DEARER
    cheaper = evening.exchange(ANN, booking, "A2", "A5")
    assert cheaper.payment.refunding_minor == DEARER.amount_minor - BOX.amount_minor
    check_house(evening.state, evening.now)


def test_what_was_paid_in_two_payments_goes_back_from_both() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    evening.exchange(ANN, booking, "A1", "A5")

    cancelled = evening.cancel(ANN, booking)

    assert cancelled.payment.refunding_minor == BOX.amount_minor
    assert {each.left_minor for each in evening.state.payments.values()} == {0}
    check_house(evening.state, evening.now)


def test_a_free_booking_is_paid_for_by_its_exchange() -> None:
    evening = Evening(empty_house(prices={"standard": Money(0, "EUR"), "box": BOX}))
    booking = evening.book(ANN, "A1")

    after = evening.exchange(ANN, booking, "A1", "A5")

    assert booking.payment.reference.startswith("free-")
    assert (after.payment.reference, after.payment.amount) == ("more", BOX)


def test_a_seat_may_come_back() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.exchange(ANN, booking, "A1", "A3")

    after = evening.exchange(ANN, booking, "A3", "A1")

    assert (labels(after.prices), labels(after.left)) == ({"A1", "A2"}, {"A3"})
    check_house(evening.state, evening.now)


def test_taken_seats_leave_the_hold_in_which_they_were() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    hold = evening.hold(ANN, "A3", "A4")

    evening.exchange(ANN, booking, "A1", "A3")
    assert labels(evening.reservation(hold).prices) == {"A4"}
    evening.exchange(ANN, booking, "A2", "A4")

    assert evening.reservation(hold).status is ReservationStatus.RELEASED
    assert evening.booked_by(ANN) == {"A3", "A4"}
    check_house(evening.state, evening.now)


def test_a_hold_that_ran_out_is_in_nobodys_way() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    hold = evening.hold(BOB, "A2", "A3")
    evening.wait(HOLD)

    evening.exchange(ANN, booking, "A1", "A2")

    assert evening.reservation(hold).status is ReservationStatus.EXPIRED
    assert evening.free() == {"A1", "A3", "A4", "A5", "A6"}
    check_house(evening.state, evening.now)


def test_the_same_exchange_again_changes_nothing() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    after = evening.exchange(ANN, booking, "A1", "A5")

    again = evening.ask(evening.exchanging(ANN, booking, "A1", "A5"))

    assert again.outcome == Exchanged(after, is_new=False)
    assert not again.changes_something
    assert again.payments == {}


# --- what is refused -------------------------------------------------------------------------------------------------


def test_all_seats_in_the_way_are_named() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.hold(BOB, "A3")
    evening.block("A4")

    with pytest.raises(SeatsUnavailable) as refused:
        evening.exchange(ANN, booking, "A1 A2", "A3 A4")

    assert labels(refused.value.seats) == {"A3", "A4"}
    assert evening.booked_by(ANN) == {"A1", "A2"}


@pytest.mark.parametrize(("give", "take"), [("A1", "A3 A4"), ("A1 A2", "A3"), ("A1", "A1"), ("A1 A2", "A2 A3")])
def test_as_many_other_seats_are_taken_as_are_given(give: str, take: str) -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    with pytest.raises(Flawed):
        evening.exchange(ANN, booking, give, take)


def test_all_unknown_seats_are_named() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")

    with pytest.raises(UnknownSeats) as refused:
        evening.exchange(ANN, booking, "Z1 Z2", "Z3 Z2")

    assert refused.value.unknown == ("Z1", "Z2", "Z3")


def test_only_seats_of_the_booking_are_given() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.book(ANN, "A3")
    evening.cancel(ANN, booking, "A1")

    for give in ("A3", "A1", "A2 A3"):
        with pytest.raises(NotFound):
            evening.exchange(ANN, booking, give, " ".join(("A5", "A6")[: len(give.split())]))


def test_one_seat_is_not_taken_twice() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    with pytest.raises(SeatsUnavailable):
        evening.exchange(ANN, evening.book(ANN, "A3"), "A3", "A1")
    assert labels(evening.state.bookings[booking.id].prices) == {"A1", "A2"}


def test_nobody_else_exchanges_but_an_organizer() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")

    with pytest.raises(NotFound):
        evening.exchange(BOB, booking, "A1", "A2")
    decision = evening.ask(evening.exchanging(ORGANIZER, booking, "A1", "A2"))

    assert decision.cause is Cause.STAFF
    assert evening.booked_by(ANN) == {"A2"}


def test_an_organizer_takes_what_they_hold_themselves_or_the_buyer_holds() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.hold(ANN, "A3")
    evening.hold(ORGANIZER, "A4")

    evening.exchange(ORGANIZER, booking, "A1 A2", "A3 A4")

    assert evening.booked_by(ANN) == {"A3", "A4"}
    check_house(evening.state, evening.now)
    evening.hold(BOB, "A5")
    with pytest.raises(SeatsUnavailable):
        evening.exchange(ORGANIZER, booking, "A3", "A5")


def test_customers_exchange_until_a_moment_and_organizers_always() -> None:
    evening = Evening(empty_house(cancel_until=NOON + HOLD))
    booking = evening.book(ANN, "A1")
    evening.wait(HOLD)

    with pytest.raises(CancellationClosed):
        evening.exchange(ANN, booking, "A1", "A2")

    evening.exchange(ORGANIZER, booking, "A1", "A2")


def test_when_sales_are_closed_only_organizers_exchange() -> None:
    evening = Evening(empty_house(sales_close_at=NOON + HOLD))
    booking = evening.book(ANN, "A1")
    evening.wait(HOLD)

    with pytest.raises(SalesClosed):
        evening.exchange(ANN, booking, "A1", "A2")

    evening.exchange(ORGANIZER, booking, "A1", "A2")
    with_a_floor(evening).ask(evening.exchanging(ORGANIZER, booking, "A2", wish=Wish(1)))


def test_nothing_of_a_cancelled_booking_or_screening_is_exchanged() -> None:
    evening = Evening()
    cancelled, booking = evening.book(ANN, "A1"), evening.book(ANN, "A2")
    evening.cancel(ANN, cancelled)

    with pytest.raises(BookingCancelled):
        evening.exchange(ANN, cancelled, "A1", "A3")
    evening.change_screening(cancelled_at=evening.now)
    with pytest.raises(ScreeningCancelled):
        evening.exchange(ORGANIZER, booking, "A2", "A3")


def test_limits_do_not_bind_what_grows_no_booking() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    limits = Limits(max_seats_per_reservation=1, max_seats_per_user=1, bookings_per_user_per_day=1)
    evening.change_screening(limits=limits)

    after = evening.exchange(ANN, booking, "A1 A2", "A3 A4")

    assert labels(after.prices) == {"A3", "A4"}


# --- singles, and the best -------------------------------------------------------------------------------------------


def test_the_given_seats_are_free_when_the_orphan_rule_looks() -> None:
    evening = Evening(empty_house(orphan_rule=OrphanRule.STRICT))
    evening.state.floor = Floor(Picture(LAYOUT), Picture(LAYOUT).whole)
    with_a_floor(evening)
    booking = evening.book(ORGANIZER, "A1")
    ann = evening.book(ANN, "A4")
    evening.cancel(ORGANIZER, booking)

    with pytest.raises(LeavesSingleSeat) as refused:  # A4 and A3 would be free beside each other, A1 alone
        evening.exchange(ANN, ann, "A4", "A2")

    assert refused.value.stranded == ("A1",)
    assert "A4" not in {each for block in refused.value.suggestions for each in block}
    evening.exchange(ORGANIZER, ann, "A4", "A2")


def test_the_best_seats_are_others_than_the_given_ones() -> None:
    evening = with_a_floor(Evening())
    booking = evening.book(ANN, "A3", "A4")

    decision = evening.ask(evening.exchanging(ANN, booking, "A3 A4", wish=Wish(2, category="standard")))

    assert isinstance(decision.outcome, Exchanged)
    assert labels(decision.outcome.booking.prices) == {"A1", "A2"}
    assert decision.outcome.adjacent is True
    with pytest.raises(Flawed):
        evening.ask(evening.exchanging(ANN, booking, "A1 A2", wish=Wish(1)))
    evening.book(BOB, "A3", "A4")
    with pytest.raises(NotEnoughSeats):
        evening.ask(evening.exchanging(ANN, booking, "A1 A2", wish=Wish(2, category="standard")))


# --- paid slowly -----------------------------------------------------------------------------------------------------


def test_until_the_difference_is_paid_the_booking_is_as_it_was() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    payment = evening.pay_exchange(ANN, booking, "A2", "A5")

    assert payment.amount == Money(MORE, "EUR")
    assert evening.state.bookings[booking.id] == booking
    assert (evening.booked_by(ANN), evening.held_by(ANN)) == ({"A1", "A2"}, {"A5"})
    assert payment.reservation_id
    kept = evening.state.reservations[payment.reservation_id]
    assert (kept.status, kept.prices) == (ReservationStatus.PAYING, {5: BOX})
    check_house(evening.state, evening.now)


def test_what_was_paid_is_exchanged() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    payment = evening.pay_exchange(ANN, booking, "A2", "A5")

    decision = evening.settle(payment, CAPTURED)

    assert isinstance(decision.outcome, Exchanged)
    after = decision.outcome.booking
    assert (after.id, labels(after.prices)) == (booking.id, {"A1", "A5"})
    assert after.payment.amount.amount_minor == STANDARD.amount_minor + BOX.amount_minor
    assert [entry.kind for entry in decision.entries] == [EntryKind.CAPTURE]
    assert payment.reservation_id
    kept = evening.state.reservations[payment.reservation_id]
    assert (kept.status, kept.booking_id) == (ReservationStatus.BOOKED, booking.id)
    check_house(evening.state, evening.now)
    again = evening.settle(payment, CAPTURED)
    assert again.outcome == decision.outcome
    assert not again.changes_something


@pytest.mark.parametrize("said", [FAILED, VOIDED])
def test_what_is_not_paid_changes_nothing(said: PaymentState) -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    hold = evening.hold(ANN, "A5")
    evening.change_screening(prices={"standard": STANDARD, "box": DEARER})
    payment = evening.pay_exchange(ANN, booking, "A1", "A5")

    decision = evening.settle(payment, said)

    assert decision.outcome == GaveUp(evening.state.payments[payment.id], hold.expires_at)
    assert evening.state.bookings[booking.id] == booking
    after = evening.reservation(hold)
    assert (after.status, after.prices) == (ReservationStatus.HELD, {5: BOX})
    check_house(evening.state, evening.now)


def test_what_an_organizer_held_goes_back_to_them() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    evening.hold(ORGANIZER, "A5")
    payment = evening.pay_exchange(ORGANIZER, booking, "A1", "A5")

    evening.settle(payment, FAILED)

    assert evening.held_by(ORGANIZER) == {"A5"}
    check_house(evening.state, evening.now)


def test_who_pays_nothing_more_waits_for_nobody() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A5")

    decision = evening.ask(evening.exchanging(ANN, booking, "A5", "A1", slowly=True))

    assert isinstance(decision.outcome, Exchanged)
    assert evening.booked_by(ANN) == {"A1"}


def test_the_same_exchange_is_paid_for_once() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    payment = evening.pay_exchange(ANN, booking, "A2", "A5")

    again = evening.ask(evening.exchanging(ANN, booking, "A2", "A5"))

    assert isinstance(again.outcome, Paying)
    assert (again.outcome.payment, again.outcome.begun) == (payment, False)
    assert not again.changes_something
    for give, take in (("A2", "A6"), ("A1 A2", "A3 A4"), ("A1", "A5")):
        with pytest.raises(PaymentPending):
            evening.exchange(ANN, booking, give, take)
    with pytest.raises(PaymentPending):
        evening.buy(ANN, "A5")
    evening.exchange(ANN, booking, "A1", "A3")
    evening.settle(payment, CAPTURED)
    assert evening.booked_by(ANN) == {"A3", "A5"}
    check_house(evening.state, evening.now)


def test_the_best_seats_are_paid_for_once() -> None:
    evening = with_a_floor(Evening())
    booking = evening.book(ANN, "A1")
    best = evening.exchanging(ANN, booking, "A1", wish=Wish(1, category="box"), slowly=True)
    first = evening.ask(best).outcome

    again = evening.ask(best).outcome

    assert isinstance(first, Paying)
    assert isinstance(again, Paying)
    assert again.payment == first.payment


@pytest.mark.parametrize("meanwhile", ["the seat", "the booking", "exchanged", "the screening"])
def test_money_goes_back_if_what_was_given_is_gone_meanwhile(meanwhile: str) -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    payment = evening.pay_exchange(ANN, booking, "A2", "A5")
    cause = RefundCause.TOO_LATE
    match meanwhile:
        case "the seat":
            evening.cancel(ANN, booking, "A2")
        case "the booking":
            evening.cancel(ANN, booking)
        case "exchanged":
            other = evening.state.bookings[booking.id].exchanged({2}, {3: STANDARD}, booking.version)
            evening.state.bookings[booking.id] = other
            evening.state.claims[3] = evening.state.claims.pop(2)
        case "the screening":
            evening.change_screening(cancelled_at=evening.now)
            cause = RefundCause.SCREENING_CANCELLED
    had = evening.booked_by(ANN)

    decision = evening.settle(payment, CAPTURED)

    assert isinstance(decision.outcome, GaveUp)
    [refund] = decision.refunds
    assert (refund.amount.amount_minor, refund.cause, refund.booking_id) == (MORE, cause, None)
    assert evening.state.payments[payment.id].booking_id is None
    assert (evening.booked_by(ANN), evening.held_by(ANN)) == (had, set())


def test_a_seat_that_came_back_at_another_price_is_not_what_was_given() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    payment = evening.pay_exchange(ANN, booking, "A1", "A5")
    evening.state.bookings[booking.id].prices[1] = DEARER  # type: ignore[index]

    decision = evening.settle(payment, CAPTURED)

    assert isinstance(decision.outcome, GaveUp)


def test_a_wrong_amount_exchanges_nothing() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    payment = evening.pay_exchange(ANN, booking, "A1", "A5")

    decision = evening.settle(payment, CAPTURED, Money(MORE + 1, "EUR"))

    assert isinstance(decision.outcome, GaveUp)
    assert [(each.amount.amount_minor, each.cause) for each in decision.refunds] == [
        (MORE + 1, RefundCause.WRONG_AMOUNT)
    ]
    assert evening.booked_by(ANN) == {"A1"}
    check_house(evening.state, evening.now)


def test_confirming_what_was_exchanged_gives_the_booking() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    payment = evening.pay_exchange(ANN, booking, "A1", "A5")
    assert payment.reservation_id
    evening.settle(payment, CAPTURED)
    kept = evening.state.reservations[payment.reservation_id]

    assert evening.confirm(ANN, kept) == evening.state.bookings[booking.id]
    evening.wait(timedelta(minutes=1))
    assert evening.ask(evening.exchanging(ANN, booking, "A5", "A1")).outcome != Booked(booking)


@pytest.mark.parametrize("said", [CAPTURED, FAILED])
def test_what_the_house_wants_when_it_is_free_is_remembered_while_it_is_paid_for(said: PaymentState) -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    hold = evening.hold(ANN, "A5")
    evening.ask(Block(ORGANIZER, named("A5"), "a camera", when_free=True))
    payment = evening.pay_exchange(ANN, booking, "A1", "A5")
    assert evening.state.claims[5].will_be_blocked

    evening.settle(payment, said)

    claim = evening.state.claims[5]
    assert claim.will_be_blocked is (said is FAILED)
    assert claim.status is (ClaimStatus.HELD if said is FAILED else ClaimStatus.BOOKED)
    if said is FAILED:
        evening.release(ANN, evening.reservation(hold))
        assert evening.state.claims[5].status is ClaimStatus.BLOCKED
    check_house(evening.state, evening.now)
