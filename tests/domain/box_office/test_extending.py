"""Extending a hold: a fresh five minutes from now, never past a quarter of an hour after the first moment."""

from datetime import timedelta

import pytest

from app.domain.money import Money
from app.domain.refusals import (
    ExtensionLimit,
    LimitExceeded,
    NotFound,
    PriceChanged,
    ReservationEnded,
    ReservationExpired,
    SalesClosed,
)
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from tests.domain.states import ANN, BOB, BOX, CAP, DEARER, HOLD, INSTANT, NOON, STANDARD, Evening, labels


def test_an_extended_hold_lasts_five_minutes_from_now_with_all_its_seats() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(timedelta(minutes=2))

    extended = evening.extend(ANN, hold)

    assert (extended.expires_at, extended.version) == (evening.now + HOLD, 2)
    assert {claim.expires_at for claim in evening.state.claims.values()} == {extended.expires_at}


def test_the_last_extension_ends_at_the_cap() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    for _ in range(3):
        evening.wait(timedelta(minutes=4))
        evening.extend(ANN, hold)

    assert evening.reservation(hold).expires_at == NOON + CAP


def test_what_ends_at_the_cap_cannot_be_extended() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    for _ in range(3):
        evening.wait(timedelta(minutes=4))
        evening.extend(ANN, hold)

    with pytest.raises(ExtensionLimit) as refusal:
        evening.extend(ANN, hold)

    assert refusal.value.latest_expires_at == NOON + CAP


def test_extending_twice_at_the_same_moment_is_extending_once() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(timedelta(minutes=1))
    once = evening.extend(ANN, hold)

    twice = evening.extend(ANN, hold)

    assert twice == once
    assert evening.state.version == 2


def test_a_hold_that_lasts_longer_than_a_fresh_one_would_is_left_alone() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(hold_seconds=60)

    kept = evening.extend(ANN, hold)

    assert kept == hold


@pytest.mark.parametrize("swept", [False, True])
def test_a_hold_that_ran_out_is_taken_again_while_its_seats_are_free(swept: bool) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    if swept:
        evening.sweep()

    extended = evening.extend(ANN, hold)

    assert (extended.id, extended.status) == (hold.id, ReservationStatus.HELD)
    assert extended.expires_at == evening.now + HOLD
    assert evening.held_by(ANN) == {"A1", "A2"}


def test_a_hold_that_ran_out_is_taken_again_at_its_price_or_not_at_all() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A5")
    evening.wait(HOLD)
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    with pytest.raises(PriceChanged) as refusal:
        evening.extend(ANN, hold)

    assert refusal.value.total == Money(DEARER.amount_minor + BOX.amount_minor, "EUR")
    assert evening.held_by(ANN) == set()


def test_a_hold_that_did_not_run_out_is_extended_at_its_price() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})

    assert evening.extend(ANN, hold).prices == {1: STANDARD}


def test_too_late_there_is_nothing_to_extend() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD + CAP + INSTANT)

    with pytest.raises(ReservationExpired) as refusal:
        evening.extend(ANN, hold)

    assert (refusal.value.expired_at, refusal.value.seats) == (hold.expires_at, ())


def test_a_cap_that_was_shortened_is_not_before_the_end_of_the_hold() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(timedelta(minutes=1))
    evening.change_screening(hold_seconds=60, max_hold_seconds=60)

    with pytest.raises(ExtensionLimit) as refusal:
        evening.extend(ANN, hold)

    assert refusal.value.latest_expires_at == hold.expires_at


def test_past_its_cap_a_hold_that_ran_out_cannot_be_extended() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(CAP)

    with pytest.raises(ExtensionLimit):
        evening.extend(ANN, hold)

    assert evening.held_by(ANN) == set()


def test_just_before_its_cap_a_hold_that_ran_out_is_taken_again_for_what_is_left() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(CAP - INSTANT)

    assert evening.extend(ANN, hold).expires_at == NOON + CAP


def test_when_a_seat_is_gone_the_whole_hold_is_and_the_seat_is_named() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    evening.hold(BOB, "A2")

    with pytest.raises(ReservationExpired) as refusal:
        evening.extend(ANN, hold)

    assert refusal.value.expired_at == hold.expires_at
    assert labels(refusal.value.seats) == {"A2"}
    assert evening.held_by(ANN) == set()


