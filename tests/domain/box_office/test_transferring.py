"""Handing seats to somebody else: what is offered, who may take it, and what becomes of what was paid."""

from datetime import timedelta

import pytest

from app.domain.bookings import BookingStatus, Paid, PaidStatus
from app.domain.box_office.commands import AcceptTransfer, Close, OfferTransfer, WithdrawTransfer
from app.domain.box_office.decide import decide
from app.domain.box_office.outcomes import Offered
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.payments import PaymentState
from app.domain.people.people import Person
from app.domain.refusals import (
    BookingCancelled,
    CancellationClosed,
    Flawed,
    LimitExceeded,
    NotFound,
    ScreeningCancelled,
    TransferOver,
    UnknownSeats,
)
from app.domain.screenings import Limits
from app.domain.transfers import OFFERED_FOR, Transfer, TransferStatus
from tests.domain.promises import check_house
from tests.domain.states import (
    ANN,
    BOB,
    BOX,
    CLEO,
    INSTANT,
    NOON,
    ORGANIZER,
    STANDARD,
    Evening,
    empty_house,
    labels,
)

NOTHING = Money(0, "EUR")


def over(evening: Evening, transfer: Transfer) -> str:
    """Why nobody can accept it."""
    with pytest.raises(TransferOver) as refused:
        evening.accept(CLEO, transfer)
    assert refused.value.transfer_status == evening.status_of(transfer)
    return refused.value.transfer_status


# --- offering


def test_an_offer_is_of_all_seats_or_of_those_that_are_named_and_moves_no_version() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2", "A5")

    one, all_of_it = evening.offer(ANN, booking, "A5"), evening.offer(ANN, booking)

    assert (labels(one.seat_ids), labels(all_of_it.seat_ids)) == ({"A5"}, {"A1", "A2", "A5"})
    assert evening.state.version == 1
    assert evening.booked_by(ANN) == {"A1", "A2", "A5"}


def test_offering_a_seat_again_withdraws_the_earlier_offers_that_have_it_and_no_other() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2", "A3")
    first, other = evening.offer(ANN, booking, "A1", "A2"), evening.offer(ANN, booking, "A3")

    again = evening.offer(ANN, booking, "A2")

    assert [evening.status_of(each) for each in (first, other, again)] == ["withdrawn", "offered", "offered"]
    assert over(evening, first) == "withdrawn"


def test_an_offer_whose_answer_was_lost_is_told_again() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    transfer = evening.offer(ANN, booking)

    again = decide(evening.state, OfferTransfer(ANN, booking.id, None, transfer.id, transfer.code_hash), evening.now)

    assert again.outcome == Offered(transfer, booking)
    assert not again.transfers


@pytest.mark.parametrize("somebody", [BOB, ORGANIZER])
def test_only_the_owner_offers(somebody: Person) -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")

    with pytest.raises(NotFound):
        evening.offer(somebody, booking)


def test_only_seats_of_the_booking_are_offered() -> None:
    evening = Evening()
    booking, _ = evening.book(ANN, "A1"), evening.book(ANN, "A2")

    with pytest.raises(NotFound) as missing:
        evening.offer(ANN, booking, "A1", "A2", "A3")
    with pytest.raises(UnknownSeats):
        evening.offer(ANN, booking, "Z9")

    assert missing.value.what == "seat in this booking (A2, A3)"
    evening.cancel(ANN, booking)
    with pytest.raises(BookingCancelled):
        evening.offer(ANN, booking)


def test_offers_are_made_until_cancel_until_and_never_once_it_has_started() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.change_screening(cancel_until=NOON + timedelta(hours=1))
    evening.wait(timedelta(hours=1) - INSTANT)
    transfer = evening.offer(ANN, booking, "A1")

    evening.wait(INSTANT)
    with pytest.raises(CancellationClosed):
        evening.offer(ANN, booking, "A2")
    evening.accept(BOB, transfer)
    evening.change_screening(cancel_until=NOON + timedelta(days=2))
    evening.wait(timedelta(days=1))
    with pytest.raises(CancellationClosed):
        evening.offer(ANN, booking, "A2")


