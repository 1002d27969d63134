"""Giving seats back: one, a reservation, everything; and doing it twice."""

from collections.abc import Callable

import pytest

from app.domain.box_office.commands import Release
from app.domain.box_office.decide import decide
from app.domain.box_office.screening_state import Cause
from app.domain.people.people import Person, Role
from app.domain.refusals import NotFound, ReservationEnded, ReservationExpired
from app.domain.reservations import ReservationStatus
from tests.domain.states import ANN, BOB, HOLD, NOON, STANDARD, Evening, labels


def test_a_released_reservation_frees_its_seats_and_goes_on_naming_them() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")

    released = evening.release(ANN, hold)

    assert (released.status, released.version) == (ReservationStatus.RELEASED, 2)
    assert released.prices == {1: STANDARD, 2: STANDARD}
    assert evening.state.claims == {}


def test_one_released_seat_is_free_and_the_others_stay_mine() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")

    smaller = evening.release(ANN, hold, "A1")

    assert (smaller.status, labels(smaller.prices), labels(smaller.left)) == (ReservationStatus.HELD, {"A2"}, {"A1"})
    assert evening.held_by(ANN) == {"A2"}


def test_releasing_the_last_seat_ends_the_reservation() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.release(ANN, hold, "A1")

    released = evening.release(ANN, hold, "A2")

    assert released.status is ReservationStatus.RELEASED
    assert labels(released.prices) == {"A2"}


@pytest.mark.parametrize("label", [None, "A1"])
def test_releasing_twice_succeeds_and_changes_nothing(label: str | None) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    once = evening.release(ANN, hold, label)

    twice = evening.release(ANN, hold, label)

    assert twice == once
    assert evening.state.version == 2


def test_releasing_again_does_not_touch_whoever_has_the_seat_by_now() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.release(ANN, hold)
    evening.hold(BOB, "A1")

    evening.release(ANN, hold)

    assert evening.held_by(BOB) == {"A1"}


@pytest.mark.parametrize("swept", [False, True])
def test_a_hold_that_ran_out_and_was_given_back_stays_given_back(swept: bool) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    if swept:
        evening.sweep()

    released = evening.release(ANN, hold)

    assert released.status is ReservationStatus.RELEASED
    assert evening.state.claims == {}
    for go_on in (evening.confirm, evening.extend):
        with pytest.raises(ReservationEnded):
            go_on(ANN, hold)


@pytest.mark.parametrize("swept", [False, True])
def test_a_seat_that_was_given_back_late_is_not_taken_again_with_the_others(swept: bool) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    if swept:
        evening.sweep()

    smaller = evening.release(ANN, hold, "A2")
    booking = evening.confirm(ANN, hold)

    assert (labels(smaller.prices), labels(smaller.left)) == ({"A1"}, {"A2"})
    assert labels(booking.prices) == {"A1"}
    assert evening.free() == {"A2", "A3", "A4", "A5", "A6"}


@pytest.mark.parametrize("swept", [False, True])
def test_whoever_gives_everything_back_gives_back_what_ran_out_too(swept: bool) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    if swept:
        evening.sweep()
    evening.hold(ANN, "A2")

    released = evening.release_all(ANN)

    assert released == {"A2"}
    with pytest.raises(ReservationEnded):
        evening.confirm(ANN, hold)


def test_a_late_release_does_not_touch_whoever_has_the_seat_by_now() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.hold(BOB, "A1")

    evening.release(ANN, hold)

    assert evening.held_by(BOB) == {"A1"}


def _toggle_twice(evening: Evening) -> None:
    evening.toggle(ANN, "A2")
    evening.toggle(ANN, "A2")


def _release_a_newer_hold(evening: Evening) -> None:
    evening.release(ANN, evening.hold(ANN, "A2", "A3"), "A2")


def _cancel_a_booking(evening: Evening) -> None:
    evening.cancel(ANN, evening.book(ANN, "A2"))


@pytest.mark.parametrize("give_back", [_toggle_twice, _release_a_newer_hold, _cancel_a_booking])
@pytest.mark.parametrize("swept", [False, True])
def test_a_seat_that_was_taken_anew_and_given_back_is_not_taken_again(
    give_back: Callable[[Evening], None], swept: bool
) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    if swept:
        evening.sweep()
    give_back(evening)

    for go_on in (evening.confirm, evening.extend):
        with pytest.raises(ReservationExpired) as refusal:
            go_on(ANN, hold)

        assert labels(refusal.value.seats) == {"A2"}


def test_a_seat_that_somebody_else_gave_back_is_taken_again() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.release(BOB, evening.hold(BOB, "A1"))

    evening.confirm(ANN, hold)

    assert evening.booked_by(ANN) == {"A1"}


def test_somebody_elses_reservation_is_not_found() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    with pytest.raises(NotFound):
        evening.release(BOB, hold)

    assert evening.held_by(ANN) == {"A1"}


def test_a_seat_that_the_reservation_never_had_is_not_found() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    with pytest.raises(NotFound):
        evening.release(ANN, hold, "A2")

    assert evening.held_by(ANN) == {"A1"}


def test_what_was_booked_is_cancelled_not_released() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.confirm(ANN, hold)

    with pytest.raises(ReservationEnded) as refusal:
        evening.release(ANN, hold)

    assert refusal.value.reservation_status == "booked"


def test_everything_that_i_hold_is_released_at_once_and_nothing_else() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.hold(ANN, "A2", "A3")
    evening.book(ANN, "A4")
    evening.hold(BOB, "A5")

    released = evening.release_all(ANN)

    assert released == {"A1", "A2", "A3"}
    assert evening.free() == {"A1", "A2", "A3", "A6"}
    assert evening.state.version == 5


def test_who_holds_nothing_releases_nothing() -> None:
    evening = Evening()
    evening.hold(BOB, "A1")

    released = evening.release_all(ANN)

    assert released == set()
    assert evening.state.version == 1


def test_seats_can_be_released_when_sales_have_closed() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON)

    evening.release(ANN, hold)

    assert evening.held_by(ANN) == set()


@pytest.mark.parametrize("role", [Role.STAFF, Role.ORGANIZER, Role.ADMIN])
@pytest.mark.parametrize("label", [None, "A1"])
def test_staff_release_what_somebody_else_holds_and_it_says_so(role: Role, label: str | None) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    seat_id = 1 if label else None

    decision = decide(evening.state, Release(Person(9, role), hold.id, seat_id), evening.now)

    assert decision.cause is Cause.STAFF
    assert decision.claims == {1: None}
    assert decision.reservations[hold.id].user_id == ANN.id


def test_what_staff_release_of_their_own_is_a_release_like_any_other() -> None:
    evening = Evening()
    sam = Person(ANN.id, Role.STAFF)
    hold = evening.hold(ANN, "A1")

    assert decide(evening.state, Release(sam, hold.id), evening.now).cause is Cause.API
