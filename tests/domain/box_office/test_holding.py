"""Holding seats: all of them or none, for five minutes, and never past the cap that counts from the first moment."""

from datetime import timedelta

import pytest

from app.domain.box_office.commands import Hold
from app.domain.box_office.outcomes import Held
from app.domain.refusals import LimitExceeded, SalesClosed, SeatsUnavailable, UnknownSeats
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from app.domain.seats import SeatNames
from tests.domain.states import ANN, BOB, BOX, CAP, DEARER, HOLD, INSTANT, NOON, STANDARD, Evening, labels, named


def test_held_seats_are_mine_for_five_minutes() -> None:
    evening = Evening()

    reservation = evening.hold(ANN, "A1", "A5")

    assert reservation.prices == {1: STANDARD, 5: BOX}
    assert (reservation.created_at, reservation.first_held_at, reservation.expires_at) == (NOON, NOON, NOON + HOLD)
    assert (reservation.status, reservation.version) == (ReservationStatus.HELD, 1)
    assert evening.held_by(ANN) == {"A1", "A5"}


def test_seats_are_named_by_label_or_by_number() -> None:
    evening = Evening()

    evening.ask(Hold(ANN, SeatNames(ids=(2,)), evening.new_id()))
    evening.ask(Hold(BOB, named("A3"), evening.new_id()))

    assert (evening.held_by(ANN), evening.held_by(BOB)) == ({"A2"}, {"A3"})


def test_a_seat_that_somebody_holds_is_refused_and_the_others_stay_free() -> None:
    evening = Evening()
    evening.hold(ANN, "A2")

    with pytest.raises(SeatsUnavailable):
        evening.hold(BOB, "A1", "A2", "A3")

    assert evening.held_by(BOB) == set()
    assert evening.free() == {"A1", "A3", "A4", "A5", "A6"}


def test_every_seat_in_the_way_is_named_with_its_reason() -> None:
    evening = Evening()
    evening.block("A1")
    evening.hold(ANN, "A2")
    evening.book(ANN, "A3")
    evening.book(BOB, "A4")

    with pytest.raises(SeatsUnavailable) as refusal:
        evening.hold(BOB, "A1", "A2", "A3", "A4", "A5")

    assert [(seat.label, seat.status, seat.reason) for seat in refusal.value.seats] == [
        ("A1", "blocked", "This seat is blocked: it is not on sale."),
        ("A2", "reserved", "Somebody else is holding this seat."),
        ("A3", "booked", "This seat is sold."),
        ("A4", "booked", "You have already booked this seat."),
    ]


def test_seats_that_the_house_does_not_have_are_all_named_as_they_were_given() -> None:
    evening = Evening()

    with pytest.raises(UnknownSeats) as refusal:
        evening.hold(ANN, "A1", "Z9", "a1")

    assert refusal.value.unknown == ("Z9", "a1")


def test_holding_again_what_i_hold_together_is_the_same_reservation_and_not_renewed() -> None:
    evening = Evening()
    first = evening.hold(ANN, "A1", "A2")
    evening.wait(timedelta(minutes=1))

    again = evening.ask(Hold(ANN, named("A2", "A1"), evening.new_id())).outcome

    assert again == Held(first, created=False)
    assert evening.state.version == 1


def test_holding_again_succeeds_even_when_sales_have_closed() -> None:
    evening = Evening()
    first = evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON)

    assert evening.hold(ANN, "A1") == first


def test_holding_some_of_my_seats_moves_them_and_the_old_reservation_keeps_the_rest() -> None:
    evening = Evening()
    old = evening.hold(ANN, "A1", "A2")

    new = evening.hold(ANN, "A2", "A3")

    assert labels(new.prices) == {"A2", "A3"}
    assert labels(evening.reservation(old).prices) == {"A1"}
    assert labels(evening.reservation(old).left) == {"A2"}


def test_holding_all_of_my_seats_and_more_ends_the_old_reservation_which_still_names_them() -> None:
    evening = Evening()
    old = evening.hold(ANN, "A1", "A2")

    evening.hold(ANN, "A1", "A2", "A3")

    assert evening.reservation(old).status is ReservationStatus.RELEASED
    assert labels(evening.reservation(old).prices) == {"A1", "A2"}


