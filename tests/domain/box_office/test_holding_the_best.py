"""Holding whatever is best: the cap goes on counting as for named seats."""

from datetime import timedelta
from itertools import count
from typing import Final
from uuid import UUID

import pytest

from app.domain.box_office.commands import Hold
from app.domain.box_office.outcomes import Held
from app.domain.people.people import Person
from app.domain.refusals import ExtensionLimit, NotEnoughSeats
from app.domain.reservations import Reservation
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames
from tests.domain.states import ANN, BOB, CAP, HOLD, LAYOUT, NOON, Evening

_NUMBERS: Final = count(1_000)


@pytest.fixture
def evening() -> Evening:
    """An evening on which it is known what is free."""
    opened, picture = Evening(), Picture(LAYOUT)
    opened.state.floor = Floor(picture, picture.whole)
    return opened


def hold_best(evening: Evening, buyer: Person, seats: int) -> Reservation:
    command = Hold(buyer, SeatNames(), UUID(int=next(_NUMBERS)), wish=Wish(seats))
    outcome = evening.ask(command).outcome
    assert isinstance(outcome, Held)
    return outcome.reservation


def give_back_and_take_again(evening: Evening, times: int) -> Reservation:
    """Ann keeps the two best seats, for four minutes at a time."""
    held = hold_best(evening, ANN, 2)
    for _ in range(times):
        evening.wait(timedelta(minutes=4))
        evening.release(ANN, held)
        held = hold_best(evening, ANN, 2)
    return held


def test_the_cap_goes_on_counting_when_the_best_seats_are_the_same_again(evening: Evening) -> None:
    held = give_back_and_take_again(evening, times=3)

    assert set(held.prices) == {1, 2}
    assert (held.first_held_at, held.expires_at) == (NOON, NOON + CAP)


def test_for_somebody_else_they_are_new(evening: Evening) -> None:
    evening.release(ANN, give_back_and_take_again(evening, times=3))

    held = hold_best(evening, BOB, 2)

    assert (set(held.prices), held.expires_at) == ({1, 2}, evening.now + HOLD)


def test_whoever_has_held_the_best_seats_for_as_long_as_they_may_gets_the_next_best(evening: Evening) -> None:
    held = give_back_and_take_again(evening, times=3)
    evening.now = NOON + CAP - timedelta(seconds=9)
    evening.release(ANN, held)

    other = hold_best(evening, ANN, 2)

    assert (set(other.prices), other.expires_at) == ({3, 4}, evening.now + HOLD)


def test_where_there_are_no_others_the_cap_is_told(evening: Evening) -> None:
    held = give_back_and_take_again(evening, times=3)
    evening.hold(BOB, "A3", "A4", "A5", "A6")
    evening.now = NOON + CAP - timedelta(seconds=9)
    evening.release(ANN, held)

    with pytest.raises(ExtensionLimit) as refused:
        hold_best(evening, ANN, 2)
    assert refused.value.latest_expires_at == NOON + CAP
    with pytest.raises(NotEnoughSeats):
        hold_best(evening, ANN, 3)
