"""A house is rebuilt: which seat is the same as before, what it is called, and who goes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.claims import ClaimStatus
from app.domain.house.layouts import LayoutRefused, RowPlan, SeatPlan, SectionPlan, draw, lay_out
from app.domain.house.planning import SeatInUse
from app.domain.house.rebuilding import Place, Rebuilding, must_leave_alone, rebuild
from app.domain.refusals import LayoutInUse
from app.domain.seats import Layout, Seat


@dataclass
class House:
    """A house that is rebuilt again and again. Ids count from 1, in the order in which seats are built."""

    layout: Layout = field(default_factory=lambda: Layout(1, 0, ()))
    former: dict[int, Place] = field(default_factory=dict)
    built: int = 0

    def put(self, *sections: SectionPlan) -> dict[str, int]:
        """The house has these seats now. Gives their ids by their labels."""
        change = self.plan(*sections)
        seats: list[Seat] = []
        for draft, known in change.seats:
            if known is None:
                self.built += 1
            seats.append(seat_of(self.built if known is None else known, draft))
        here = {seat.id for seat in seats}
        labels = {**self.layout.former, **{seat.id: seat.label for seat in change.gone}}
        self.former.update({seat.id: (seat.section, seat.row, seat.number) for seat in change.gone})
        self.former = {seat_id: place for seat_id, place in self.former.items() if seat_id not in here}
        former = {seat_id: label for seat_id, label in labels.items() if seat_id not in here}
        self.layout = Layout(1, self.layout.revision + 1, tuple(seats), former)
        return self.ids()

    def plan(self, *sections: SectionPlan) -> Rebuilding:
        """What would become of the house."""
        return rebuild(self.layout, draw(sections), self.former)

    def ids(self) -> dict[str, int]:
        return {seat.label: seat.id for seat in self.layout.seats}


def seat_of(seat_id: int, draft: object) -> Seat:
    names = ("label", "section", "row", "number", "category")
    return Seat(seat_id, *(getattr(draft, name) for name in names))


def row(name: str, *numbers: int, **labels: str) -> RowPlan:
    """A row of these numbers; `labels` are given ones, by `n` and the number: n1="Box"."""
    given_labels = {int(number[1:]): label for number, label in labels.items()}
    seats = [SeatPlan(number, label=given_labels.get(number)) for number in numbers]
    return RowPlan(name, seats)


def section(name: str, *rows: RowPlan) -> SectionPlan:
    return SectionPlan(name, rows)


def stalls(*rows: RowPlan) -> SectionPlan:
    return section("Stalls", *rows)


def balcony(*rows: RowPlan) -> SectionPlan:
    return section("Balcony", *rows)


# --- the same seat ---------------------------------------------------------------------------------------------------


def test_seats_that_stay_are_the_same_whatever_their_order() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, 3)))

    change = house.plan(stalls(row("A", 3, 1, 4)))

    assert [(draft.label, seat_id) for draft, seat_id in change.seats] == [("A3", 3), ("A1", 1), ("A4", None)]
    assert [seat.label for seat in change.gone] == ["A2"]


def test_a_balcony_with_rows_of_the_same_name_changes_nothing_below() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, 3)))

    ids = house.put(stalls(row("A", 1, 2, 3)), balcony(row("A", 1), row("B", 1)))

    assert ids == {"A1": 1, "A2": 2, "A3": 3, "Balcony-A-1": 4, "Balcony-B-1": 5}


def test_a_balcony_that_goes_leaves_the_long_labels_where_they_are() -> None:
    house = House()
    house.put(stalls(row("A", 1)), balcony(row("A", 1)))

    assert house.put(stalls(row("A", 1, 2))) == {"Stalls-A-1": 1, "A2": 3}


def test_a_seat_keeps_a_label_that_is_no_longer_given() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, n1="Box")))

    assert house.put(stalls(row("A", 1, 2))) == {"Box": 1, "A2": 2}


def test_a_seat_that_gets_another_label_is_the_same_seat() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2)))

    assert house.put(stalls(row("A", 1, 2, n1="Box"))) == {"Box": 1, "A2": 2}
    assert house.put(stalls(row("A", 1, 2, n1="Loge"))) == {"Loge": 1, "A2": 2}


def test_a_given_label_says_which_seat_it_is_wherever_it_stands() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, n1="Box")))

    change = house.plan(stalls(row("A", 2), row("B", 9, n9="Box")))

    assert [(draft.label, draft.row, seat_id) for draft, seat_id in change.seats] == [("A2", "A", 2), ("Box", "B", 1)]
    assert change.gone == ()


def test_two_seats_that_swap_labels_swap_their_places() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2)))

    change = house.plan(stalls(row("A", 1, 2, n1="A2", n2="A1")))

    assert [(draft.number, draft.label, seat_id) for draft, seat_id in change.seats] == [(1, "A2", 2), (2, "A1", 1)]


def test_where_a_label_goes_to_another_place_there_is_a_new_seat() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, n1="Box")))

    change = house.plan(stalls(row("A", 1, 2, n2="Box")))

    assert [(draft.label, seat_id) for draft, seat_id in change.seats] == [("A1", None), ("Box", 1)]
    assert [seat.label for seat in change.gone] == ["A2"]


def test_a_row_of_given_labels_may_be_numbered_anew() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, 3, n1="X", n2="Y", n3="Z")))

    assert house.put(stalls(row("A", 1, 2, n1="X", n2="Z"))) == {"X": 1, "Z": 3}
    assert house.put(stalls(row("A", 1, 2, 3, n1="X", n2="Y", n3="Z"))) == {"X": 1, "Y": 2, "Z": 3}


def test_a_section_may_get_another_name() -> None:
    """Nobody else has these labels, so they say which seats they are."""
    house = House()
    house.put(stalls(row("A", 1, 2)))

    assert house.put(section("Parkett", row("A", 1, 2))) == {"A1": 1, "A2": 2}


def test_a_label_that_two_might_have_says_nothing() -> None:
    house = House()
    house.put(stalls(row("A", 1)))

    assert house.put(section("Parkett", row("A", 1)), balcony(row("A", 1))) == {"Parkett-A-1": 2, "Balcony-A-1": 3}


# --- a seat that comes back ------------------------------------------------------------------------------------------


def test_a_seat_that_comes_back_is_the_same_seat() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2)))
    house.put(stalls(row("A", 1)))

    change = house.plan(stalls(row("A", 1, 2)))

    assert [(draft.label, seat_id) for draft, seat_id in change.seats] == [("A1", 1), ("A2", 2)]
    assert change.back == {2}


def test_a_seat_that_comes_back_has_the_label_that_it_had() -> None:
    house = House()
    house.put(stalls(row("A", 1)), balcony(row("A", 1)))
    house.put(stalls(row("A", 1)))

    assert house.put(stalls(row("A", 1)), balcony(row("A", 1))) == {"Stalls-A-1": 1, "Balcony-A-1": 2}


def test_a_seat_that_comes_back_gets_another_label_where_its_own_is_taken() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2)))
    house.put(stalls(row("A", 1)))
    house.put(stalls(row("A", 1), row("B", 7, n7="A2")))
    assert house.ids() == {"A1": 1, "A2": 2}  # the label said which seat it is: it stands in row B now
    house.put(stalls(row("A", 1)))
    house.put(stalls(row("A", 1, n1="A2")))
    assert house.ids() == {"A2": 2}

    assert house.put(stalls(row("A", 1, 2), row("B", 7))) == {"A2": 2, "Stalls-A-2": 3, "Stalls-B-7": 4}


def test_a_seat_that_comes_back_is_known_by_its_place_too() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, n2="Box")))
    house.put(stalls(row("A", 1)))

    assert house.put(stalls(row("A", 1, 2))) == {"A1": 1, "Box": 2}


def test_a_seat_that_stands_comes_before_one_that_was_taken_out() -> None:
    house = House()
    house.put(stalls(row("A", 1)))
    house.put(balcony(row("B", 1)))
    house.put(balcony(row("B", 1)), stalls(row("C", 1, n1="A1")))
    house.put(balcony(row("B", 1)))
    house.put(balcony(row("B", 1)), stalls(row("A", 1, n1="New")))
    assert house.ids() == {"B1": 2, "New": 3}

    assert house.put(balcony(row("B", 1)), stalls(row("A", 1))) == {"B1": 2, "New": 3}


# --- what new seats are called ---------------------------------------------------------------------------------------


def test_a_label_that_is_kept_makes_new_ones_long() -> None:
    house = House()
    house.put(stalls(row("A", 1, n1="B1")))

    assert house.put(stalls(row("A", 1), row("B", 1, 2))) == {"B1": 1, "Stalls-B-1": 2, "Stalls-B-2": 3}


def test_a_given_label_may_be_what_another_would_be_called_in_a_new_house() -> None:
    """In a new house the seat of the stalls would be called so itself."""
    house = House()
    house.put(stalls(row("A", 1)))
    wider = (stalls(row("A", 1)), balcony(row("A", 1), row("B", 1, n1="Stalls-A-1")))

    assert house.put(*wider) == {"A1": 1, "Balcony-A-1": 2, "Stalls-A-1": 3}
    with pytest.raises(LayoutRefused):
        lay_out(wider)


def test_labels_that_clash_are_named_with_their_place_in_the_plan() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2)))

    with pytest.raises(LayoutRefused) as refusal:
        house.plan(stalls(row("A", 1, 2, n2="X")), balcony(row("A", 5, n5="X")))

    [flaw] = refusal.value.errors
    assert (flaw.code, flaw.loc) == ("label_twice", ("sections", 1, "rows", 0, "seats", 0, "label"))
    assert flaw.message == 'Two seats have the label "X": Stalls-A-2 and Balcony-A-5.'


# --- who must not go -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "screenings", "told"),
    [
        (ClaimStatus.BOOKED, 1, ("booked", "Booked in screening 7.")),
        (ClaimStatus.HELD, 1, ("reserved", "Held in screening 7.")),
        (ClaimStatus.BLOCKED, 3, ("blocked", "Blocked in screening 7, and in use in 2 more.")),
    ],
)
def test_a_seat_in_use_does_not_go(status: ClaimStatus, screenings: int, told: tuple[str, str]) -> None:
    house = House()
    house.put(stalls(row("A", 1, 2, 3)))
    change = house.plan(stalls(row("A", 1)))
    in_use = {1: SeatInUse(1, status, 7), 3: SeatInUse(3, status, 7, screenings)}

    with pytest.raises(LayoutInUse) as refusal:
        must_leave_alone(change.gone, in_use)

    assert [(seat.seat_id, seat.label, seat.status, seat.reason) for seat in refusal.value.seats] == [(3, "A3", *told)]


def test_what_stands_on_seats_that_stay_does_not_matter() -> None:
    house = House()
    house.put(stalls(row("A", 1, 2)))

    must_leave_alone(house.plan(stalls(row("A", 1))).gone, {1: SeatInUse(1, ClaimStatus.BOOKED, 7)})


# --- whatever organizers do ------------------------------------------------------------------------------------------

LABELS = st.none() | st.sampled_from(["A1", "A2", "Box", "S-A-1", "T-A-2"])
SEATS = st.dictionaries(
    st.tuples(st.sampled_from("ST"), st.sampled_from("AB"), st.integers(1, 3)), LABELS, min_size=1, max_size=8
)


def sections_of(seats: Mapping[Place, str | None]) -> list[SectionPlan]:
    """A plan of these seats, in this order, each with its label."""
    return [section(name, RowPlan(row, [SeatPlan(number, label)])) for (name, row, number), label in seats.items()]


def put(house: House, seats: Mapping[Place, str | None]) -> bool:
    """Rebuild, if that is possible."""
    try:
        house.put(*sections_of(seats))
    except LayoutRefused:
        return False
    return True


def places_of(seats: Iterable[Seat]) -> dict[int, Place]:
    return {seat.id: (seat.section, seat.row, seat.number) for seat in seats}


@given(st.lists(SEATS, min_size=1, max_size=6))
def test_every_seat_is_one_seat_with_one_label_and_none_is_lost(plans: Sequence[Mapping[Place, str | None]]) -> None:
    house = House()
    for seats in plans:
        before = set(places_of(house.layout.seats)) | set(house.layout.former)
        if not put(house, seats):
            continue
        here = [seat.id for seat in house.layout.seats]

        assert list(places_of(house.layout.seats).values()) == list(seats)
        assert len({seat.label for seat in house.layout.seats}) == len(here) == len(set(here))
        assert set(house.layout.former) == set(house.former) == (before | set(here)) - set(here)
        assert all(seat.label == given for seat, given in zip(house.layout.seats, seats.values(), strict=True) if given)


@given(st.lists(SEATS, min_size=1, max_size=4), st.sampled_from([0, -1]))
def test_the_same_plan_again_changes_nothing(plans: Sequence[Mapping[Place, str | None]], at: int) -> None:
    house = House()
    done = [seats for seats in plans if put(house, seats)]
    if not done:
        return
    before = house.layout.seats

    assert put(house, done[-1])

    assert house.layout.seats == before


@given(st.lists(SEATS, min_size=1, max_size=4), SEATS)
def test_what_is_added_without_a_label_changes_no_other_seat(
    plans: Sequence[Mapping[Place, str | None]], more: Mapping[Place, str | None]
) -> None:
    """Default labels may clash as they like: whoever is there keeps the label that they have."""
    house = House()
    done = [seats for seats in plans if put(house, seats)]
    if not done:
        return
    before = {seat.id: seat for seat in house.layout.seats}

    if put(house, {**dict.fromkeys(more), **done[-1]}):
        assert {seat.id: seat for seat in house.layout.seats if seat.id in before} == before


@given(st.lists(SEATS, min_size=1, max_size=4), st.sets(st.integers(1, 12)))
def test_whoever_goes_for_a_while_comes_back_as_before(
    plans: Sequence[Mapping[Place, str | None]], out: set[int]
) -> None:
    house = House()
    done = [seats for seats in plans if put(house, seats)]
    if not done:
        return
    before = house.layout.seats
    fewer = {place: label for (place, label), seat in zip(done[-1].items(), before, strict=True) if seat.id not in out}
    if not fewer or not put(house, fewer):
        return

    assert put(house, done[-1])

    assert house.layout.seats == before
