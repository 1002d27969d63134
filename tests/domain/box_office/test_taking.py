"""Taking seats: who stands in the way, what gives way, and what the seats cost."""

import pytest

from app.domain.box_office.outcomes import ReleasedAll
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.box_office.taking import Taking, ends_with, held_first_at, look_around, make_way, prices_for, take
from app.domain.refusals import SeatsUnavailable
from app.domain.reservations import ReservationStatus
from app.domain.seats import Seat
from tests.domain.states import ANN, BOB, BOX, DEARER, HOLD, LAYOUT, NOON, STANDARD, Evening, labels


def seats(*wanted: str) -> tuple[Seat, ...]:
    return tuple(LAYOUT.by_label[label] for label in wanted)


def made_way(state: ScreeningState, taking: Taking) -> Decision:
    decision = Decision(ReleasedAll(()))
    make_way(state, taking, decision)
    return decision


def test_around_a_free_seat_there_is_nobody() -> None:
    evening = Evening()

    taking = look_around(evening.state, seats("A1"), ANN.id, evening.now)

    assert taking == Taking()


def test_what_i_hold_is_told_apart_from_what_others_hold_and_from_what_ran_out() -> None:
    evening = Evening()
    run_out = evening.hold(BOB, "A1")
    evening.wait(HOLD)
    mine = evening.hold(ANN, "A2", "A3")
    evening.hold(BOB, "A4")

    taking = look_around(evening.state, seats("A1", "A2", "A4", "A5"), ANN.id, evening.now)

    assert taking.run_out == {run_out.id}
    assert taking.mine == {mine.id: {2}}
    assert labels(taking.in_the_way) == {"A4"}


def test_taking_refuses_what_looking_around_finds_in_the_way() -> None:
    evening = Evening()
    evening.hold(BOB, "A1", "A2")

    with pytest.raises(SeatsUnavailable) as refusal:
        take(evening.state, seats("A1", "A2", "A3"), ANN.id, evening.now)

    assert labels(refusal.value.seats) == {"A1", "A2"}


def test_my_hold_gives_up_just_the_wanted_seats() -> None:
    evening = Evening()
    mine = evening.hold(ANN, "A1", "A2")

    decision = made_way(evening.state, look_around(evening.state, seats("A1"), ANN.id, evening.now))

    assert labels(decision.reservations[mine.id].prices) == {"A2"}
    assert decision.reservations[mine.id].version == evening.state.next_version


def test_a_hold_that_ran_out_gives_way_as_a_whole() -> None:
    evening = Evening()
    run_out = evening.hold(BOB, "A1", "A2")
    evening.wait(HOLD)

    decision = made_way(evening.state, look_around(evening.state, seats("A1"), ANN.id, evening.now))

    assert decision.reservations[run_out.id].status is ReservationStatus.EXPIRED
    assert decision.claims == {1: None, 2: None}


def test_prices_come_in_the_order_of_the_house_and_a_seat_of_mine_keeps_its_own() -> None:
    evening = Evening()
    evening.hold(ANN, "A2")
    evening.change_screening(prices={"standard": DEARER, "box": BOX})
    wanted = seats("A5", "A2", "A1")

    prices = prices_for(evening.state, wanted, look_around(evening.state, wanted, ANN.id, evening.now))

    assert list(prices.items()) == [(1, DEARER), (2, STANDARD), (5, BOX)]


def test_without_a_hold_of_mine_the_cap_counts_from_now() -> None:
    evening = Evening()
    evening.hold(BOB, "A1")
    evening.wait(HOLD)

    taking = look_around(evening.state, seats("A1"), ANN.id, evening.now)

    assert held_first_at(evening.state, seats("A1"), ANN.id, taking, evening.now) == NOON + HOLD


def test_only_a_hold_that_loses_all_of_its_seats_ends() -> None:
    evening = Evening()
    ending = evening.hold(ANN, "A1")
    evening.hold(ANN, "A2", "A3")

    taking = look_around(evening.state, seats("A1", "A2"), ANN.id, evening.now)

    assert ends_with(evening.state, taking) == {ending.id}
