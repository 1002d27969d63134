"""The nearest free seats: those that sorting the whole house would find, in the same order."""

from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.domain.seat_maps.nearness import Nearness
from app.domain.seats import Layout, Seat

Place = tuple[float, float]

FEW = st.integers(-3, 3).map(float)
ANYWHERE = st.floats(allow_nan=False, allow_infinity=False)


def houses(x: SearchStrategy[float], y: SearchStrategy[float]) -> SearchStrategy[list[Place]]:
    return st.lists(st.tuples(x, y), min_size=1, max_size=120)


HOUSES = (
    houses(FEW, FEW)  # many seats at each place
    | houses(st.just(0.0), st.just(0.0))
    | houses(st.integers(0, 200).map(float), st.just(7.0))  # one long row
    | houses(st.floats(0, 30), st.floats(0, 30))
    | houses(FEW | st.sampled_from((-1e9, 1e9)), FEW)  # somebody sits far away
    | houses(ANYWHERE, ANYWHERE)
)


def house_of(places: list[Place]) -> Layout:
    seats = (Seat(100 + at, f"A{at}", "Stalls", "A", at, "standard", x=x, y=y) for at, (x, y) in enumerate(places))
    return Layout(1, 1, tuple(seats))


def sorted_around(layout: Layout, here: Seat, taken: set[int]) -> list[Seat]:
    def distance(seat: Seat) -> float:
        aside, behind = seat.x - here.x, seat.y - here.y
        return aside * aside + behind * behind

    free = [seat for position, seat in enumerate(layout.seats) if position not in taken]
    return sorted(free, key=distance)


@given(HOUSES, st.data())
def test_what_is_near_is_what_sorting_the_house_finds(places: list[Place], data: st.DataObject) -> None:
    layout = house_of(places)
    positions = st.integers(0, len(places) - 1)
    taken = data.draw(st.sets(positions))
    free = Nearness(layout).without(taken)
    for position, is_free in data.draw(st.lists(st.tuples(positions, st.booleans()), max_size=10)):
        free.mark(position, is_free)
        taken = taken - {position} if is_free else taken | {position}

    here = layout.seats[data.draw(positions)]
    at_most = data.draw(st.integers(1, 50))

    assert free.nearest(here, at_most) == sorted_around(layout, here, taken)[:at_most]


@given(st.lists(st.integers(0, 999), max_size=60), st.integers(0, 999))
@example([], 500)
def test_when_nearly_all_is_sold_the_last_ones_are_found(left: list[int], here: int) -> None:
    layout = house_of([(at % 40, at // 40) for at in range(1000)])
    taken = set(range(1000)) - set(left)

    free = Nearness(layout).without(taken)

    assert free.nearest(layout.seats[here], 50) == sorted_around(layout, layout.seats[here], taken)[:50]


def test_a_house_without_seats_has_none() -> None:
    seat = Seat(1, "A1", "Stalls", "A", 1, "standard")

    assert Nearness(Layout(1, 1, ())).without(()).nearest(seat, 50) == []
