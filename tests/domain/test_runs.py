"""Seats side by side: what is adjacent, and the largest block that is left."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from app.domain.layouts import RowPlan, SeatPlan, SectionPlan, lay_out
from app.domain.seat_maps.runs import Runs, SectionLeft, runs_of
from app.domain.seats import Layout, Seat


def layout_of(*sections: SectionPlan) -> Layout:
    """A layout whose seats have the ids 1, 2, 3 and so on."""
    drafts = lay_out(sections)
    return Layout(
        1,
        1,
        tuple(
            Seat(place, each.label, each.section, each.row, each.number, each.category, x=each.x, y=each.y)
            for place, each in enumerate(drafts, start=1)
        ),
    )


def row_at(*xs: float) -> Layout:
    seats = [SeatPlan(number, x=x, y=0.0) for number, x in enumerate(xs, start=1)]
    return layout_of(SectionPlan("Stalls", [RowPlan("A", seats)]))


def sizes(layout: Layout) -> list[int]:
    return [len(run) for run in runs_of(layout)]


def test_a_run_ends_with_its_row() -> None:
    assert sizes(layout_of(SectionPlan("Stalls", [RowPlan("A", 4), RowPlan("B", 3)]))) == [4, 3]


def test_a_missing_number_ends_a_run() -> None:
    seats = [SeatPlan(1), SeatPlan(2), SeatPlan(4)]

    assert sizes(layout_of(SectionPlan("Stalls", [RowPlan("A", seats)]))) == [2, 1]


def test_an_aisle_ends_a_run() -> None:
    assert sizes(row_at(0, 1, 2, 4, 5)) == [3, 2]


def test_a_gap_of_one_and_a_half_seats_is_no_aisle_yet() -> None:
    assert sizes(row_at(0, 1, 2.5, 3.5)) == [4]


def test_an_aisle_is_seen_whatever_unit_the_plan_was_drawn_in() -> None:
    assert sizes(row_at(0, 30, 60, 120, 150)) == [3, 2]


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
