"""How much one buyer may take: counted over all screenings, guests of one email together, days where the theater is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.box_office.screening_state import Usage
from app.domain.people.people import Person
from app.domain.refusals import LimitExceeded
from app.domain.screenings import Limits
from tests.domain.states import ANN, BOB, CLEO, HOLD, INSTANT, NOON, Evening


def evening_with(**limits: Any) -> Evening:
    evening = Evening()
    evening.change_screening(limits=Limits(**limits))
    return evening


def one_email(evening: Evening, *guests: Person) -> None:
    """These guests gave the same email: they are one buyer."""
    group, shared = frozenset(guest.id for guest in guests), Usage()
    evening.state.same_buyer = dict.fromkeys(group, group)
    evening.state.usage = {**evening.state.usage, **dict.fromkeys(group, shared)}


def what_was_said(refusal: LimitExceeded) -> tuple[str, int, int]:
    return refusal.limit, refusal.allowed, refusal.current


# --- seats of one user


def test_held_and_booked_seats_count_together() -> None:
    evening = evening_with(max_seats_per_user=3)
    evening.book(ANN, "A1")
    evening.hold(ANN, "A2")

    with pytest.raises(LimitExceeded) as refusal:
        evening.book(ANN, "A3", "A4")

    assert what_was_said(refusal.value) == ("max_seats_per_user", 3, 2)


def test_others_have_a_count_of_their_own() -> None:
    evening = evening_with(max_seats_per_user=1)
    evening.hold(ANN, "A1")

    evening.hold(BOB, "A2")

    assert evening.held_by(BOB) == {"A2"}


def test_guests_with_the_same_email_count_together() -> None:
    evening = evening_with(max_seats_per_user=1)
    one_email(evening, BOB, CLEO)
    evening.hold(BOB, "A1")

    with pytest.raises(LimitExceeded) as refusal:
        evening.hold(CLEO, "A2")

    assert what_was_said(refusal.value) == ("max_seats_per_user", 1, 1)


def test_a_hold_that_ran_out_does_not_count() -> None:
    evening = evening_with(max_seats_per_user=1, max_active_reservations_per_user=1)
    evening.hold(ANN, "A1")
    evening.wait(HOLD)

    evening.hold(ANN, "A2")

    assert evening.held_by(ANN) == {"A2"}


def test_booking_what_i_hold_needs_no_more_room() -> None:
    evening = evening_with(max_seats_per_user=1)
    hold = evening.hold(ANN, "A1")

    evening.confirm(ANN, hold)

    assert evening.booked_by(ANN) == {"A1"}


def test_confirming_late_needs_room_like_any_taking() -> None:
    evening = evening_with(max_seats_per_user=1)
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.hold(ANN, "A2")

    with pytest.raises(LimitExceeded) as refusal:
        evening.confirm(ANN, hold)

    assert what_was_said(refusal.value) == ("max_seats_per_user", 1, 1)


# --- one hold at a time


def test_one_hold_at_a_time_is_one_hold() -> None:
    evening = evening_with(max_active_reservations_per_user=1)
    evening.hold(ANN, "A1")

    with pytest.raises(LimitExceeded) as refusal:
        evening.hold(ANN, "A2")

    assert what_was_said(refusal.value) == ("max_active_reservations_per_user", 1, 1)


def test_a_hold_that_takes_in_the_whole_old_one_is_still_one() -> None:
    evening = evening_with(max_active_reservations_per_user=1)
    evening.hold(ANN, "A1")

    evening.hold(ANN, "A1", "A2")

    assert evening.held_by(ANN) == {"A1", "A2"}


def test_a_hold_that_takes_in_a_part_of_the_old_one_would_be_a_second() -> None:
    evening = evening_with(max_active_reservations_per_user=1)
    evening.hold(ANN, "A1", "A2")

    with pytest.raises(LimitExceeded):
        evening.hold(ANN, "A1", "A3")

    assert evening.held_by(ANN) == {"A1", "A2"}


def test_toggling_joins_the_hold_that_there_is() -> None:
    evening = evening_with(max_active_reservations_per_user=1)
    evening.hold(ANN, "A1")

    evening.toggle(ANN, "A2")

    assert evening.held_by(ANN) == {"A1", "A2"}


def test_a_hold_elsewhere_counts() -> None:
    evening = evening_with(max_active_reservations_per_user=1)
    evening.state.usage[ANN.id].holds[evening.new_id()] = NOON + HOLD

    with pytest.raises(LimitExceeded) as refusal:
        evening.toggle(ANN, "A1")

    assert what_was_said(refusal.value) == ("max_active_reservations_per_user", 1, 1)


def test_released_and_booked_holds_make_room() -> None:
    evening = evening_with(max_active_reservations_per_user=1)
    evening.release(ANN, evening.hold(ANN, "A1"))
    evening.confirm(ANN, evening.hold(ANN, "A2"))

    evening.hold(ANN, "A3")

    assert evening.held_by(ANN) == {"A3"}


# --- bookings in a day


def test_one_booking_a_day_is_one_booking() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.book(ANN, "A1")
    hold = evening.hold(ANN, "A2")

    with pytest.raises(LimitExceeded) as refusal:
        evening.confirm(ANN, hold)

    assert what_was_said(refusal.value) == ("bookings_per_user_per_day", 1, 1)


def test_the_hold_stays_when_there_is_no_booking_left_today() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.book(ANN, "A1")
    hold = evening.hold(ANN, "A2")

    with pytest.raises(LimitExceeded):
        evening.confirm(ANN, hold)

    assert evening.held_by(ANN) == {"A2"}


def test_asking_again_for_what_i_booked_today_is_no_second_booking() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    booking = evening.book(ANN, "A1")

    assert evening.book(ANN, "A1") == booking


def test_a_cancelled_booking_does_not_count() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.cancel(ANN, evening.book(ANN, "A1"))

    evening.book(ANN, "A2")

    assert evening.booked_by(ANN) == {"A2"}


def test_a_booking_of_which_something_is_left_counts() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.cancel(ANN, evening.book(ANN, "A1", "A2"), "A1")

    with pytest.raises(LimitExceeded):
        evening.book(ANN, "A3")

    assert evening.booked_by(ANN) == {"A2"}


def test_until_midnight_in_the_theater_it_is_the_same_day() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.state.timezone = ZoneInfo("Europe/Berlin")
    evening.change_screening(starts_at=NOON + timedelta(days=2))
    evening.book(ANN, "A1")
    evening.wait(timedelta(hours=10) - INSTANT)

    with pytest.raises(LimitExceeded):
        evening.book(ANN, "A2")

    assert evening.booked_by(ANN) == {"A1"}


def test_from_midnight_in_the_theater_it_is_another_day() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.state.timezone = ZoneInfo("Europe/Berlin")
    evening.change_screening(starts_at=NOON + timedelta(days=2))
    evening.book(ANN, "A1")
    evening.wait(timedelta(hours=10))

    evening.book(ANN, "A2")

    assert evening.booked_by(ANN) == {"A1", "A2"}


def test_a_booking_elsewhere_counts() -> None:
    evening = evening_with(bookings_per_user_per_day=1)
    evening.state.usage[ANN.id].bookings[evening.new_id()] = datetime(2027, 5, 1, 0, tzinfo=UTC)

    with pytest.raises(LimitExceeded):
        evening.book(ANN, "A1")

    assert evening.booked_by(ANN) == set()
