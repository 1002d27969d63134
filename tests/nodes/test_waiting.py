"""The two ways to wait, without PostgreSQL."""

from typing import cast

import pytest

from app.services.box_office.pending import Pending
from app.services.box_office.waiting import LineForEach, OneLine, WaitingRoom


class Somebody:
    """Who waits for a screening, until a deadline."""

    def __init__(self, screening_id: int, deadline: float = 5.0) -> None:
        self.screening_id = screening_id
        self.deadline = deadline


def filled(room: WaitingRoom, *screening_ids: int) -> list[Pending]:
    """Somebody comes for each of these screenings, in this order, each a second after the one before."""
    came = [cast("Pending", Somebody(each, 5.0 + number)) for number, each in enumerate(screening_ids)]
    for each in came:
        room.add(each)
    return came


def of(batch: list[Pending]) -> list[int]:
    return [each.screening_id for each in batch]


def test_one_line_is_served_in_order_of_arrival() -> None:
    room = OneLine()
    filled(room, 1, 2, 1, 3)

    assert of(room.take(3)) == [1, 2, 1]
    assert of(room.take(3)) == [3]
    assert not room.is_ready


def test_latecomers_leave_the_one_line_from_its_middle() -> None:
    room = OneLine()
    filled(room, 1, 2, 1, 3, 1)

    assert of(room.take_of({1}, 2)) == [1, 1]
    assert of(room.take_all()) == [2, 3, 1]


def test_each_screening_has_its_turn() -> None:
    room = LineForEach()
    filled(room, 1, 2, 1, 3)

    assert [of(room.take(9)) for _ in range(3)] == [[1, 1], [2], [3]]
    assert (room.is_ready, len(room)) == (False, 0)


def test_a_screening_is_in_one_batch_at_a_time() -> None:
    room = LineForEach()
    filled(room, 1)
    room.take(9)
    filled(room, 1, 2)

    assert of(room.take(9)) == [2]
    assert not room.is_ready
    assert of(room.take_of((1,), 9)) == [1]
    filled(room, 1)
    room.free((1,), went_well=True)
    assert of(room.take(9)) == [1]


def test_who_does_not_fit_into_a_batch_comes_after_the_others() -> None:
    room = LineForEach()
    filled(room, 1, 1, 1, 2)
    room.free(of(room.take(2))[:1], went_well=True)

    assert [of(room.take(2)) for _ in range(2)] == [[2], [1]]


def test_of_screenings_in_trouble_one_is_served_at_a_time() -> None:
    room = LineForEach()
    for troubled in (1, 2):
        filled(room, troubled)
        room.take(9)
        room.free((troubled,), went_well=False)
    filled(room, 1, 2, 3)

    assert [of(room.take(9)) for _ in range(2)] == [[1], [3]]
    assert not room.is_ready
    room.free((1,), went_well=False)
    assert of(room.take(9)) == [2]


def test_whoever_was_not_served_at_all_is_in_as_much_trouble_as_before() -> None:
    room = LineForEach()
    for screening_id, went_well in ((1, False), (1, None), (2, False)):
        filled(room, screening_id)
        room.take(9)
        room.free((screening_id,), went_well=went_well)
    filled(room, 1, 2)

    assert of(room.take(9)) == [1]
    assert not room.is_ready


@pytest.mark.parametrize("room", [OneLine(), LineForEach()])
def test_the_late_are_taken_out_and_the_next_deadline_is_known(room: WaitingRoom) -> None:
    came = filled(room, 1, 2, 1)

    assert room.next_deadline == 5.0
    assert room.take_late(6.0) == came[:2]
    assert (len(room), room.next_deadline) == (1, 7.0)
    assert room.take_all() == came[2:]
    assert (len(room), room.next_deadline, room.is_ready) == (0, None, False)
