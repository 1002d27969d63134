"""The same seats again and again from one address without an account: a pause grows with the time they were kept."""

from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.box_office.addresses import Address
from app.domain.box_office.commands import Book, Cancel, Check, Confirm, Extend, Hold, Release, Toggle
from app.domain.box_office.outcomes import Held
from app.domain.people.people import Person
from app.domain.refusals import HeldTooOften, NotEnoughSeats
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import SeatNames
from tests.domain.states import CAP, HOLD, LAYOUT, Evening, labels, named

HERE = Address(b"here", b"street", 20)
ELSEWHERE = Address(b"elsewhere", b"street", 20)


def guest(number: int) -> Person:
    return Person(100 + number, is_guest=True)


def hold(evening: Evening, number: int, *seats: str, address: Address | None = HERE) -> UUID:
    """The hold of a new guest."""
    reservation_id = UUID(int=1000 + number)
    evening.ask(Hold(guest(number), named(*seats), reservation_id, address))
    return reservation_id


def keep(evening: Evening, times: int, *labels: str) -> None:
    """So many guests after each other hold the seats until that has run out."""
    for number in range(times):
        hold(evening, number, *labels)
        evening.now += HOLD


def refused_for(evening: Evening, number: int, *labels: str) -> tuple[tuple[str, ...], int]:
    """Which seats cannot be held, and for how many seconds."""
    with pytest.raises(HeldTooOften) as refusal:
        hold(evening, number, *labels)
    assert (refusal.value.limit, refusal.value.allowed) == ("anonymous_holds_per_address", 20)
    return refusal.value.labels, refusal.value.retry_after_seconds


def test_a_seat_that_ran_out_once_is_held_again_at_once() -> None:
    evening = Evening()
    keep(evening, 1, "A1")

    hold(evening, 1, "A1")


def test_the_pause_doubles_each_time_up_to_the_longest_hold() -> None:
    evening = Evening()
    keep(evening, 2, "A1")

    pauses = []
    for number in range(2, 9):
        _, seconds = refused_for(evening, number, "A1")
        pauses.append(seconds)
        evening.now += timedelta(seconds=seconds - 1)
        assert refused_for(evening, number, "A1") == (("A1",), 1)
        evening.now += timedelta(seconds=1)
        hold(evening, number, "A1")
        evening.now += HOLD

    assert pauses == [30, 60, 120, 240, 480, 900, 900]


def test_the_pause_begins_when_the_seat_is_given_back() -> None:
    evening = Evening()
    keep(evening, 2, "A1")
    evening.now += timedelta(seconds=30)
    held = hold(evening, 2, "A1")
    evening.now += HOLD / 2
    evening.ask(Release(guest(2), held))
    evening.now += timedelta(seconds=20)

    assert refused_for(evening, 3, "A1") == (("A1",), 10)


def test_only_the_seats_that_were_kept_are_named_and_none_is_held() -> None:
    evening = Evening()
    keep(evening, 2, "A1", "A2")

    assert refused_for(evening, 2, "A1", "A3", "A2") == (("A1", "A2"), 30)
    hold(evening, 3, "A3")
    hold(evening, 4, "A1", address=ELSEWHERE)


def test_a_class_that_tries_a_seat_in_turn_and_gives_it_back_never_waits() -> None:
    evening = Evening()
    for number in range(30):
        held = hold(evening, number, "A1")
        evening.now += timedelta(seconds=15)
        evening.ask(Release(guest(number), held))

    hold(evening, 30, "A1")


def test_letting_go_and_taking_again_at_once_counts_as_long_as_the_seat_was_kept() -> None:
    evening = Evening()
    for number in range(10):
        held = hold(evening, number, "A1")
        evening.now += timedelta(seconds=60)
        evening.ask(Release(guest(number), held))

    assert refused_for(evening, 10, "A1") == (("A1",), 30)


def test_what_is_moved_into_another_hold_is_not_taken_again() -> None:
    evening = Evening()
    for number, seats in enumerate([("A1",), ("A1", "A2"), ("A1",), ("A1", "A3"), ("A1",), ("A1", "A2")]):
        evening.ask(Hold(guest(1), named(*seats), UUID(int=number + 1), HERE))

    evening.ask(Toggle(guest(1), named("A1"), UUID(int=50), HERE))
    evening.ask(Toggle(guest(1), named("A1"), UUID(int=51), HERE))


