"""Seats off sale: what is free goes, what somebody has stays theirs; and a cancelled screening is undone."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.bookings import BookingStatus, PaidStatus
from app.domain.box_office.commands import Block, Close, Unblock
from app.domain.box_office.outcomes import Blocked, Closed
from app.domain.box_office.screening_state import Cause, Decision
from app.domain.claims import Claim, ClaimStatus
from app.domain.refusals import ReservationExpired, SeatsUnavailable, UnknownSeats
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seats import SeatStatus
from tests.domain.states import ANN, BOB, HOLD, NOON, ORGANIZER, Evening, named


def block(evening: Evening, *labels: str) -> Decision:
    return evening.ask(Block(ORGANIZER, named(*labels), "a camera"))


def unblock(evening: Evening, *labels: str) -> Decision:
    return evening.ask(Unblock(ORGANIZER, named(*labels)))


def close(evening: Evening) -> Decision:
    return evening.ask(Close(ORGANIZER, tuple(evening.state.reservations), tuple(evening.state.bookings)))


def test_each_seat_is_told_what_became_of_it() -> None:
    evening = Evening()
    block(evening, "A1")
    evening.hold(ANN, "A2")
    evening.book(BOB, "A3")

    decision = block(evening, "A1", "A2", "A3", "A4")

    assert decision.outcome == Blocked(((1, "already"), (2, "reserved"), (3, "booked"), (4, "blocked")))
    assert (evening.held_by(ANN), evening.booked_by(BOB)) == ({"A2"}, {"A3"})
    assert decision.cause is Cause.STAFF


def test_a_blocked_seat_is_nobodys_and_has_a_reason() -> None:
    evening = Evening()

    block(evening, "A1")

    assert evening.state.claims == {1: Claim(1, ClaimStatus.BLOCKED, reason="a camera")}


def test_several_seats_of_a_hold_that_ran_out_are_blocked_together() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2", "A3")
    evening.wait(HOLD)

    block(evening, "A1", "A2")

    assert evening.free() == {"A3", "A4", "A5", "A6"}
    assert evening.state.claims.keys() == {1, 2}
    assert evening.reservation(hold).status is ReservationStatus.EXPIRED


def test_blocking_what_is_blocked_changes_nothing() -> None:
    evening = Evening()
    block(evening, "A1")

    decision = block(evening, "A1")

    assert not decision.changes_something


def test_only_blocked_seats_are_put_back_on_sale() -> None:
    evening = Evening()
    block(evening, "A1")
    evening.hold(ANN, "A2")
    evening.book(BOB, "A3")

    decision = unblock(evening, "A1", "A2", "A3", "A4")

    assert decision.outcome == Blocked(((1, "unblocked"), (2, "reserved"), (3, "booked"), (4, "already")))
    assert evening.free() == {"A1", "A4", "A5", "A6"}
    assert (evening.held_by(ANN), evening.booked_by(BOB)) == ({"A2"}, {"A3"})


def test_seats_that_the_house_does_not_have_are_named_and_none_is_blocked() -> None:
    evening = Evening()

    with pytest.raises(UnknownSeats) as refusal:
        block(evening, "A1", "Z1")

    assert refusal.value.unknown == ("Z1",)
    assert evening.state.claims == {}


def test_a_cancelled_screening_releases_its_holds_and_refunds_its_bookings() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    booking = evening.book(BOB, "A2", "A3")
    evening.change_screening(cancelled_at=NOON)

    decision = close(evening)

    assert decision.outcome == Closed(2)
    assert evening.state.claims == {}
    assert evening.reservation(hold).status is ReservationStatus.RELEASED
    cancelled = evening.state.bookings[booking.id]
    assert (cancelled.status, cancelled.payment.status) == (BookingStatus.CANCELLED, PaidStatus.REFUND_PENDING)


def test_a_hold_that_ran_out_before_the_closing_expired() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.wait(HOLD)
    evening.change_screening(cancelled_at=evening.now)

    close(evening)

    assert evening.reservation(hold).status is ReservationStatus.EXPIRED


def test_closing_twice_changes_nothing_more() -> None:
    evening = Evening()
    evening.book(ANN, "A1")
    evening.change_screening(cancelled_at=NOON)
    close(evening)
    evening.wait(timedelta(minutes=1))

    decision = close(evening)

    assert decision.outcome == Closed(0)
    assert evening.state.version == 2


def test_while_a_screening_is_not_cancelled_nothing_of_it_is_undone() -> None:
    evening = Evening()
    evening.hold(ANN, "A1")
    evening.book(BOB, "A2")

    decision = close(evening)

    assert not decision.changes_something
    assert (evening.held_by(ANN), evening.booked_by(BOB)) == ({"A1"}, {"A2"})


def test_blocked_seats_stay_blocked_when_the_screening_is_closed() -> None:
    evening = Evening()
    block(evening, "A1")
    evening.change_screening(cancelled_at=NOON)

    close(evening)

    assert evening.state.claims.keys() == {1}


# --- when free -------------------------------------------------------------------------------------------------------


def block_when_free(evening: Evening, *labels: str, reason: str | None = "a camera") -> Decision:
    return evening.ask(Block(ORGANIZER, named(*labels), reason, when_free=True))


def blocked(evening: Evening) -> dict[int, str | None]:
    """The seats that are off sale, with their reasons."""
    claims = evening.state.claims.values()
    return {claim.seat_id: claim.reason for claim in claims if claim.status is ClaimStatus.BLOCKED}


def test_a_held_seat_that_is_to_be_blocked_stays_held_and_is_told_so() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")

    decision = block_when_free(evening, "A1", "A4")

    assert decision.outcome == Blocked(((1, "reserved"), (4, "blocked")), frozenset({1}))
    assert evening.held_by(ANN) == {"A1", "A2"}
    assert evening.reservation(hold).version == evening.state.version
    assert block(evening, "A1").outcome == Blocked(((1, "reserved"),), frozenset({1}))
    assert not block_when_free(evening, "A1").changes_something


RELEASES: list[Callable[[Evening, Reservation], object]] = [
    lambda evening, hold: evening.release(ANN, hold),
    lambda evening, hold: evening.release(ANN, hold, "A1"),
    lambda evening, _: evening.release_all(ANN),
    lambda evening, _: evening.toggle(ANN, "A1", "A2"),
]


@pytest.mark.parametrize("reason", ["a camera", None])
@pytest.mark.parametrize("release", RELEASES)
def test_it_is_blocked_the_moment_that_it_is_released(
    release: Callable[[Evening, Reservation], object], reason: str | None
) -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    block_when_free(evening, "A1", reason=reason)

    release(evening, hold)

    assert blocked(evening) == {1: reason}
    assert "A1" not in evening.free()


def test_it_is_blocked_when_its_hold_runs_out() -> None:
    evening = Evening()
    evening.hold(ANN, "A1", "A2")
    block_when_free(evening, "A1")
    evening.wait(HOLD)

    evening.sweep()

    assert blocked(evening) == {1: "a camera"}
    assert "A2" in evening.free()


def test_nobody_takes_it_over_before_it_is_swept_not_even_its_owner() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1", "A2")
    block_when_free(evening, "A1")
    evening.wait(HOLD)

    for taking in (lambda: evening.hold(BOB, "A1"), lambda: evening.book(ANN, "A1"), lambda: evening.toggle(BOB, "A1")):
        with pytest.raises(SeatsUnavailable) as refusal:
            taking()
        assert [seat.status for seat in refusal.value.seats] == [SeatStatus.BLOCKED]
    for late in (evening.confirm, evening.extend):
        with pytest.raises(ReservationExpired):
            late(ANN, hold)
    evening.hold(BOB, "A2")
    assert blocked(evening) == {1: "a camera"}


def test_a_hold_that_goes_on_keeps_what_is_asked_for() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    block_when_free(evening, "A1")
    evening.wait(timedelta(seconds=10))

    evening.extend(ANN, hold)
    evening.toggle(ANN, "A2")
    merged = evening.hold(ANN, "A1", "A2", "A3")
    evening.release(ANN, merged)

    assert blocked(evening) == {1: "a camera"}


def test_what_is_booked_is_never_blocked() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    evening.hold(BOB, "A2")
    block_when_free(evening, "A1", "A2")

    bookings = [evening.confirm(ANN, hold), evening.book(BOB, "A2")]

    assert (evening.booked_by(ANN), evening.booked_by(BOB)) == ({"A1"}, {"A2"})
    for person, booking in zip((ANN, BOB), bookings, strict=True):
        evening.cancel(person, booking)
    assert blocked(evening) == {}


def test_unblocking_takes_it_back() -> None:
    evening = Evening()
    hold = evening.hold(ANN, "A1")
    block_when_free(evening, "A1")

    decision = unblock(evening, "A1")

    assert decision.outcome == Blocked(((1, "unblocked"),))
    evening.release(ANN, hold)
    assert "A1" in evening.free()


def test_unblocking_frees_what_ran_out_and_nothing_else() -> None:
    evening = Evening()
    evening.hold(ANN, "A1", "A2", "A3")
    block_when_free(evening, "A1", "A2")
    evening.wait(HOLD)

    decision = unblock(evening, "A1", "A3")

    assert decision.outcome == Blocked(((1, "unblocked"), (3, "already")))
    assert blocked(evening) == {2: "a camera"}
    assert evening.free() >= {"A1", "A3"}
