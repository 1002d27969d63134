"""From a plan to seats: labels, categories, places."""

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.house.layouts import MAX_SEATS, LayoutRefused, RowPlan, SeatDraft, SeatPlan, SectionPlan, lay_out

ROWS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 12)), min_size=1, max_size=4, unique_by=lambda row: row[0]
)
HOUSES = st.lists(
    st.tuples(st.sampled_from(["Stalls", "Circle", "Gallery"]), ROWS), min_size=1, unique_by=lambda each: each[0]
)


def house(*sections: tuple[str, list[tuple[str, int]]]) -> list[SectionPlan]:
    return [SectionPlan(name, [RowPlan(row, size) for row, size in rows]) for name, rows in sections]


def labels(seats: tuple[SeatDraft, ...]) -> list[str]:
    return [seat.label for seat in seats]


def test_a_count_of_seats_is_numbered_from_one() -> None:
    seats = lay_out(house(("Stalls", [("A", 3)])))

    assert [(seat.section, seat.row, seat.number, seat.label) for seat in seats] == [
        ("Stalls", "A", 1, "A1"),
        ("Stalls", "A", 2, "A2"),
        ("Stalls", "A", 3, "A3"),
    ]


def test_rows_that_repeat_from_section_to_section_give_every_default_label_the_section() -> None:
    seats = lay_out(house(("Stalls", [("A", 1), ("B", 1)]), ("Circle", [("A", 1)])))

    assert labels(seats) == ["Stalls-A-1", "Stalls-B-1", "Circle-A-1"]


def test_rows_whose_names_run_into_their_numbers_clash_too() -> None:
    plan = [SectionPlan("Stalls", [RowPlan("A", 11), RowPlan("A1", 1)])]

    assert labels(lay_out(plan))[-2:] == ["Stalls-A-11", "Stalls-A1-1"]


def test_a_given_label_stays_when_the_default_ones_become_long() -> None:
    plan = [SectionPlan("Stalls", [RowPlan("A", [SeatPlan(1), SeatPlan(2, label="A1")])])]

    assert labels(lay_out(plan)) == ["Stalls-A-1", "A1"]


def test_given_labels_that_clash_are_named() -> None:
    twice = [SeatPlan(1, label="Box"), SeatPlan(2, label="Box"), SeatPlan(3, label="Loge"), SeatPlan(4, label="Loge")]

    with pytest.raises(LayoutRefused) as refusal:
        lay_out([SectionPlan("Stalls", [RowPlan("A", twice)])])

    assert [(flaw.loc[-2:], flaw.code) for flaw in refusal.value.errors] == [
        ((1, "label"), "label_twice"),
        ((3, "label"), "label_twice"),
    ]
    assert '"Box"' in refusal.value.errors[0].message
    assert '"Loge"' in refusal.value.errors[1].message


def test_a_given_label_may_not_be_the_long_default_of_another_seat() -> None:
    plan = [
        SectionPlan("S", [RowPlan("A", 1)]),
        SectionPlan("T", [RowPlan("A", 1), RowPlan("B", [SeatPlan(1, label="S-A-1")])]),
    ]

    with pytest.raises(LayoutRefused, match="S-A-1"):
        lay_out(plan)


def test_a_number_stands_once_in_a_row() -> None:
    plan = [SectionPlan("Stalls", [RowPlan("A", [SeatPlan(7, label="left"), SeatPlan(7, label="right")])])]

    with pytest.raises(LayoutRefused) as refusal:
        lay_out(plan)

    assert refusal.value.errors[0].code == "number_twice"
    assert refusal.value.errors[0].loc == ("sections", 0, "rows", 0, "seats", 1, "number")


def test_the_innermost_category_wins() -> None:
    plan = [
        SectionPlan(
            "Stalls", [RowPlan("A", [SeatPlan(1, category="box"), SeatPlan(2)], "front"), RowPlan("B", 1)], "back"
        ),
        SectionPlan("Circle", [RowPlan("C", 1)]),
    ]

    assert [seat.category for seat in lay_out(plan)] == ["box", "front", "back", "standard"]