def test_toggling_on_and_off_is_counted_and_giving_back_never_refused() -> None:
    evening = Evening()
    for number in range(2):
        evening.ask(Toggle(guest(number), named("A1"), UUID(int=2 * number + 1), HERE))
        evening.now += HOLD - timedelta(microseconds=1)
        evening.ask(Toggle(guest(number), named("A1"), UUID(int=2 * number + 2), HERE))
    evening.ask(Toggle(guest(2), named("A1"), UUID(int=40), HERE))
    evening.now += timedelta(microseconds=2)
    evening.ask(Toggle(guest(2), named("A1"), UUID(int=41), HERE))

    with pytest.raises(HeldTooOften):
        evening.ask(Toggle(guest(3), named("A1"), UUID(int=50), HERE))


def test_a_hold_that_ran_out_is_not_extended_during_the_pause() -> None:
    evening = Evening()
    keep(evening, 2, "A1")
    evening.now += timedelta(seconds=30)
    held = hold(evening, 2, "A1")
    evening.now += HOLD

    with pytest.raises(HeldTooOften):
        evening.ask(Extend(guest(2), held, HERE))
    evening.now += timedelta(seconds=60)
    evening.ask(Extend(guest(2), held, HERE))


def test_a_hold_that_is_extended_in_time_never_pauses_and_counts_as_long_as_it_lasts() -> None:
    evening = Evening()
    held = hold(evening, 1, "A1")
    evening.now += HOLD - timedelta(seconds=1)
    evening.ask(Extend(guest(1), held, HERE))
    evening.now += timedelta(seconds=2)
    evening.ask(Release(guest(1), held))
    hold(evening, 2, "A1")
    evening.now += HOLD

    assert refused_for(evening, 3, "A1") == (("A1",), 30)


def test_what_was_booked_was_not_kept_from_anybody() -> None:
    evening = Evening()
    keep(evening, 2, "A1")
    evening.now += timedelta(seconds=30)
    held = hold(evening, 2, "A1")
    evening.ask(Confirm(guest(2), held, UUID(int=77), "paid"))
    evening.now += HOLD
    evening.ask(Cancel(guest(2), UUID(int=77)))

    held = hold(evening, 3, "A1")
    evening.ask(Release(guest(3), held))
    assert refused_for(evening, 4, "A1") == (("A1",), 30)


def test_a_booking_that_is_cancelled_does_not_end_a_pause() -> None:
    evening = Evening()
    keep(evening, 2, "A1")
    evening.ask(Book(guest(2), named("A1"), UUID(int=77), "paid"))
    evening.ask(Cancel(guest(2), UUID(int=77)))

    assert refused_for(evening, 3, "A1") == (("A1",), 30)


def test_nobody_waits_who_books_at_once_or_confirms_late() -> None:
    evening = Evening()
    keep(evening, 2, "A1", "A2")

    evening.ask(Confirm(guest(1), UUID(int=1001), UUID(int=77), "paid"))
    evening.ask(Book(guest(3), named("A3"), UUID(int=78), "paid"))

    assert evening.booked_by(guest(1)) == {"A1", "A2"}


def test_a_check_says_what_a_hold_would_be_refused_with() -> None:
    evening = Evening()
    keep(evening, 2, "A1")

    with pytest.raises(HeldTooOften):
        evening.ask(Check(None, named("A1"), HERE))
    evening.ask(Check(None, named("A2"), HERE))


def test_the_best_available_are_seats_that_do_not_pause_while_there_are_such() -> None:
    evening = Evening()
    keep(evening, 2, "A1", "A2", "A3", "A4")
    picture = Picture(LAYOUT)
    evening.state.floor = Floor(picture, picture.whole)

    def best(number: int, count: int, address: Address = HERE) -> set[str]:
        command = Hold(guest(number), SeatNames(), UUID(int=2000 + number), address, wish=Wish(count))
        held = evening.ask(command).outcome
        assert isinstance(held, Held)
        return labels(held.reservation.prices)

    with pytest.raises(HeldTooOften):
        best(10, 3)
    with pytest.raises(NotEnoughSeats):
        best(11, 7)
    assert best(12, 2) == {"A5", "A6"}
    assert best(13, 4, ELSEWHERE) == {"A1", "A2", "A3", "A4"}


def test_it_is_forgotten_two_longest_holds_after_the_last_one() -> None:
    evening = Evening()
    for number, pause in enumerate([0, 0, 30, 60]):
        evening.now += timedelta(seconds=pause)
        hold(evening, number, "A1")
        evening.now += HOLD
    evening.now += 2 * CAP

    for number in range(10, 12):
        hold(evening, number, "A1")
        evening.now += HOLD
    assert refused_for(evening, 12, "A1") == (("A1",), 30)


def test_nothing_is_counted_of_people_with_an_account_or_where_it_is_off() -> None:
    evening = Evening()
    for number in range(10):
        hold(evening, number, "A1", address=None)
        evening.now += HOLD

    assert evening.state.kept_seats == {}