def test_seats_that_move_keep_their_price_and_new_ones_cost_what_they_cost_now() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    reservation = evening.hold(ANN, "A1", "A2")

    assert reservation.prices == {1: STANDARD, 2: DEARER}


def test_a_seat_whose_category_has_no_price_is_free_in_the_currency_of_the_others() -> None:
    evening = Evening()
    evening.change_screening(prices={"box": BOX})

    (price,) = evening.hold(ANN, "A1").prices.values()

    assert (price.amount_minor, price.currency) == (0, "EUR")


def test_holding_again_and_again_does_not_go_past_the_cap_of_the_first_hold() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    for other in ("A2", "A3", "A4"):
        evening.wait(timedelta(minutes=4))
        evening.hold(ANN, "A1", other)

    reservation = evening.hold(ANN, "A1", "A5")

    assert reservation.first_held_at == NOON
    assert reservation.expires_at == NOON + CAP


def test_of_several_holds_that_are_joined_the_earliest_counts_for_the_cap() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(timedelta(minutes=2))
    evening.hold(ANN, "A2")

    assert evening.hold(ANN, "A2", "A1").first_held_at == NOON


def test_a_hold_is_not_shortened_when_the_organizer_has_shortened_the_cap_meanwhile() -> None:
    evening = Evening()
    first = evening.hold(ANN, "A1")
    evening.wait(timedelta(minutes=4))
    evening.change_screening(hold_seconds=60, max_hold_seconds=120)

    moved = evening.hold(ANN, "A1", "A2")

    assert moved.expires_at == first.expires_at


@pytest.mark.parametrize("late", [timedelta(0), INSTANT])
def test_a_hold_that_ran_out_can_be_taken_over(late: timedelta) -> None:
    evening = Evening()
    old = evening.hold(ANN, "A1")
    evening.wait(HOLD + late)

    evening.hold(BOB, "A1")

    assert evening.held_by(BOB) == {"A1"}
    assert evening.reservation(old).status is ReservationStatus.EXPIRED


def test_an_instant_before_its_end_a_hold_cannot_be_taken_over() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(HOLD - INSTANT)

    with pytest.raises(SeatsUnavailable):
        evening.hold(BOB, "A1")

    assert evening.held_by(ANN) == {"A1"}


def test_taking_over_one_seat_frees_the_others_of_the_hold_that_ran_out() -> None:
    evening = Evening()
    evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)

    evening.hold(BOB, "A1")

    assert evening.state.claims.keys() == {1}
    assert evening.state.version == 2


def test_holding_what_i_held_until_it_ran_out_is_a_new_hold_within_the_same_cap() -> None:
    evening = Evening()
    old = evening.hold(ANN, "A1")
    evening.wait(HOLD)

    new = evening.hold(ANN, "A1")

    assert new.id != old.id
    assert new.first_held_at == NOON
    assert evening.reservation(old).status is ReservationStatus.EXPIRED


@pytest.mark.parametrize(
    "closed",
    [
        {"sales_open_at": NOON + INSTANT},
        {"sales_close_at": NOON},
        {"starts_at": NOON},
        {"cancelled_at": NOON},
    ],
)
def test_nothing_can_be_held_while_sales_are_closed(closed: dict[str, object]) -> None:
    evening = Evening()
    evening.change_screening(**closed)

    with pytest.raises(SalesClosed) as refusal:
        evening.hold(ANN, "A1")

    assert refusal.value.opens_at == closed.get("sales_open_at")


def test_sales_open_at_their_very_moment() -> None:
    evening = Evening()
    evening.change_screening(sales_open_at=NOON)

    evening.hold(ANN, "A1")

    assert evening.held_by(ANN) == {"A1"}


def test_a_reservation_has_no_more_seats_than_allowed() -> None:
    evening = Evening()
    evening.change_screening(limits=Limits(max_seats_per_reservation=2))

    with pytest.raises(LimitExceeded) as refusal:
        evening.hold(ANN, "A1", "A2", "A3")

    assert (refusal.value.limit, refusal.value.allowed, refusal.value.current) == ("max_seats_per_reservation", 2, 0)


def test_seats_that_move_do_not_count_twice_against_the_limit_of_a_user() -> None:
    evening = Evening()
    evening.change_screening(limits=Limits(max_seats_per_user=2))
    evening.hold(ANN, "A1")

    evening.hold(ANN, "A1", "A2")

    assert evening.held_by(ANN) == {"A1", "A2"}
