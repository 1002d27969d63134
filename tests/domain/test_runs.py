"""Seats side by side: what is adjacent, and the largest block that is left."""

from dataclasses import replace
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.house.layouts import RowPlan, SeatPlan, SectionPlan, lay_out
from app.domain.seat_maps.runs import Runs, SectionLeft, rows_of, runs_in, runs_of
from app.domain.seats import Layout, Seat


def layout_of(*sections: SectionPlan) -> Layout:
    """A layout whose seats have the ids 1, 2, 3 and so on."""
    drafts = lay_out(sections)
    return Layout(
        1,
        1,
        tuple(
            Seat(
                place,
                each.label,
                each.section,
                each.row,
                each.number,
                each.category,
                x=each.x,
                y=each.y,
                aisle_after=each.aisle_after,
            )
            for place, each in enumerate(drafts, start=1)
        ),
    )


def row_at(*xs: float) -> Layout:
    seats = [SeatPlan(number, x=x, y=0.0) for number, x in enumerate(xs, start=1)]
    return layout_of(SectionPlan("Stalls", [RowPlan("A", seats)]))


def row_of(*numbers: int) -> Layout:
    """A row whose seats have these numbers and no places: they stand side by side in this order."""
    return layout_of(SectionPlan("Stalls", [RowPlan("A", [SeatPlan(number) for number in numbers])]))


def sizes(layout: Layout) -> list[int]:
    return [len(run) for run in runs_of(layout)]


def test_a_run_ends_with_its_row() -> None:
    assert sizes(layout_of(SectionPlan("Stalls", [RowPlan("A", 4), RowPlan("B", 3)]))) == [4, 3]


@pytest.mark.parametrize("numbers", [(1, 2, 4), (1, 3, 5, 7), (7, 5, 3, 1), (2, 9, 1, 40), (5,), (1, 2)])
def test_numbers_say_nothing_about_neighbours(numbers: tuple[int, ...]) -> None:
    (run,) = runs_of(row_of(*numbers))

    assert [seat.number for seat in run] == list(numbers)


def test_odd_numbers_run_one_way_from_the_aisle_and_even_ones_the_other() -> None:
    places = zip((7, 5, 3, 1, 2, 4, 6, 8), (0, 1, 2, 3, 5, 6, 7, 8), strict=True)
    layout = layout_of(SectionPlan("S", [RowPlan("A", [SeatPlan(number, x=x, y=0.0) for number, x in places])]))

    assert [[seat.number for seat in run] for run in runs_of(layout)] == [[7, 5, 3, 1], [2, 4, 6, 8]]
    assert Runs(layout).largest_block(()) == 4


def test_an_aisle_ends_a_run() -> None:
    assert sizes(row_at(0, 1, 2, 4, 5)) == [3, 2]


def test_an_aisle_may_be_said_where_places_do_not_show_it() -> None:
    seats = [SeatPlan(number, x=float(number), y=0.0, aisle_after=number in (2, 5)) for number in (1, 2, 3, 4, 5)]
    layout = layout_of(SectionPlan("Stalls", [RowPlan("A", seats)]))

    assert sizes(layout) == [2, 3]
    assert Runs(layout).largest_block(()) == 3


def test_a_gap_of_one_and_a_half_seats_is_no_aisle_yet() -> None:
    assert sizes(row_at(0, 1, 2.5, 3.5)) == [4]


def test_an_aisle_is_seen_whatever_unit_the_plan_was_drawn_in() -> None:
    assert sizes(row_at(0, 30, 60, 120, 150)) == [3, 2]


def test_the_last_digits_of_a_float_make_no_aisle() -> None:
    assert 0.8 - 0.5 > 1.5 * (0.3 - 0.1)  # which is 0.3 > 0.3

    assert sizes(row_at(0.1, 0.3, 0.5, 0.8, 1.0)) == [5]


def test_each_row_has_steps_of_its_own() -> None:
    """A row of wide boxes has no aisles for standing behind a row of narrow chairs."""
    chairs = [SeatPlan(number, x=number * 1.0, y=0.0) for number in range(1, 9)]
    boxes = [SeatPlan(number, x=number * 4.0, y=2.0) for number in range(1, 4)]

    assert sizes(layout_of(SectionPlan("S", [RowPlan("A", chairs), RowPlan("B", boxes)]))) == [8, 3]


