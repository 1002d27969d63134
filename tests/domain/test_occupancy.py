"""Facts are kept, and what they mean goes on with time and changes: who sits where, and whose hold ran out."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.seat_maps.occupancy import Seating, Taken
from app.domain.seats import SeatStatus
from tests.domain.states import HOLD, INSTANT, NOON

FIRST = Taken(1, SeatStatus.RESERVED, NOON + HOLD, user_id=1)
SECOND = Taken(2, SeatStatus.RESERVED, NOON + 2 * HOLD, user_id=2)
SOLD = Taken(3, SeatStatus.BOOKED, user_id=3)
BLOCKED = Taken(4, SeatStatus.BLOCKED)

CLAIMS = st.builds(
    Taken,
    st.integers(1, 30),
    st.just(SeatStatus.RESERVED),
    st.none() | st.integers(-5, 15).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)
CHANGES = CLAIMS | st.integers(1, 30)
"""A claim that is made or changed, or the seat of one that is gone."""


def test_before_a_hold_ends_its_seat_is_taken() -> None:
    seating = Seating([FIRST, SOLD, BLOCKED], NOON + HOLD - INSTANT)

    assert seating.taken == {1: FIRST, 3: SOLD, 4: BLOCKED}
    assert seating.run_out == set()


def test_at_its_end_the_seat_of_a_hold_is_free_at_once() -> None:
    seating = Seating([FIRST, SOLD], NOON + HOLD)

    assert seating.taken == {3: SOLD}
    assert seating.run_out == {1}


def test_time_ends_one_hold_after_the_other() -> None:
    seating = Seating([SECOND, FIRST, SOLD], NOON)

    assert seating.pass_until(NOON + HOLD - INSTANT) == []
    assert seating.pass_until(NOON + HOLD) == [1]
    assert seating.pass_until(NOON + 2 * HOLD) == [2]
    assert seating.pass_until(NOON + timedelta(days=400)) == []
    assert seating.taken == {3: SOLD}


def test_a_hold_that_is_extended_ends_at_its_new_end() -> None:
    seating = Seating([FIRST], NOON)
    longer = replace(FIRST, expires_at=NOON + 2 * HOLD)

    seating.change(1, longer)

    assert seating.pass_until(NOON + HOLD) == []
    assert seating.pass_until(NOON + 2 * HOLD) == [1]


def test_a_hold_that_ran_out_can_be_swept_and_taken_over() -> None:
    seating = Seating([FIRST, replace(SECOND, expires_at=NOON)], NOON + HOLD)

    seating.change(1, None)
    seating.change(2, SOLD)

    assert seating.taken == {2: SOLD}
    assert seating.run_out == set()


def test_ends_of_holds_that_are_gone_are_not_kept_for_ever() -> None:
    seating = Seating([], NOON)

    for second in range(10_000):
        seating.change(1, replace(FIRST, expires_at=NOON + HOLD + timedelta(seconds=second)))
        seating.change(1, None)

    assert len(seating._ends) < 200


@given(
    st.lists(CLAIMS, unique_by=lambda claim: claim.seat_id),
    st.lists(st.tuples(st.integers(0, 5), st.lists(CHANGES, max_size=5)), max_size=8),
)
def test_what_goes_on_is_what_would_be_seen_anew(
    claims: list[Taken], steps: list[tuple[int, list[Taken | int]]]
) -> None:
    facts = {claim.seat_id: claim for claim in claims}
    now: datetime = NOON
    seating = Seating(claims, now)

    for seconds, changes in steps:
        for change in changes:
            if isinstance(change, Taken):
                facts[change.seat_id] = change
                seating.change(change.seat_id, change)
            else:
                facts.pop(change, None)
                seating.change(change, None)
        now += timedelta(seconds=seconds)
        seating.pass_until(now)

        anew = Seating(facts.values(), now)
        assert (seating.taken, seating.run_out) == (anew.taken, anew.run_out)
        assert seating.taken == {
            seat_id: claim for seat_id, claim in facts.items() if claim.expires_at is None or claim.expires_at > now
        }
        assert seating.taken.keys() | seating.run_out == facts.keys()
