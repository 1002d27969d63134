"""Best available: what looking at every choice finds, in small houses of every shape."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.money import Money
from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Found, NotEnough, Together, Wish
from app.domain.seats import Layout, Seat
from tests.domain.seat_finding.by_hand import ByHand
from tests.domain.seat_finding.houses import HOUSES, free_in

PRICES = {"gold": Money(4000, "EUR"), "silver": Money(2000, "EUR")}
TOGETHER = st.sampled_from(Together)
MANY = settings(max_examples=150)


def found_in(picture: Picture, free: frozenset[int], wish: Wish, *, released: bool = False) -> frozenset[int] | None:
    """The positions of what is found."""
    seats = picture.layout.seats
    answer = best_available(picture, picture.mask(seats[at].id for at in free), wish, PRICES, released=released)
    if isinstance(answer, NotEnough):
        return None
    assert picture.mask(seat.id for seat in answer.seats) == answer.mask
    return frozenset(seats.index(seat) for seat in answer.seats)


def fits(wish: Wish) -> Callable[[Seat], bool]:
    return lambda seat: (
        (wish.section is None or seat.section == wish.section)
        and (wish.category is None or seat.category == wish.category)
        and (wish.max_price is None or PRICES[seat.category].amount_minor <= wish.max_price.amount_minor)
    )


@MANY
@given(HOUSES, st.integers(1, 6), TOGETHER, st.booleans(), st.data())
def test_nothing_better_can_be_found_by_looking_at_every_choice(
    layout: Layout, count: int, together: Together, released: bool, data: st.DataObject
) -> None:
    free = data.draw(free_in(layout))

    found = found_in(Picture(layout), free, Wish(count, together=together), released=released)

    by_hand = ByHand(layout, free, released)
    assert found == by_hand.best(count, lambda _: True, together is Together.REQUIRED)


@MANY
@given(
    HOUSES,
    st.builds(
        Wish,
        st.integers(1, 4),
        st.sampled_from((None, "S", "T")),
        st.sampled_from((None, "gold", "silver")),
        st.sampled_from((None, Money(1000, "EUR"), Money(3000, "EUR"), Money(4000, "EUR"))),
        together=TOGETHER,
    ),
    st.data(),
)
def test_section_category_and_price_are_as_wished_and_neighbours_of_other_kinds_count(
    layout: Layout, wish: Wish, data: st.DataObject
) -> None:
    free = data.draw(free_in(layout))

    found = found_in(Picture(layout), free, wish)

    assert found == ByHand(layout, free).best(wish.count, fits(wish), wish.together is Together.REQUIRED)


@MANY
@given(HOUSES, st.integers(1, 5), TOGETHER, st.booleans(), st.data())
def test_whoever_needs_wheelchair_places_gets_them_with_the_most_companion_places(
    layout: Layout, count: int, together: Together, released: bool, data: st.DataObject
) -> None:
    wheels = data.draw(st.integers(1, count))
    free = data.draw(free_in(layout))

    found = found_in(Picture(layout), free, Wish(count, accessible=wheels, together=together), released=released)

    by_hand = ByHand(layout, free, released)
    assert found == by_hand.best_accessible(count, wheels, together is Together.REQUIRED)


@given(HOUSES, st.integers(1, 9), TOGETHER, st.data())
def test_who_finds_nothing_is_told_how_many_seats_there_are_and_how_many_side_by_side(
    layout: Layout, count: int, together: Together, data: st.DataObject
) -> None:
    free = data.draw(free_in(layout))
    picture, by_hand = Picture(layout), ByHand(layout, free)

    answer = best_available(
        picture, picture.mask(layout.seats[at].id for at in free), Wish(count, together=together), PRICES
    )

    blocks = [size for size in range(1, 15) if by_hand.blocks(size, by_hand.ordinary)]
    if isinstance(answer, Found):
        assert answer.adjacent is by_hand.is_block(frozenset(layout.seats.index(seat) for seat in answer.seats))
    else:
        assert answer == NotEnough(len(by_hand.ordinary), max(blocks, default=0))
        assert answer.available < count or together is Together.REQUIRED


@given(HOUSES, st.integers(1, 6), st.data())
def test_reserved_places_go_to_nobody_who_did_not_ask(layout: Layout, count: int, data: st.DataObject) -> None:
    free = data.draw(free_in(layout))

    found = found_in(Picture(layout), free, Wish(count)) or ()

    assert not any(layout.seats[at].is_reserved_place for at in found)