def test_of_an_even_number_of_steps_the_lower_of_the_middle_two_counts() -> None:
    assert sizes(row_at(0, 1, 3)) == [2, 1]
    assert sizes(row_at(0, 1, 2, 4, 6)) == [3, 1, 1]


@pytest.mark.parametrize(("xs", "runs"), [((0,), [1]), ((0, 1), [2]), ((0, 50), [2]), ((3, 3), [2])])
def test_a_row_of_one_or_two_seats_has_no_aisle(xs: tuple[float, ...], runs: list[int]) -> None:
    assert sizes(row_at(*xs)) == runs


def test_a_row_may_run_away_from_the_stage_or_around_it() -> None:
    sideways: list[tuple[float, float]] = [(0, 0), (0, 1), (0, 2), (0, 4), (0, 5)]
    curved: list[tuple[float, float]] = [(0, 3), (1, 1.5), (2.5, 0.5), (4.5, 0), (6.5, 0.5), (8, 1.5), (9, 3)]
    rows = [
        RowPlan(row, [SeatPlan(number, x=x, y=y) for number, (x, y) in enumerate(places, start=1)])
        for row, places in {"A": sideways, "B": curved}.items()
    ]

    assert sizes(layout_of(SectionPlan("S", rows))) == [3, 2, 7]


def test_seats_at_one_place_stand_in_the_order_of_the_layout() -> None:
    seats = [SeatPlan(number, x=1.0, y=1.0) for number in (3, 1, 2)]

    (run,) = runs_of(layout_of(SectionPlan("S", [RowPlan("A", seats)])))

    assert [seat.number for seat in run] == [3, 1, 2]


def test_where_most_seats_stand_at_one_place_any_step_is_an_aisle() -> None:
    assert sizes(row_at(0, 0, 0, 1)) == [3, 1]


def test_a_row_that_is_planned_in_parts_is_one_row() -> None:
    parts = [RowPlan("A", [SeatPlan(1), SeatPlan(2)], "gold"), RowPlan("B", 2), RowPlan("A", [SeatPlan(3)], "silver")]

    assert [[seat.label for seat in row] for row in rows_of(layout_of(SectionPlan("S", parts)))] == [
        ["A1", "A2", "A3"],
        ["B1", "B2"],
    ]


def test_rows_of_the_same_name_in_two_sections_are_two_rows() -> None:
    layout = layout_of(SectionPlan("S", [RowPlan("A", 2)]), SectionPlan("T", [RowPlan("A", 3)]))

    assert sizes(layout) == [2, 3]


def test_a_row_without_seats_has_no_runs() -> None:
    assert list(runs_in(())) == []


def test_seats_without_places_of_their_own_have_no_aisles() -> None:
    assert sizes(row_at(0, 0, 0)) == [3]


def test_the_order_in_the_plan_does_not_matter() -> None:
    seats = [SeatPlan(3, x=2.0), SeatPlan(1, x=0.0), SeatPlan(2, x=1.0)]

    (run,) = runs_of(layout_of(SectionPlan("Stalls", [RowPlan("A", seats)])))

    assert [seat.number for seat in run] == [1, 2, 3]


def test_each_section_tells_what_is_left_of_it() -> None:
    runs = Runs(
        layout_of(SectionPlan("Stalls", [RowPlan("A", 5)]), SectionPlan("Circle", [RowPlan("B", 2), RowPlan("C", 3)]))
    )

    assert runs.left({2, 8}).sections() == [SectionLeft("Stalls", 4, 3), SectionLeft("Circle", 4, 2)]
    assert runs.largest_block({2, 8}) == 3


def test_a_sold_out_section_has_no_block() -> None:
    runs = Runs(layout_of(SectionPlan("Stalls", [RowPlan("A", 2)])))

    assert runs.left({1, 2}).sections() == [SectionLeft("Stalls", 0, 0)]


def test_seats_of_other_houses_do_not_matter() -> None:
    runs = Runs(layout_of(SectionPlan("Stalls", [RowPlan("A", 2)])))

    assert runs.largest_block({1, 99}) == 1