def test_nothing_is_offered_of_a_cancelled_screening() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    transfer = evening.offer(ANN, booking, "A1")

    evening.change_screening(cancelled_at=NOON)

    with pytest.raises(ScreeningCancelled):
        evening.offer(ANN, booking)
    assert over(evening, transfer) == "withdrawn"
    evening.ask(Close(None, (), (booking.id,)))
    assert evening.state.transfers[transfer.id].status is TransferStatus.WITHDRAWN


# --- accepting


def test_seats_prices_and_payment_go_along() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A5")
    evening.wait(timedelta(minutes=1))

    taken = evening.accept(BOB, evening.offer(ANN, booking, "A5"))

    given = evening.booking(booking)
    assert (taken.user_id, taken.prices, taken.status) == (BOB.id, {5: BOX}, BookingStatus.CONFIRMED)
    assert (taken.reservation_id, taken.created_at, taken.version) == (None, evening.now, 2)
    assert taken.payment == Paid("dummy", "paid", BOX)
    assert (given.status, given.prices, given.left, given.version) == (
        BookingStatus.CONFIRMED,
        {1: STANDARD},
        {5: BOX},
        2,
    )
    assert given.payment == Paid("dummy", "paid", STANDARD)
    assert evening.state.claims[5] == Claim(5, ClaimStatus.BOOKED, BOB.id, None, taken.id)
    assert (evening.booked_by(ANN), evening.booked_by(BOB)) == ({"A1"}, {"A5"})
    check_house(evening.state, evening.now)


def test_a_booking_without_a_seat_is_cancelled_and_has_the_seats_that_it_had() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    evening.accept(BOB, evening.offer(ANN, booking))

    given = evening.booking(booking)
    assert (given.status, given.cancelled_at, labels(given.prices)) == (
        BookingStatus.CANCELLED,
        evening.now,
        {"A1", "A2"},
    )
    assert (given.payment.amount, given.payment.status) == (NOTHING, PaidStatus.PAID)
    check_house(evening.state, evening.now)


def test_it_is_accepted_once() -> None:
    evening = Evening()
    transfer = evening.offer(ANN, evening.book(ANN, "A1"))
    evening.accept(BOB, transfer)

    assert over(evening, transfer) == "accepted"
    with pytest.raises(TransferOver):
        evening.accept(BOB, transfer)
    assert evening.booked_by(BOB) == {"A1"}


def test_nobody_accepts_their_own() -> None:
    evening = Evening()
    transfer = evening.offer(ANN, evening.book(ANN, "A1"))

    with pytest.raises(Flawed):
        evening.accept(ANN, transfer)


def test_an_unknown_code_is_nobodys() -> None:
    evening = Evening()

    with pytest.raises(NotFound):
        evening.ask(AcceptTransfer(ANN, b"no code", evening.new_id()))
    with pytest.raises(NotFound):
        evening.ask(WithdrawTransfer(ANN, b"no code"))


@pytest.mark.parametrize("starts_after", [timedelta(hours=8), timedelta(days=9)])
def test_an_offer_lasts_for_72_hours_and_not_beyond_the_beginning(starts_after: timedelta) -> None:
    evening = Evening(empty_house(starts_at=NOON + starts_after))
    booking = evening.book(ANN, "A1", "A2")
    first, second = evening.offer(ANN, booking, "A1"), evening.offer(ANN, booking, "A2")
    lasts = min(OFFERED_FOR, starts_after)
    assert first.expires_at(evening.state.screening) == NOON + lasts

    evening.wait(lasts - INSTANT)
    evening.accept(BOB, first)
    evening.wait(INSTANT)

    assert over(evening, second) == "expired"
    evening.withdraw(ANN, second)
    assert evening.status_of(second) is TransferStatus.EXPIRED


