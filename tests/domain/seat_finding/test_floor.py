"""A floor remembers what was seen in it: it finds what somebody finds who looks for the first time."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.money import Money
from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Found, Together, Wish
from app.domain.seats import Layout, Seat
from tests.domain.seat_finding.houses import HOUSES, free_in

PRICES = {"gold": Money(4000, "EUR"), "silver": Money(2000, "EUR")}
WISHES = st.builds(
    Wish,
    st.integers(1, 4),
    st.sampled_from((None, None, "S", "T")),
    st.sampled_from((None, None, "gold", "silver")),
    st.sampled_from((None, None, Money(1000, "EUR"), Money(3000, "EUR"))),
    st.sampled_from((0, 0, 0, 1)),
    st.sampled_from(Together),
)


def rows(count: int, seats: int) -> Layout:
    """Rows behind each other, of which every third has an aisle, and every fifth stands a little apart."""
    return Layout(
        1,
        1,
        tuple(
            Seat(
                row * seats + number + 1,
                f"{row}-{number}",
                "S" if row % 2 else "T",
                f"{row}",
                number,
                "gold" if number % 4 else "silver",
                companion=row % 7 == 0 and number == 3,
                aisle_after=row % 3 == 0 and number == seats // 2,
                x=float(number) + row % 5 * 0.25,
                y=float(row // 2),
            )
            for row in range(count)
            for number in range(seats)
        ),
    )


def take(floor: Floor, count: int) -> tuple[Seat, ...]:
    """The best seats, which are free no more."""
    found = floor.best(Wish(count), PRICES)
    assert isinstance(found, Found)
    for seat in found.seats:
        floor.mark(seat.id, is_free=False)
    return found.seats


@settings(max_examples=150)
@given(HOUSES, st.data())
def test_whatever_was_seen_before_the_same_is_found(layout: Layout, data: st.DataObject) -> None:
    picture = Picture(layout)
    free = data.draw(free_in(layout))
    floor = Floor(picture, picture.mask(layout.seats[at].id for at in free))
    wishes = data.draw(st.lists(WISHES, min_size=1, max_size=6))
    changes = st.tuples(st.sampled_from([seat.id for seat in layout.seats]), st.booleans())

    for seats in data.draw(st.lists(st.lists(changes, max_size=4), max_size=8)):
        wish, released = data.draw(st.sampled_from(wishes)), data.draw(st.booleans())
        expected = best_available(picture, floor.free, wish, PRICES, released=released)
        assert floor.best(wish, PRICES, released=released) == expected
        for seat_id, is_free in seats:
            floor.mark(seat_id, is_free)


def test_a_house_is_sold_and_given_back_as_if_nobody_remembered_anything() -> None:
    layout, chance = rows(24, 17), Random(4)  # noqa: S311 (seats, not secrets)
    picture = Picture(layout)
    floor = Floor(picture, picture.whole)
    wishes = [Wish(1), Wish(2), Wish(3), Wish(2, section="S"), Wish(2, category="gold"), Wish(5)]
    sold: list[int] = []
    blocks = 0

    for _ in range(900):
        wish = chance.choice(wishes)
        found = floor.best(wish, PRICES)
        assert found == best_available(picture, floor.free, wish, PRICES)
        if isinstance(found, Found):
            blocks += found.adjacent
            for seat in found.seats:
                floor.mark(seat.id, is_free=False)
                sold.append(seat.id)
        for _ in range(chance.randrange(6) if len(sold) > 300 else 0):
            floor.mark(sold.pop(chance.randrange(len(sold))), is_free=True)

    assert blocks > 500


def test_what_is_no_more_is_forgotten_where_the_same_seats_change_again_and_again() -> None:
    picture = Picture(rows(12, 10))
    floor = Floor(picture, picture.whole)
    taken = [seat.id for _ in range(10) for seat in take(floor, 2)]
    for seat_id in taken:
        floor.mark(seat_id, is_free=True)

    for time in range(600):
        floor.mark(taken[2], is_free=time % 2 == 1)
        assert floor.best(Wish(2), PRICES) == best_available(picture, floor.free, Wish(2), PRICES)

    assert 2 < floor.remembered < 5 * len(picture.runs)


def test_a_copy_goes_its_own_way() -> None:
    picture = Picture(rows(2, 6))
    floor = Floor(picture, picture.whole)
    first = floor.best(Wish(2), PRICES)
    other = floor.copy()
    assert isinstance(first, Found)

    for seat in first.seats:
        floor.mark(seat.id, is_free=False)

    assert other.free == picture.whole
    assert floor.free == picture.whole & ~first.mask
    assert other.best(Wish(2), PRICES) == first
    assert floor.best(Wish(2), PRICES) != first


def test_a_seat_of_another_house_changes_nothing() -> None:
    picture = Picture(rows(2, 6))
    floor = Floor(picture, picture.whole)

    floor.mark(99, is_free=False)

    assert floor.free == picture.whole