def test_a_theater_without_seats_has_nothing_left() -> None:
    runs = Runs(Layout(1, 1, ()))

    assert runs.left({1}).sections() == []
    assert runs.largest_block({1}) == 0


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=4), st.sets(st.integers(1, 150))
)
def test_what_is_left_is_what_counting_seat_by_seat_finds(sections: list[list[int]], taken: set[int]) -> None:
    layout = layout_of(
        *(
            SectionPlan(f"S{at}", [RowPlan(f"{at}.{row}.", size) for row, size in enumerate(rows)])
            for at, rows in enumerate(sections)
        )
    )

    left = Runs(layout).left(taken).sections()

    assert left == [
        SectionLeft(name, sum(seat.id not in taken for seat in seats), _longest_by_walking(seats, taken))
        for name, seats in ((name, list(group)) for name, group in groupby(layout.seats, lambda seat: seat.section))
    ]


PLACES = st.integers(0, 8).map(float)
SEATS_ANYWHERE = st.lists(st.tuples(st.sampled_from("ST"), st.sampled_from("AB"), PLACES, PLACES), max_size=14)


def layout_at(seats: list[tuple[str, str, float, float]]) -> Layout:
    """Seats of these sections and rows at these places."""
    numbered = enumerate(seats)
    return Layout(
        1, 1, tuple(Seat(at, str(at), section, row, at, "any", x=x, y=y) for at, (section, row, x, y) in numbered)
    )


@given(SEATS_ANYWHERE)
def test_every_seat_is_in_one_run_and_every_run_in_one_row(seats: list[tuple[str, str, float, float]]) -> None:
    layout = layout_at(seats)

    runs = runs_of(layout)

    assert sorted(seat.id for run in runs for seat in run) == [seat.id for seat in layout.seats]
    assert all(len({(seat.section, seat.row) for seat in run}) == 1 for run in runs)
    assert [run for row in rows_of(layout) for run in runs_in(row)] == list(runs)


@given(SEATS_ANYWHERE)
def test_two_that_follow_each_other_are_neighbours_unless_an_aisle_is_between_them(
    seats: list[tuple[str, str, float, float]],
) -> None:
    layout = layout_at(seats)
    together = {(one.id, other.id) for run in runs_of(layout) for one, other in pairwise(run)}

    for name in {(section, row) for section, row, _, _ in seats}:
        row = [seat for seat in layout.seats if (seat.section, seat.row) == name]
        row.sort(key=lambda seat: (seat.x, seat.y, seat.id))
        steps = [((one.x - other.x) ** 2 + (one.y - other.y) ** 2) ** 0.5 for one, other in pairwise(row)]
        usual = sorted(steps)[(len(steps) - 1) // 2] if steps else 0
        for (one, other), step in zip(pairwise(row), steps, strict=True):
            assert ((one.id, other.id) in together) is (step <= usual * 1.5 + 1e-9)


@given(SEATS_ANYWHERE, st.permutations(range(14)), st.sampled_from([0.01, 0.3, 7.0, 1e4]), st.integers(-50, 50))
def test_neither_numbers_nor_the_unit_nor_the_origin_of_a_plan_make_neighbours(
    seats: list[tuple[str, str, float, float]], numbers: list[int], unit: float, origin: int
) -> None:
    as_drawn = layout_at(seats)
    moved = (
        replace(seat, number=numbers[seat.id], x=(seat.x + origin) * unit, y=(seat.y - origin) * unit)
        for seat in as_drawn.seats
    )
    otherwise = Layout(1, 1, tuple(moved))

    assert [[seat.id for seat in run] for run in runs_of(otherwise)] == [
        [seat.id for seat in run] for run in runs_of(as_drawn)
    ]


HOUSE = layout_of(*(SectionPlan(f"S{at}", [RowPlan(f"{at}.{row}.", 5) for row in range(2)]) for at in range(3)))
SEATS = st.integers(1, len(HOUSE.seats))


@given(st.sets(SEATS), st.lists(st.lists(st.tuples(SEATS, st.booleans()), max_size=4), max_size=6))
def test_as_seats_come_and_go_what_is_left_is_what_counting_anew_finds(
    taken: set[int], rounds: list[list[tuple[int, bool]]]
) -> None:
    runs = Runs(HOUSE)
    left = runs.left(taken)

    for changes in rounds:
        for seat_id, is_free in changes:
            left.mark(seat_id, is_free)
            taken = taken - {seat_id} if is_free else taken | {seat_id}

        assert left.sections() == runs.left(taken).sections()


def _longest_by_walking(seats: list[Seat], taken: set[int]) -> int:
    longest = current = 0
    for before, seat in zip([None, *seats], seats, strict=False):
        if before is None or before.row != seat.row or before.id in taken:
            current = 0
        current = 0 if seat.id in taken else current + 1
        longest = max(longest, current)
    return longest