def test_a_screening_that_is_brought_forward_ends_offers_earlier() -> None:
    evening = Evening()
    transfer = evening.offer(ANN, evening.book(ANN, "A1"))

    evening.change_screening(starts_at=NOON)

    assert over(evening, transfer) == "expired"


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(max_seats_per_reservation=1), "max_seats_per_reservation"),
        (Limits(max_seats_per_reservation=None, max_seats_per_user=2), "max_seats_per_user"),
        (Limits(max_seats_per_reservation=None, bookings_per_user_per_day=1), "bookings_per_user_per_day"),
    ],
)
def test_the_limits_of_the_taker_count(limits: Limits, limit: str) -> None:
    evening = Evening()
    evening.book(BOB, "A3")
    transfer = evening.offer(ANN, evening.book(ANN, "A1", "A2"))

    evening.change_screening(limits=limits)

    with pytest.raises(LimitExceeded) as refused:
        evening.accept(BOB, transfer)
    assert refused.value.limit == limit
    evening.change_screening(limits=Limits(max_seats_per_reservation=2, max_seats_per_user=3))
    evening.accept(BOB, transfer)


# --- what else becomes of an offer


def test_the_giver_withdraws_and_nobody_else() -> None:
    evening = Evening()
    transfer = evening.offer(ANN, evening.book(ANN, "A1"))

    for somebody in (BOB, ORGANIZER):
        with pytest.raises(NotFound):
            evening.withdraw(somebody, transfer)
    evening.withdraw(ANN, transfer)
    evening.withdraw(ANN, transfer)

    assert over(evening, transfer) == "withdrawn"


def test_what_was_accepted_is_not_withdrawn() -> None:
    evening = Evening()
    transfer = evening.offer(ANN, evening.book(ANN, "A1"))
    evening.accept(BOB, transfer)

    with pytest.raises(TransferOver):
        evening.withdraw(ANN, transfer)
    with pytest.raises(NotFound):
        evening.withdraw(BOB, transfer)


def test_cancelling_a_seat_ends_the_offers_that_have_it_for_good() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2", "A3")
    both, other = evening.offer(ANN, booking, "A1", "A2"), evening.offer(ANN, booking, "A3")

    evening.cancel(ANN, booking, "A1")

    assert evening.state.transfers[both.id].status is TransferStatus.WITHDRAWN
    assert over(evening, both) == "withdrawn"
    assert evening.status_of(other) is TransferStatus.OFFERED


def test_an_offer_of_what_its_booking_has_no_more_is_good_for_nothing_whoever_knew_of_it() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    transfer = evening.offer(ANN, booking)
    known = evening.state.transfers.pop(transfer.id)  # the cancellation has read before the offer was made

    evening.cancel(ANN, booking)
    evening.state.transfers[transfer.id] = known

    assert over(evening, transfer) == "withdrawn"


def test_exchanging_a_seat_ends_the_offers_that_have_it_also_when_it_comes_back() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    gone, other = evening.offer(ANN, booking, "A1"), evening.offer(ANN, booking, "A2")

    evening.exchange(ANN, booking, "A1", "A3")
    assert over(evening, gone) == "withdrawn"
    evening.exchange(ANN, booking, "A3", "A1")

    assert over(evening, gone) == "withdrawn"
    assert evening.status_of(other) is TransferStatus.OFFERED


def test_who_was_handed_seats_exchanges_them_and_each_payment_goes_back_to_who_made_it() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    taken = evening.accept(BOB, evening.offer(ANN, booking, "A1"))

    dearer = evening.exchange(BOB, taken, "A1", "A5")
    check_house(evening.state, evening.now)
    evening.cancel(ANN, booking)
    check_house(evening.state, evening.now)
    evening.cancel(BOB, dearer)

    left = {each.user_id: each.left_minor for each in evening.state.payments.values()}
    assert left == {ANN.id: 0, BOB.id: 0}
    check_house(evening.state, evening.now)


