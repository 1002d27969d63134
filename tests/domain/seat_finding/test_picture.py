"""The picture of the rows: who is beside whom, in every house."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.seat_finding.blocks import longest, starts_of
from app.domain.seat_finding.picture import Picture, middle_of_the_front, ones
from app.domain.seat_maps.runs import Runs
from app.domain.seats import Layout, Point, Seat
from tests.domain.seat_finding.by_hand import ByHand
from tests.domain.seat_finding.houses import HOUSES, free_in


def row(*xs: float, aisles: tuple[int, ...] = ()) -> Layout:
    """A row of seats with the ids 1, 2, 3 ... at these places; after some of them is an aisle."""
    return Layout(
        1,
        1,
        tuple(
            Seat(number, f"A{number}", "S", "A", number, "any", x=x, aisle_after=number in aisles)
            for number, x in enumerate(xs, start=1)
        ),
    )


def test_each_seat_says_who_sits_on_either_side() -> None:
    assert Picture(row(0, 1, 2, 4, 5)).neighbours() == ((None, 2), (1, 3), (2, None), (None, 5), (4, None))


def test_an_aisle_that_places_do_not_show_is_said() -> None:
    assert Picture(row(0, 1, 2, 3, aisles=(2,))).neighbours() == ((None, 2), (1, None), (None, 4), (3, None))


def test_neighbours_come_in_the_order_of_the_layout() -> None:
    assert Picture(row(2, 0, 1)).neighbours() == ((3, None), (None, 3), (2, 1))


def test_a_house_of_one_seat_has_no_neighbours() -> None:
    assert Picture(row(7)).neighbours() == ((None, None),)


def test_a_house_without_seats_has_a_picture() -> None:
    picture = Picture(Layout(1, 1, ()))

    assert picture.whole == 0
    assert picture.neighbours() == ()


def test_people_look_at_the_middle_of_the_front_unless_the_layout_says_otherwise() -> None:
    assert middle_of_the_front(row(0, 1, 2, 9)) == Point(4.5, 0)


@given(HOUSES)
def test_neighbours_follow_each_other_and_an_aisle_or_end_is_a_gap(layout: Layout) -> None:
    picture, by_hand = Picture(layout), ByHand(layout, ())
    places = [picture.place[seat.id] for seat in layout.seats]

    for at, here in enumerate(places):
        assert {other for other, there in enumerate(places) if abs(here - there) == 1} == by_hand.beside[at]
    assert [{near for near in both if near} for both in picture.neighbours()] == [
        {layout.seats[near].id for near in by_hand.beside[at]} for at in range(len(places))
    ]


@given(HOUSES, st.data())
def test_a_mask_is_the_same_set_of_seats(layout: Layout, data: st.DataObject) -> None:
    picture, some = Picture(layout), data.draw(free_in(layout))
    ids = [layout.seats[at].id for at in some]

    assert picture.seats(picture.mask(ids)) == tuple(layout.seats[at] for at in sorted(some))
    assert picture.free(ids) == picture.whole ^ picture.mask(ids)
    assert picture.mask([*ids, 7]) == picture.mask(ids)
    assert len(ones(picture.whole)) == len(layout.seats)


@given(HOUSES, st.data())
def test_blocks_are_as_large_as_the_seat_map_says(layout: Layout, data: st.DataObject) -> None:
    picture, free = Picture(layout), data.draw(free_in(layout))
    taken = {seat.id for at, seat in enumerate(layout.seats) if at not in free}

    largest = longest(picture.free(taken))

    assert largest == Runs(layout).largest_block(taken)
    assert [size for size in range(1, 15) if starts_of(picture.free(taken), size)] == list(range(1, largest + 1))
