"""Where not every choice can be looked at: what is promised all the same."""

from random import Random

import pytest

from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.blocks import beside, fewest_alone
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Found, NotEnough, Wish
from app.domain.seats import Layout, Seat
from tests.domain.seat_finding.by_hand import ByHand


def hall(rows: int, width: int) -> Layout:
    """Rows of which each third seat from the left is a wheelchair place in the first row."""
    return Layout(
        1,
        1,
        tuple(
            Seat(
                1 + row * width + seat,
                f"{row}-{seat}",
                "S",
                str(row),
                seat,
                "any",
                accessible=row == 0 and seat % 3 == 0,
                companion=row == 0 and seat % 3 == 1,
                x=float(seat),
                y=float(row),
            )
            for row in range(rows)
            for seat in range(width)
        ),
    )


HALL = Picture(hall(40, 30))


def some_free(share: float) -> int:
    chance = Random(f"{share}")  # noqa: S311 (seats, not secrets)
    return HALL.mask(seat.id for seat in HALL.layout.seats if chance.random() < share)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("count", [5, 9, 31, 70])
def test_as_few_as_possible_sit_alone(share: float, count: int) -> None:
    free = some_free(share) & HALL.ordinary

    answer = best_available(HALL, free, Wish(count))

    if isinstance(answer, NotEnough):
        assert answer.available < count
        return
    assert len(answer.seats) == count
    assert answer.mask & ~free == 0
    chosen = frozenset(HALL.layout.seats.index(seat) for seat in answer.seats)
    assert ByHand(HALL.layout, ()).alone(chosen) == fewest_alone(free, count)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_party_with_wheelchairs_gets_companion_places_and_seats_near_them(share: float) -> None:
    free = some_free(share)

    answer = best_available(HALL, free, Wish(6, accessible=3))

    assert isinstance(answer, Found)
    assert len(answer.seats) == 6
    assert sum(seat.accessible for seat in answer.seats) == 3
    assert answer.mask & ~free == 0


STADIUM = Picture(hall(26, 1_500))
"""39,000 seats in rows of 1,500, of which the first has 500 wheelchair places, and as many for company."""


@pytest.mark.parametrize(("count", "wheels"), [(2, 1), (3, 1), (4, 2), (10, 1), (10, 5), (60, 30), (500, 250)])
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_parties_with_wheelchairs_of_any_size_find_room_in_a_stadium(count: int, wheels: int, share: float) -> None:
    chance = Random(f"{share}")  # noqa: S311
    free = STADIUM.accessible | STADIUM.mask(seat.id for seat in STADIUM.layout.seats if chance.random() < share)

    answer = best_available(STADIUM, free, Wish(count, accessible=wheels))

    assert isinstance(answer, Found)
    assert (len(answer.seats), (answer.mask & STADIUM.accessible).bit_count()) == (count, wheels)
    assert answer.mask & ~free == 0
    assert not answer.mask & STADIUM.companion & ~beside(answer.mask & STADIUM.accessible)


def test_the_same_question_has_the_same_answer() -> None:
    free = some_free(0.2)

    first, second = (best_available(Picture(HALL.layout), free, Wish(20)) for _ in range(2))

    assert first == second


def test_whoever_comes_next_finds_other_seats() -> None:
    free, taken = HALL.whole, 0

    for count in range(1, 9):
        answer = best_available(HALL, free, Wish(count))
        assert isinstance(answer, Found)
        assert answer.adjacent
        assert not answer.mask & taken
        free &= ~answer.mask
        taken |= answer.mask