def test_seats_that_changed_hands_while_their_exchange_was_paid_stay_with_the_taker_and_the_money_goes_back() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    transfer = evening.offer(ANN, booking)
    payment = evening.pay_exchange(ANN, booking, "A1", "A5")

    evening.accept(BOB, transfer)
    evening.settle(payment, PaymentState.CAPTURED)

    assert (evening.booked_by(BOB), evening.booked_by(ANN)) == ({"A1"}, set())
    assert evening.state.payments[payment.id].left_minor == 0
    assert "A5" in evening.free()
    check_house(evening.state, evening.now)


def test_two_offers_of_one_booking_go_to_two_people() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    one, other = evening.offer(ANN, booking, "A1"), evening.offer(ANN, booking, "A2")

    evening.accept(BOB, one)
    evening.accept(CLEO, other)

    assert (evening.booked_by(BOB), evening.booked_by(CLEO)) == ({"A1"}, {"A2"})
    assert evening.booking(booking).status is BookingStatus.CANCELLED
    check_house(evening.state, evening.now)


# --- money


def test_refunds_go_to_the_payment_whoever_cancels() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2", "A5")
    taken = evening.accept(BOB, evening.offer(ANN, booking, "A5"))
    [payment] = evening.state.payments_of(booking.id)

    gone = evening.cancel(BOB, taken)
    left = evening.cancel(ANN, booking, "A1")

    assert (gone.payment.refunding_minor, left.payment.refunding_minor) == (BOX.amount_minor, STANDARD.amount_minor)
    assert evening.state.payments[payment.id].left_minor == STANDARD.amount_minor
    check_house(evening.state, evening.now)


def test_a_cancelled_screening_gives_back_all_of_a_payment_that_stands_behind_several_bookings() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2", "A5")
    taken = evening.accept(BOB, evening.offer(ANN, booking, "A5"))
    on = evening.accept(CLEO, evening.offer(ANN, booking, "A2"))
    evening.change_screening(cancelled_at=evening.now)

    closed = evening.ask(Close(None, (), (booking.id, taken.id, on.id)))

    [payment] = closed.payments.values()
    assert (payment.left_minor, payment.refunding_minor) == (0, payment.captured_minor)
    assert sorted(each.amount.amount_minor for each in closed.refunds) == sorted(
        [STANDARD.amount_minor, STANDARD.amount_minor, BOX.amount_minor]
    )
    assert len({each.id for each in closed.refunds}) == 3
    check_house(evening.state, evening.now)


def test_what_was_paid_by_a_provider_and_handed_on_twice_goes_back_to_who_paid() -> None:
    evening = Evening()
    payment = evening.pay(ANN, evening.hold(ANN, "A1", "A2"))
    evening.settle(payment, PaymentState.CAPTURED)
    [booking] = evening.state.bookings.values()
    bobs = evening.accept(BOB, evening.offer(ANN, booking))
    cleos = evening.accept(CLEO, evening.offer(BOB, bobs, "A2"))

    evening.cancel(CLEO, cleos)
    check_house(evening.state, evening.now)
    evening.cancel(BOB, bobs)

    assert evening.state.payments[payment.id].left_minor == 0
    assert evening.state.payments[payment.id].user_id == ANN.id
    check_house(evening.state, evening.now)


def test_what_is_free_is_handed_over_too() -> None:
    evening = Evening(empty_house(prices={"standard": NOTHING, "box": NOTHING}))
    booking = evening.book(ANN, "A1", "A2")

    taken = evening.accept(BOB, evening.offer(ANN, booking, "A1"))
    evening.cancel(BOB, taken)

    assert taken.payment.amount == NOTHING
    check_house(evening.state, evening.now)


def test_a_seat_of_a_house_that_lost_it_is_still_handed_over() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    evening.take_out("A1")

    taken = evening.accept(BOB, evening.offer(ANN, booking))

    assert labels(taken.prices) == {"A1"}
