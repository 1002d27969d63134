"""Toggling: what is free becomes mine, what is mine becomes free, what is somebody else's stops it all."""

from datetime import timedelta

import pytest

from app.domain.box_office.commands import Hold, Toggle
from app.domain.refusals import ExtensionLimit, LimitExceeded, SalesClosed, SeatsUnavailable
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.screenings import Limits
from tests.domain.states import ANN, BOB, BOX, CAP, DEARER, HOLD, NOON, STANDARD, Evening, labels, named


def test_free_seats_become_mine() -> None:
    evening = Evening()

    toggled = evening.toggle(ANN, "A2", "A1")

    assert toggled.reserved == (2, 1)
    assert toggled.released == ()
    assert evening.held_by(ANN) == {"A1", "A2"}


def test_my_seats_become_free() -> None:
    evening = Evening()
    evening.hold(ANN, "A1", "A2")

    toggled = evening.toggle(ANN, "A2")

    assert (toggled.reserved, toggled.released) == ((), (2,))
    assert toggled.reservation is not None
    assert labels(toggled.reservation.prices) == {"A1"}
    assert evening.free() == {"A2", "A3", "A4", "A5", "A6"}


def test_when_nothing_of_mine_is_left_there_is_no_reservation() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    toggled = evening.toggle(ANN, "A1")

    assert toggled.reservation is None
    assert evening.reservation(hold).status is ReservationStatus.RELEASED


def test_added_seats_join_my_newest_reservation_and_renew_it() -> None:
    evening = Evening()
    older = evening.hold(ANN, "A1")
    evening.wait(timedelta(minutes=1))
    newest = evening.hold(ANN, "A2")
    evening.wait(timedelta(minutes=1))

    toggled = evening.toggle(ANN, "A3")

    assert toggled.reservation == evening.reservation(newest)
    assert labels(evening.reservation(newest).prices) == {"A2", "A3"}
    assert evening.reservation(newest).expires_at == evening.now + HOLD
    assert evening.reservation(older) == older


def test_every_seat_of_a_renewed_reservation_is_held_until_its_new_end() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(timedelta(minutes=1))

    evening.toggle(ANN, "A2")

    assert {claim.expires_at for claim in evening.state.claims.values()} == {evening.now + HOLD}


def test_giving_back_alone_renews_nothing() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(timedelta(minutes=1))

    evening.toggle(ANN, "A1")

    assert evening.reservation(hold).expires_at == hold.expires_at


def test_toggling_again_and_again_does_not_go_past_the_cap() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    for other in ("A2", "A3", "A4"):
        evening.wait(timedelta(minutes=4))
        evening.toggle(ANN, other)

    toggled = evening.toggle(ANN, "A5")

    assert toggled.reservation is not None
    assert toggled.reservation.expires_at == NOON + CAP


def test_a_swap_stays_in_the_same_reservation() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    toggled = evening.toggle(ANN, "A1", "A2")

    assert toggled.reservation is not None
    assert toggled.reservation.id == hold.id
    assert (labels(toggled.reservation.prices), labels(toggled.reservation.left)) == ({"A2"}, {"A1"})
    assert evening.held_by(ANN) == {"A2"}


def test_a_seat_that_comes_back_is_not_among_those_that_left() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.toggle(ANN, "A1")

    evening.toggle(ANN, "A1")

    assert labels(evening.reservation(hold).prices) == {"A1", "A2"}
    assert evening.reservation(hold).left == {}


def test_a_seat_that_comes_back_costs_what_it_costs_now_and_the_others_what_they_cost() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.toggle(ANN, "A1")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    evening.toggle(ANN, "A1")

    assert evening.reservation(hold).prices == {1: DEARER, 2: STANDARD}


def test_the_seats_of_a_reservation_are_told_in_the_order_of_the_house() -> None:
    evening = Evening()
    evening.hold(ANN, "A3")

    toggled = evening.toggle(ANN, "A1", "A5")

    assert toggled.reservation is not None
    assert list(toggled.reservation.prices) == [1, 3, 5]


def test_one_seat_of_somebody_else_and_nothing_changes() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.hold(BOB, "A2")

    with pytest.raises(SeatsUnavailable) as refusal:
        evening.toggle(ANN, "A1", "A2", "A3")

    assert labels(refusal.value.seats) == {"A2"}
    assert evening.held_by(ANN) == {"A1"}


