"""Booking: a hold, or seats directly; and undoing it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.bookings import BookingStatus, Paid, PaidStatus
from app.domain.box_office.commands import Book, Confirm
from app.domain.box_office.outcomes import Booked
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.refusals import (
    NotFound,
    PriceChanged,
    ReservationBooked,
    ReservationEnded,
    ReservationExpired,
    SalesClosed,
    ScreeningCancelled,
    SeatsUnavailable,
)
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from tests.domain.states import (
    ANN,
    BOB,
    BOX,
    CAP,
    DEARER,
    HOLD,
    INSTANT,
    LAYOUT,
    NOON,
    ORGANIZER,
    STANDARD,
    Evening,
    empty_house,
    labels,
    named,
)

# --- confirming a hold


def test_a_confirmed_hold_is_sold_at_the_price_of_the_hold() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A5")
    evening.change_screening(prices={"standard": DEARER, "box": DEARER})

    booking = evening.confirm(ANN, hold)

    assert booking.prices == {1: STANDARD, 5: BOX}
    assert booking.payment == Paid("dummy", "paid", Money(STANDARD.amount_minor + BOX.amount_minor, "EUR"))
    assert (booking.status, booking.created_at, booking.version) == (BookingStatus.CONFIRMED, NOON, 2)


def test_a_sold_seat_has_no_end_and_names_its_booking() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    booking = evening.confirm(ANN, hold)

    assert evening.state.claims == {1: Claim(1, ClaimStatus.BOOKED, ANN.id, hold.id, booking.id, expires_at=None)}


def test_a_confirmed_hold_names_its_booking() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    booking = evening.confirm(ANN, hold)

    booked = evening.reservation(hold)
    assert (booked.status, booked.booking_id, booking.reservation_id) == (
        ReservationStatus.BOOKED,
        booking.id,
        hold.id,
    )


def test_confirming_twice_is_the_same_booking() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    booking = evening.confirm(ANN, hold)

    again = evening.ask(Confirm(ANN, hold.id, evening.new_id(), "paid again")).outcome

    assert again == Booked(booking, created=False)
    assert evening.state.version == 2


@pytest.mark.parametrize("swept", [False, True])
def test_late_but_with_every_seat_still_free_it_succeeds(swept: bool) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    if swept:
        evening.sweep()

    evening.confirm(ANN, hold)

    assert evening.booked_by(ANN) == {"A1", "A2"}
    assert evening.reservation(hold).status is ReservationStatus.BOOKED


def test_late_and_with_a_seat_gone_it_names_the_seat() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2", "A3")
    evening.wait(HOLD)
    evening.book(BOB, "A2")

    with pytest.raises(ReservationExpired) as refusal:
        evening.confirm(ANN, hold)

    assert refusal.value.expired_at == NOON + HOLD
    assert labels(refusal.value.seats) == {"A2"}
    assert evening.booked_by(ANN) == set()


def test_late_and_with_a_seat_that_left_the_house_it_names_that_too() -> None:
    evening = Evening(empty_house(limits=Limits(max_seats_per_user=3)))
    hold = evening.hold(ANN, "A1", "A2", "A3")
    evening.wait(HOLD)
    evening.book(BOB, "A1")
    evening.take_out("A3", "A4")

    with pytest.raises(ReservationExpired) as refusal:
        evening.confirm(ANN, hold)

    assert {seat.label: seat.status for seat in refusal.value.seats} == {"A1": "booked", "A3": "blocked"}
    assert refusal.value.seats[-1].reason == "This seat is no longer in the house."
    assert evening.booked_by(ANN) == set()


def test_late_and_with_a_seat_in_a_newer_hold_of_mine_that_hold_gives_it_up() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    newer = evening.hold(ANN, "A2", "A3")

    evening.confirm(ANN, hold)

    assert (evening.booked_by(ANN), evening.held_by(ANN)) == ({"A1", "A2"}, {"A3"})
    assert labels(evening.reservation(newer).prices) == {"A3"}


def test_late_means_no_later_than_a_hold_may_last() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD + CAP)

    evening.confirm(ANN, hold)

    assert evening.booked_by(ANN) == {"A1"}


@pytest.mark.parametrize("swept", [False, True])
def test_later_than_that_the_hold_has_expired_though_its_seats_are_free(swept: bool) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD + CAP + INSTANT)
    if swept:
        evening.sweep()

    with pytest.raises(ReservationExpired) as refusal:
        evening.confirm(ANN, hold)

    assert (refusal.value.expired_at, refusal.value.seats) == (hold.expires_at, ())
    assert evening.booked_by(ANN) == set()


@pytest.mark.parametrize("prices", [{"standard": DEARER, "box": BOX}, {"standard": Money(2400, "EUR"), "box": BOX}])
def test_late_and_at_another_price_nothing_is_sold(prices: dict[str, Money]) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A5")
    evening.wait(HOLD)
    evening.change_screening(prices=prices)

    with pytest.raises(PriceChanged) as refusal:
        evening.confirm(ANN, hold)

    assert refusal.value.total == Money(prices["standard"].amount_minor + BOX.amount_minor, "EUR")
    assert evening.booked_by(ANN) == set()


def test_late_and_at_the_price_of_a_newer_hold_of_mine_it_is_sold() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.hold(ANN, "A1")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    assert evening.confirm(ANN, hold).prices == {1: STANDARD}


def test_late_when_sales_were_closed_and_opened_again_the_price_of_today_counts() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON + INSTANT)
    evening.wait(HOLD)
    evening.change_screening(sales_close_at=None, prices={"standard": DEARER, "box": BOX})

    with pytest.raises(PriceChanged):
        evening.confirm(ANN, hold)


def test_late_and_without_a_seat_that_left_the_house_it_names_the_seat() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    evening.state.layout = replace(LAYOUT, seats=LAYOUT.seats[1:], former={1: "A1"})

    with pytest.raises(ReservationExpired) as refusal:
        evening.confirm(ANN, hold)

    assert [seat.label for seat in refusal.value.seats] == ["A1"]


def test_whoever_holds_in_time_may_confirm_after_sales_have_closed() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON + INSTANT)
    evening.wait(timedelta(minutes=4))

    evening.confirm(ANN, hold)

    assert evening.booked_by(ANN) == {"A1"}


def test_whoever_is_late_may_not_confirm_after_sales_have_closed() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON + INSTANT)
    evening.wait(HOLD)

    with pytest.raises(SalesClosed):
        evening.confirm(ANN, hold)

    assert evening.booked_by(ANN) == set()


def test_nothing_is_sold_for_a_cancelled_screening() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(cancelled_at=NOON)

    with pytest.raises(ScreeningCancelled) as refusal:
        evening.confirm(ANN, hold)

    assert refusal.value.closes_at == NOON
    assert evening.booked_by(ANN) == set()


def test_a_released_hold_cannot_be_confirmed() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.release(ANN, hold)

    with pytest.raises(ReservationEnded) as refusal:
        evening.confirm(ANN, hold)

    assert refusal.value.reservation_status == "released"


def test_somebody_elses_hold_cannot_be_confirmed() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    with pytest.raises(NotFound):
        evening.confirm(BOB, hold)

    assert evening.held_by(ANN) == {"A1"}


# --- booking directly


def test_free_seats_are_sold_at_todays_price() -> None:
    evening = Evening()

    booking = evening.book(ANN, "A1", "A5")

    assert booking.prices == {1: STANDARD, 5: BOX}
    assert booking.reservation_id is None
    assert evening.booked_by(ANN) == {"A1", "A5"}


def test_what_i_hold_is_taken_out_of_the_hold_and_sold_at_its_price() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    booking = evening.book(ANN, "A2", "A3")

    assert booking.prices == {2: STANDARD, 3: DEARER}
    assert labels(evening.reservation(hold).prices) == {"A1"}
    assert (evening.held_by(ANN), evening.booked_by(ANN)) == ({"A1"}, {"A2", "A3"})


def test_a_hold_of_which_everything_is_booked_directly_ends() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    evening.book(ANN, "A1")

    assert evening.reservation(hold).status is ReservationStatus.RELEASED


def test_booking_again_what_i_booked_together_is_the_same_booking() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    again = evening.ask(Book(ANN, named("A2", "A1"), evening.new_id(), "paid again")).outcome

    assert again == Booked(booking, created=False)
    assert evening.state.version == 1


def test_booking_again_what_i_confirmed_together_is_the_same_booking() -> None:
    evening = Evening()
    booking = evening.confirm(ANN, evening.hold(ANN, "A1"))

    assert evening.book(ANN, "A1") == booking


@pytest.mark.parametrize("again", [("A1",), ("A1", "A2", "A3"), ("A1", "A4")])
def test_seats_that_i_did_not_book_together_are_no_repeat(again: tuple[str, ...]) -> None:
    evening = Evening()
    evening.book(ANN, "A1", "A2")
    evening.book(ANN, "A4")

    with pytest.raises(SeatsUnavailable):
        evening.book(ANN, *again)

    assert evening.state.version == 2


@pytest.mark.parametrize("wanted", [("A1",), ("A1", "A2")])
def test_a_seat_is_sold_once(wanted: tuple[str, ...]) -> None:
    evening = Evening()
    evening.book(ANN, "A1")

    with pytest.raises(SeatsUnavailable) as refusal:
        evening.book(BOB, *wanted)

    assert labels(refusal.value.seats) == {"A1"}
    assert evening.booked_by(BOB) == set()


def test_a_seat_that_somebody_holds_is_not_sold_to_others() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")

    with pytest.raises(SeatsUnavailable):
        evening.book(BOB, "A1")

    assert evening.held_by(ANN) == {"A1"}


def test_a_seat_whose_hold_ran_out_is_sold_to_whoever_comes() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)

    evening.book(BOB, "A1")

    assert evening.booked_by(BOB) == {"A1"}
    assert evening.reservation(hold).status is ReservationStatus.EXPIRED
    assert "A2" in evening.free()


def test_a_sold_seat_stays_sold_however_much_time_passes() -> None:
    evening = Evening()
    evening.book(ANN, "A1")

    evening.wait(timedelta(days=400))

    assert evening.sweep() == 0
    assert evening.booked_by(ANN) == {"A1"}


def test_nothing_is_sold_when_sales_have_closed() -> None:
    evening = Evening()
    evening.change_screening(sales_close_at=NOON)

    with pytest.raises(SalesClosed):
        evening.book(ANN, "A1")

    assert evening.free() == {"A1", "A2", "A3", "A4", "A5", "A6"}


# --- cancelling


def test_a_cancelled_booking_frees_its_seats_at_once_and_goes_on_naming_them() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.wait(timedelta(minutes=1))

    cancelled = evening.cancel(ANN, booking)

    assert (cancelled.status, cancelled.cancelled_at) == (BookingStatus.CANCELLED, evening.now)
    assert (cancelled.payment.status, cancelled.payment.reference) == (PaidStatus.REFUND_PENDING, "paid")
    assert cancelled.prices == booking.prices
    assert evening.state.claims == {}


def test_one_cancelled_seat_is_free_and_the_booking_is_what_is_left() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")

    smaller = evening.cancel(ANN, booking, "A1")

    assert (smaller.status, smaller.payment.status) == (BookingStatus.CONFIRMED, PaidStatus.REFUND_PENDING)
    assert (smaller.prices, smaller.left) == ({2: STANDARD}, {1: STANDARD})
    assert evening.booked_by(ANN) == {"A2"}


def test_cancelling_the_last_seat_cancels_the_booking() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    evening.cancel(ANN, booking, "A1")

    cancelled = evening.cancel(ANN, booking, "A2")

    assert (cancelled.status, cancelled.payment.status) == (BookingStatus.CANCELLED, PaidStatus.REFUND_PENDING)
    assert (cancelled.prices, cancelled.left) == ({2: STANDARD}, {1: STANDARD})


def test_seats_that_are_cancelled_one_by_one_are_all_remembered() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2", "A3")
    evening.cancel(ANN, booking, "A1")

    smaller = evening.cancel(ANN, booking, "A2")

    assert (labels(smaller.prices), labels(smaller.left)) == ({"A3"}, {"A1", "A2"})


@pytest.mark.parametrize("label", [None, "A1"])
def test_cancelling_twice_succeeds_and_changes_nothing(label: str | None) -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1", "A2")
    once = evening.cancel(ANN, booking, label)
    evening.wait(timedelta(minutes=1))

    twice = evening.cancel(ANN, booking, label)

    assert twice == once
    assert evening.state.version == 2


def test_cancelling_again_does_not_touch_whoever_bought_the_seat_by_then() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")
    evening.cancel(ANN, booking)
    evening.book(BOB, "A1")

    evening.cancel(ANN, booking)

    assert evening.booked_by(BOB) == {"A1"}


def test_a_cancelled_seat_may_be_bought_again_by_the_same_person() -> None:
    evening = Evening()
    first = evening.book(ANN, "A1")
    evening.cancel(ANN, first)

    second = evening.book(ANN, "A1")

    assert second.id != first.id
    assert evening.booked_by(ANN) == {"A1"}


def test_confirming_again_after_a_cancellation_sells_nothing_anew() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    cancelled = evening.cancel(ANN, evening.confirm(ANN, hold))

    with pytest.raises(ReservationBooked) as refusal:
        evening.confirm(ANN, hold)

    assert (refusal.value.reservation_status, refusal.value.booking_id) == ("booked", cancelled.id)
    assert evening.state.claims == {}


def test_confirming_again_after_one_seat_was_cancelled_is_the_booking_as_it_is() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    smaller = evening.cancel(ANN, evening.confirm(ANN, hold), "A1")

    again = evening.ask(Confirm(ANN, hold.id, evening.new_id(), "paid again")).outcome

    assert again == Booked(smaller, created=False)


def test_somebody_elses_booking_is_not_found() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")

    with pytest.raises(NotFound):
        evening.cancel(BOB, booking)

    assert evening.booked_by(ANN) == {"A1"}


def test_whoever_runs_the_house_may_cancel_anybodys() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")

    evening.cancel(ORGANIZER, booking)

    assert evening.booked_by(ANN) == set()


def test_a_seat_that_the_booking_never_had_is_not_found() -> None:
    evening = Evening()
    booking = evening.book(ANN, "A1")

    with pytest.raises(NotFound):
        evening.cancel(ANN, booking, "A2")

    assert evening.booked_by(ANN) == {"A1"}
