"""Facts are kept, conclusions are drawn anew: who sits where, until when that is so, and what ran out."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.occupancy import Conclusions, Occupancy, Taken
from app.domain.seats import SeatStatus
from tests.domain.houses import HOLD, INSTANT, NOON

FIRST = Taken(1, SeatStatus.RESERVED, NOON + HOLD, user_id=1)
SECOND = Taken(2, SeatStatus.RESERVED, NOON + 2 * HOLD, user_id=2)
SOLD = Taken(3, SeatStatus.BOOKED, user_id=3)
BLOCKED = Taken(4, SeatStatus.BLOCKED)

CLAIMS = st.lists(
    st.builds(
        Taken,
        st.integers(1, 30),
        st.just(SeatStatus.RESERVED),
        st.none() | st.integers(-5, 5).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    ),
    unique_by=lambda taken: taken.seat_id,
)


def occupancy(*claims: Taken) -> Occupancy:
    return Occupancy(7, 1, 1, state=1, version=1, prices={}, claims=claims)


def test_before_a_hold_ends_its_seat_is_taken() -> None:
    conclusions = occupancy(FIRST, SOLD, BLOCKED).at(NOON + HOLD - INSTANT)

    assert conclusions.taken == {1: FIRST, 3: SOLD, 4: BLOCKED}
    assert conclusions.run_out == 0


def test_at_its_end_the_seat_of_a_hold_is_free_at_once() -> None:
    conclusions = occupancy(FIRST, SOLD).at(NOON + HOLD)

    assert conclusions.taken == {3: SOLD}
    assert conclusions.run_out == 1


def test_conclusions_are_so_until_the_next_hold_ends() -> None:
    conclusions = occupancy(SECOND, FIRST, SOLD).at(NOON)

    assert conclusions.until == NOON + HOLD
    assert conclusions.hold_at(NOON + HOLD - INSTANT)
    assert not conclusions.hold_at(NOON + HOLD)


def test_without_holds_they_are_so_for_good() -> None:
    conclusions = occupancy(SOLD, BLOCKED).at(NOON)

    assert conclusions == Conclusions({3: SOLD, 4: BLOCKED}, run_out=0, until=None)
    assert conclusions.hold_at(NOON + timedelta(days=400))


@given(CLAIMS, st.integers(-6, 6), st.integers(0, 12))
def test_conclusions_that_hold_are_those_that_would_be_drawn_anew(claims: list[Taken], at: int, later: int) -> None:
    facts, now = occupancy(*claims), NOON + timedelta(seconds=at)
    conclusions = facts.at(now)

    then = now + timedelta(seconds=later)

    assert conclusions.hold_at(then) == (facts.at(then) == conclusions)
    assert len(conclusions.taken) + conclusions.run_out == len(claims)