def test_a_seat_that_i_have_booked_is_not_toggled() -> None:
    evening = Evening()
    evening.book(ANN, "A1")

    with pytest.raises(SeatsUnavailable):
        evening.toggle(ANN, "A1")

    assert evening.booked_by(ANN) == {"A1"}


def test_a_hold_of_mine_that_ran_out_is_taken_anew_not_given_back() -> None:
    evening = Evening()
    old = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)

    toggled = evening.toggle(ANN, "A1")

    assert toggled.reserved == (1,)
    assert evening.held_by(ANN) == {"A1"}
    assert evening.reservation(old).status is ReservationStatus.EXPIRED


def test_seats_can_be_given_back_when_sales_have_closed() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON)

    evening.toggle(ANN, "A1")

    assert evening.held_by(ANN) == set()


def test_seats_cannot_be_added_when_sales_have_closed() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON)

    with pytest.raises(SalesClosed):
        evening.toggle(ANN, "A1", "A2")

    assert evening.held_by(ANN) == {"A1"}


def test_what_is_given_back_makes_room_within_the_limits() -> None:
    evening = Evening()
    evening.change_screening(limits=Limits(max_seats_per_reservation=2, max_seats_per_user=2))
    evening.hold(ANN, "A1", "A2")

    evening.toggle(ANN, "A2", "A3")

    assert evening.held_by(ANN) == {"A1", "A3"}


@pytest.mark.parametrize("limit", ["max_seats_per_reservation", "max_seats_per_user"])
def test_a_limit_says_how_many_seats_i_had_before_i_asked(limit: str) -> None:
    evening = Evening()
    evening.change_screening(limits=Limits(**{"max_seats_per_reservation": None, limit: 2}))
    evening.hold(ANN, "A1", "A2")

    with pytest.raises(LimitExceeded) as refusal:
        evening.toggle(ANN, "A2", "A3", "A4")

    assert (refusal.value.limit, refusal.value.allowed, refusal.value.current) == (limit, 2, 2)


def test_a_renewal_never_shortens_a_hold_when_the_organizer_has_shortened_them_meanwhile() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(hold_seconds=60, max_hold_seconds=60)

    evening.toggle(ANN, "A2")

    assert evening.reservation(hold).expires_at == hold.expires_at


def test_a_seat_whose_cap_counts_joins_no_hold_that_ends_after_that() -> None:
    evening = Evening()
    evening.change_screening(max_hold_seconds=360)
    first = evening.hold(ANN, "A1")
    evening.now += HOLD - timedelta(seconds=1)
    evening.hold(ANN, "A2")
    evening.now += timedelta(seconds=1)

    for command in (
        Toggle(ANN, named("A1"), evening.new_id()),
        Hold(ANN, named("A1", "A2"), evening.new_id()),
    ):
        with pytest.raises(ExtensionLimit) as refusal:
            evening.ask(command)
        assert refusal.value.latest_expires_at == first.created_at + timedelta(seconds=360)
    assert evening.held_by(ANN) == {"A2"}


def _nine_seconds_before_the_cap(evening: Evening) -> Reservation:
    hold = evening.hold(ANN, "A1")
    for _ in range(3):
        evening.wait(timedelta(minutes=4))
        hold = evening.extend(ANN, hold)
    evening.wait(timedelta(minutes=3) - timedelta(seconds=9))
    return hold


def test_a_seat_that_would_join_for_less_than_ten_seconds_is_refused() -> None:
    evening = Evening()
    hold = _nine_seconds_before_the_cap(evening)

    for take in (lambda: evening.toggle(ANN, "A2"), lambda: evening.hold(ANN, "A1", "A2")):
        with pytest.raises(ExtensionLimit) as refusal:
            take()
        assert refusal.value.latest_expires_at == hold.expires_at == NOON + CAP

    assert evening.held_by(ANN) == {"A1"}


def test_a_seat_that_joins_for_ten_seconds_is_told_that_end() -> None:
    evening = Evening()
    _nine_seconds_before_the_cap(evening)
    evening.wait(timedelta(seconds=-1))

    toggled = evening.toggle(ANN, "A2")

    assert toggled.reservation is not None
    assert toggled.reservation.expires_at == NOON + CAP


def test_where_holds_are_that_short_a_whole_one_is_enough() -> None:
    evening = Evening()
    evening.change_screening(hold_seconds=5, max_hold_seconds=60)
    evening.hold(ANN, "A1")

    toggled = evening.toggle(ANN, "A2")

    assert toggled.reservation is not None
    assert toggled.reservation.expires_at == NOON + timedelta(seconds=5)
