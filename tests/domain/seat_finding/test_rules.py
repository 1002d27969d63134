"""Best available, the orphan rule and suggestions, each rule by an example that people can draw."""

import pytest

from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.orphans import OrphanRule, refuses, stranded
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.suggestions import suggestions
from app.domain.seat_finding.wishes import Found, NotEnough, Together, Wish
from app.domain.seats import Layout, Point, Seat

LENIENT, STRICT, OFF = OrphanRule.LENIENT, OrphanRule.STRICT, OrphanRule.OFF


class House:
    """Rows of one section, drawn: "." is free, "x" taken, "w" and "c" are free places for wheelchair users and company,
    "g" is a free seat of another category; a space is an aisle. The row in front comes first, and the seats are named
    a1, a2 ... from the left.
    """

    def __init__(self, *rows: str, focal_point: Point | None = None) -> None:
        seats: list[Seat] = []
        self.taken: set[int] = set()
        for y, row in enumerate(rows):
            name = "abcdef"[y]
            for x, sign in enumerate(row):
                if sign == " ":
                    continue
                number = sum(seat.row == name for seat in seats) + 1
                if sign == "x":
                    self.taken.add(len(seats) + 1)
                seats.append(
                    Seat(
                        len(seats) + 1,
                        f"{name}{number}",
                        "S",
                        name,
                        number,
                        "gold" if sign == "g" else "silver",
                        accessible=sign == "w",
                        companion=sign == "c",
                        x=float(x),
                        y=float(y),
                    )
                )
        self.picture = Picture(Layout(1, 1, tuple(seats), focal_point=focal_point))
        self.free = self.picture.free(self.taken)

    def mask(self, labels: str) -> int:
        return self.picture.mask(self.ids(labels))

    def ids(self, labels: str) -> list[int]:
        return [self.picture.layout.by_label[label].id for label in labels.split()]

    def best(self, count: int, accessible: int = 0, together: Together = Together.PREFERRED) -> str | NotEnough:
        answer = best_available(self.picture, self.free, Wish(count, accessible=accessible, together=together))
        return answer if isinstance(answer, NotEnough) else names(answer.seats)

    def is_refused(self, labels: str, rule: OrphanRule) -> bool:
        return refuses(self.picture, self.free, self.mask(labels), rule)

    def stranded(self, labels: str, rule: OrphanRule) -> str:
        return names(stranded(self.picture, self.free, self.mask(labels), rule))

    def suggestions(self, labels: str) -> list[str]:
        return [names(block) for block in suggestions(self.picture, self.free, self.ids(labels))]


def names(seats: tuple[Seat, ...]) -> str:
    return " ".join(seat.label for seat in seats)


# --- best available --------------------------------------------------------------------------------------------------


def test_the_middle_of_the_front_comes_first() -> None:
    assert House(".......", ".......").best(3) == "a3 a4 a5"


def test_the_focal_point_says_where_the_middle_is() -> None:
    assert House(".....", ".....", focal_point=Point(4, 1)).best(2) == "b4 b5"


def test_of_two_blocks_that_are_equally_near_the_lowest_positions_count() -> None:
    assert House("..x..").best(2) == "a1 a2"


def test_a_block_that_strands_nobody_comes_before_a_nearer_one() -> None:
    assert House("xx...xx", ".......").best(2) == "b3 b4"


def test_a_block_that_strands_somebody_is_better_than_none() -> None:
    assert House("xx...xx").best(2) == "a3 a4"


def test_no_block_goes_across_an_aisle() -> None:
    assert House("... ...", "xxxx...").best(4) == "a2 a3 b5 b6"


def test_two_rows_are_shared_as_equally_as_possible() -> None:
    assert House("...x...", "..xxx..").best(4) == "a2 a3 b1 b2"
    assert House("...x...", "..xxx..").best(5) == "a1 a2 a3 b1 b2"


def test_of_four_nobody_sits_alone_in_a_row_of_their_own() -> None:
    assert House("...x.", "x.x.x", "xxxxx", "..xxx").best(4) == "a1 a2 d1 d2"


def test_here_and_there_as_few_as_possible_sit_alone_then_near_each_other() -> None:
    assert House("..xxxx..", "xxxxxxxx", "x..xx.xx").best(4) == "a1 a2 c2 c3"


def test_who_must_sit_together_gets_one_block_or_nothing() -> None:
    assert House("..x..", ".....").best(5, together=Together.REQUIRED) == "b1 b2 b3 b4 b5"
    assert House("..x..", "..x..").best(3, together=Together.REQUIRED) == NotEnough(8, 2)


def test_nothing_is_found_where_too_few_are_free() -> None:
    assert House("..x.x").best(4) == NotEnough(3, 2)


def test_places_for_wheelchair_users_are_not_counted_for_others() -> None:
    assert House("wc.", "xxw").best(2) == NotEnough(1, 1)