def test_what_a_seat_is_goes_with_it() -> None:
    seat = SeatPlan(1, accessible=True, companion=True, restricted_view=True, x=2.5, y=-1.0)

    (draft,) = lay_out([SectionPlan("Stalls", [RowPlan("A", [seat])])])

    assert (draft.accessible, draft.companion, draft.restricted_view, draft.x, draft.y) == (True, True, True, 2.5, -1.0)


def test_missing_places_are_laid_out_row_by_row_in_the_middle() -> None:
    seats = lay_out(house(("Stalls", [("A", 2), ("B", 3)]), ("Circle", [("C", 1)])))

    assert [(seat.x, seat.y) for seat in seats] == [
        (-0.5, 0.0),
        (0.5, 0.0),
        (-1.0, 1.5),
        (0.0, 1.5),
        (1.0, 1.5),
        (0.0, 4.5),
    ]


def test_rows_without_places_stand_behind_those_that_have_one() -> None:
    plan = [SectionPlan("Stalls", [RowPlan("A", [SeatPlan(1, x=0.0, y=10.0)]), RowPlan("B", 1)])]

    assert [seat.y for seat in lay_out(plan)] == [10.0, 13.0]


def test_a_seat_without_a_place_joins_its_row() -> None:
    plan = [SectionPlan("Stalls", [RowPlan("A", [SeatPlan(1), SeatPlan(2, y=4.0), SeatPlan(3, x=9.0)])])]

    assert [(seat.x, seat.y) for seat in lay_out(plan)] == [(-1.0, 4.0), (0.0, 4.0), (9.0, 4.0)]


def test_a_row_that_is_planned_in_parts_stands_in_one_line() -> None:
    parts = [RowPlan("A", [SeatPlan(1), SeatPlan(2)], "gold"), RowPlan("B", 1), RowPlan("A", [SeatPlan(3)], "silver")]

    seats = lay_out([SectionPlan("Stalls", parts)])

    assert [(seat.label, seat.x, seat.y) for seat in seats] == [
        ("A1", -1.0, 0.0),
        ("A2", 0.0, 0.0),
        ("B1", 0.0, 1.5),
        ("A3", 1.0, 0.0),
    ]


def test_a_house_may_have_as_many_seats_as_are_allowed_and_not_one_more() -> None:
    with pytest.raises(LayoutRefused) as refusal:
        lay_out(house(("Stalls", [("A", MAX_SEATS), ("B", 1)])))

    assert refusal.value.errors[0].code == "too_many_seats"


def test_the_real_hall_has_its_labels() -> None:
    hall = json.loads(files("app.services.house").joinpath("demo_houses", "riethsporthalle.json").read_bytes())
    plan = [
        SectionPlan(
            section["name"],
            [
                RowPlan(row["row"], [SeatPlan(**seat) for seat in row["seats"]], row["category"])
                for row in section["rows"]
            ],
        )
        for section in hall["layout"]["sections"]
    ]

    seats = lay_out(plan)

    assert len(seats) == 1222
    assert "Block A-6-12" in labels(seats)
    assert {seat.category for seat in seats} == {"vip", "category-1", "category-2"}
    assert sum(seat.accessible for seat in seats) == 31


@given(HOUSES)
def test_no_plan_by_counts_is_refused_and_every_seat_has_its_own_label_and_place(
    sections: list[tuple[str, list[tuple[str, int]]]],
) -> None:
    seats = lay_out(house(*sections))

    assert len(seats) == sum(size for _, rows in sections for _, size in rows)
    assert len({seat.label for seat in seats}) == len(seats)
    assert len({(seat.x, seat.y) for seat in seats}) == len(seats)


@given(HOUSES)
def test_either_all_labels_have_the_section_or_none(sections: list[tuple[str, list[tuple[str, int]]]]) -> None:
    seats = lay_out(house(*sections))

    short = [f"{seat.row}{seat.number}" for seat in seats]
    long = [f"{seat.section}-{seat.row}-{seat.number}" for seat in seats]
    assert labels(seats) == (short if len(set(short)) == len(short) else long)
