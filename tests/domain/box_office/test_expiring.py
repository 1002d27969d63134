"""Time ends a hold at its very moment; sweeping it up afterwards is only tidying."""

from datetime import timedelta

import pytest

from app.domain.box_office.commands import Expire
from app.domain.box_office.outcomes import Expired
from app.domain.box_office.screening_state import Cause
from app.domain.reservations import ReservationStatus
from tests.domain.states import ANN, BOB, HOLD, INSTANT, Evening


def test_an_instant_before_its_end_a_hold_is_a_hold() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    evening.wait(HOLD - INSTANT)

    assert hold.status_at(evening.now) is ReservationStatus.HELD
    assert evening.held_by(ANN) == {"A1"}


def test_at_its_end_a_hold_is_no_hold_although_nobody_swept() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")

    evening.wait(HOLD)

    assert hold.status_at(evening.now) is ReservationStatus.EXPIRED
    assert evening.held_by(ANN) == set()


def test_sweeping_frees_the_seats_of_a_hold_that_ran_out() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    evening.wait(HOLD)

    count = evening.sweep()

    assert count == 1
    assert evening.state.claims == {}
    assert (evening.reservation(hold).status, evening.reservation(hold).prices) == (
        ReservationStatus.EXPIRED,
        hold.prices,
    )


def test_sweeping_too_early_changes_nothing() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(HOLD - INSTANT)

    count = evening.sweep()

    assert (count, evening.state.version) == (0, 1)


def test_sweeping_twice_changes_nothing_more() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.sweep()

    count = evening.sweep()

    assert (count, evening.state.version) == (0, 2)


def test_several_holds_are_swept_as_one_change() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.hold(BOB, "A2")
    evening.wait(HOLD)

    decision = evening.ask(Expire(tuple(evening.state.reservations)))

    assert decision.outcome == Expired(2)
    assert decision.cause is Cause.EXPIRY
    assert evening.state.version == 3


def test_a_sweeper_that_is_late_does_not_touch_whoever_took_the_seat() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.hold(BOB, "A1")

    evening.ask(Expire((hold.id,)))

    assert evening.held_by(BOB) == {"A1"}


@pytest.mark.parametrize("after", [timedelta(0), INSTANT])
def test_a_sweeper_that_is_late_does_not_touch_a_hold_that_was_extended(after: timedelta) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD - INSTANT)
    evening.extend(ANN, hold)
    evening.wait(INSTANT + after)

    evening.ask(Expire((hold.id,)))

    assert evening.held_by(ANN) == {"A1"}


def test_a_hold_that_nobody_knows_is_no_trouble_to_the_sweeper() -> None:
    evening = Evening()

    decision = evening.ask(Expire((evening.new_id(),)))

    assert decision.outcome == Expired(0)
    assert not decision.changes_something


def test_a_hold_that_ran_out_is_no_longer_among_what_i_release() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.hold(ANN, "A2")

    released = evening.release_all(ANN)

    assert released == {"A2"}