def test_reserved_places_that_are_released_are_for_everybody() -> None:
    house = House("wc.")

    answer = best_available(house.picture, house.free, Wish(3), released=True)

    assert isinstance(answer, Found)
    assert names(answer.seats) == "a1 a2 a3"


def test_company_sits_beside_the_wheelchair_then_as_near_as_possible() -> None:
    assert House(".w.wc.", "......").best(2, accessible=1) == "a4 a5"
    assert House(".w.wc.", "......").best(3, accessible=1) == "a3 a4 a5"
    assert House("w.xxcwc").best(4, accessible=2) == "a1 a5 a6 a7"


def test_seats_that_need_a_block_of_their_own_may_all_be_nearer_than_those_in_the_row() -> None:
    assert House("ww.. ..", "......").best(5, accessible=1) == "a2 a3 b1 b2 b3"


def test_a_seat_that_joins_two_blocks_comes_before_a_nearer_one() -> None:
    assert House("xw.wx", ".....").best(3, accessible=2) == "a2 a3 a4"
    assert House("w..wx", ".....").best(4, accessible=2) == "a1 a2 a3 a4"


def test_one_companion_place_may_be_beside_two_wheelchairs_but_more_company_comes_first() -> None:
    assert House("wcw", "cw cw").best(4, accessible=2) == "a2 a3 b1 b2"
    assert House("wcw", "cw cw").best(3, accessible=2) == "a1 a2 a3"


def test_who_needs_more_wheelchair_places_than_there_are_is_told_how_many_there_are() -> None:
    assert House("w.w..").best(4, accessible=3) == NotEnough(2, 1)


# --- the orphan rule -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "choice", "lenient", "strict"),
    [
        ("......", "a3 a4", "", ""),
        ("......", "a2 a3", "", "a1"),  # at the end of a row one may stay alone
        ("... ...", "a1 a2", "", "a3"),  # and beside an aisle
        ("x......", "a3 a4", "a2", "a2"),  # but a taken seat is no end
        ("......", "a1 a2 a4 a5", "a3", "a3 a6"),  # between two runs of one choice
        ("x.x...", "a4", "", ""),  # a2 was alone before
        ("x..w.x", "a2", "a3", "a3"),  # a wheelchair place is no neighbour
        ("x..g..x", "a2", "", ""),  # a seat of another category is
        ("x.c.w.x", "a3 a5", "", ""),  # reserved places are not asked about
    ],
)
def test_who_is_stranded_and_whom_the_rule_allows_to_be_left_alone(
    row: str, choice: str, lenient: str, strict: str
) -> None:
    house = House(row)

    assert house.stranded(choice, OFF) == ""
    assert house.stranded(choice, LENIENT) == lenient
    assert house.stranded(choice, STRICT) == strict


@pytest.mark.parametrize(
    ("rows", "choice", "lenient", "strict"),
    [
        (["x......"], "a3 a4", True, True),  # a2 a3 would do
        (["......"], "a2 a3", False, True),
        (["x...x"], "a2 a3", False, False),  # the last two that are side by side
        (["x...x", "xx..x"], "a2 a3", False, True),  # elsewhere there are others
        (["......"], "a1 a2 a4 a5", True, True),  # a2 a3 a4 a5 would do
        (["x...x", ".xxxx"], "a3", True, True),
        (["x.g.x", "....."], "a3", False, False),  # no other of this category
        (["x.g.x", "gg..."], "a3", False, True),
        (["x.g.g.x"], "a3 a4", True, True),  # a2 a3 would strand nobody
        (["x..gg"], "a3 a4", False, False),  # no other block has one of each
        (["x..w.x"], "a2", False, True),
    ],
)
def test_a_choice_is_refused_if_as_many_could_be_chosen_without_stranding_anybody(
    rows: list[str], choice: str, lenient: bool, strict: bool
) -> None:
    house = House(*rows)

    assert not house.is_refused(choice, OFF)
    assert house.is_refused(choice, LENIENT) is lenient
    assert house.is_refused(choice, STRICT) is strict


def test_what_the_caller_holds_already_is_not_free() -> None:
    house = House("x......")
    house.free &= ~house.mask("a3")

    assert house.stranded("a4", LENIENT) == ""  # a2 is alone already: they hold a3


# --- suggestions -----------------------------------------------------------------------------------------------------


def test_suggestions_strand_nobody_if_possible_then_they_are_near() -> None:
    assert House("..x.....").suggestions("a2 a3") == ["a1 a2", "a4 a5", "a7 a8"]
    assert House("x...x", "xx.xx").suggestions("b2 b3") == ["a2 a3", "a3 a4"]


def test_suggestions_have_as_many_seats_of_each_category_and_no_reserved_places() -> None:
    assert House("xxg..", "wg...", ".ggg.").suggestions("a2 a3") == ["b2 b3", "c1 c2", "c4 c5"]


def test_there_may_be_no_suggestion() -> None:
    assert House("x.x.").suggestions("a1 a2") == []