def test_a_newer_hold_of_mine_gives_its_seats_to_the_one_that_is_taken_again() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    newer = evening.hold(ANN, "A2", "A3")

    extended = evening.extend(ANN, hold)

    assert labels(extended.prices) == {"A1", "A2"}
    assert labels(evening.reservation(newer).prices) == {"A3"}


def test_a_hold_that_is_taken_again_counts_against_the_limit_of_a_user() -> None:
    evening = Evening()
    evening.change_screening(limits=Limits(max_seats_per_user=2))
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    evening.hold(ANN, "A3")

    with pytest.raises(LimitExceeded) as refusal:
        evening.extend(ANN, hold)

    assert (refusal.value.limit, refusal.value.current) == ("max_seats_per_user", 1)


def test_one_hold_at_a_time_may_become_the_one_that_is_taken_again() -> None:
    evening = Evening()
    evening.change_screening(limits=Limits(max_active_reservations_per_user=1))
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    newer = evening.hold(ANN, "A1")

    evening.extend(ANN, hold)

    assert evening.reservation(newer).status is ReservationStatus.RELEASED
    assert [each.id for each in evening.state.held_by(ANN.id, evening.now)] == [hold.id]


def test_a_released_hold_cannot_be_extended() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.release(ANN, hold)

    with pytest.raises(ReservationEnded) as refusal:
        evening.extend(ANN, hold)

    assert refusal.value.reservation_status == "released"


def test_a_booked_hold_cannot_be_extended() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.confirm(ANN, hold)

    with pytest.raises(ReservationEnded) as refusal:
        evening.extend(ANN, hold)

    assert refusal.value.reservation_status == "booked"


def test_nothing_is_extended_when_sales_have_closed() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.change_screening(sales_close_at=NOON)

    with pytest.raises(SalesClosed):
        evening.extend(ANN, hold)

    assert evening.reservation(hold) == hold


def test_somebody_elses_hold_cannot_be_extended() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    with pytest.raises(NotFound):
        evening.extend(BOB, hold)

    assert evening.reservation(hold) == hold


def test_a_hold_whose_seat_left_the_house_cannot_be_extended_any_more() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)
    evening.take_out("A2")

    with pytest.raises(ReservationExpired) as refusal:
        evening.extend(ANN, hold)

    assert labels(refusal.value.seats) == {"A2"}
    assert evening.held_by(ANN) == set()


def test_holding_again_what_was_released_does_not_start_a_fresh_cap() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    for _ in range(3):
        evening.wait(timedelta(minutes=4))
        evening.release(ANN, hold)
        hold = evening.hold(ANN, "A1", "A2")

    assert (hold.first_held_at, hold.expires_at) == (NOON, NOON + CAP)
    evening.wait(timedelta(minutes=2, seconds=51))
    evening.release(ANN, hold)
    with pytest.raises(ExtensionLimit) as refusal:
        evening.hold(ANN, "A2")
    assert refusal.value.latest_expires_at == NOON + CAP
    assert evening.hold(BOB, "A2").expires_at == evening.now + HOLD


@pytest.mark.parametrize("swept", [False, True])
def test_the_cap_goes_on_counting_for_as_long_as_a_hold_may_last_after_a_hold_ran_out(swept: bool) -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(HOLD + CAP - INSTANT)
    if swept:
        evening.sweep()

    with pytest.raises(ExtensionLimit) as refusal:
        evening.hold(ANN, "A1")
    with pytest.raises(ExtensionLimit):
        evening.toggle(ANN, "A1")
    evening.wait(INSTANT)

    assert refusal.value.latest_expires_at == NOON + CAP
    assert evening.hold(ANN, "A1").first_held_at == evening.now


def test_a_seat_that_joins_a_hold_brings_its_cap_along() -> None:
    evening = Evening()
    evening.release(ANN, evening.hold(ANN, "A1"))
    evening.wait(timedelta(minutes=4))
    evening.hold(ANN, "A3")

    joined = evening.toggle(ANN, "A1").reservation

    assert joined is not None
    assert joined.first_held_at == NOON
