"""The orphan rule, and what it suggests: what looking at every choice finds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.seat_finding.orphans import OrphanRule, refuses, stranded
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.suggestions import suggestions
from app.domain.seats import Layout
from tests.domain.seat_finding.by_hand import ByHand
from tests.domain.seat_finding.houses import HOUSES, free_in, some_of

RULES = st.sampled_from(OrphanRule)
MANY = settings(max_examples=150)


def mask(picture: Picture, positions: frozenset[int]) -> int:
    return picture.mask(picture.layout.seats[at].id for at in positions)


@MANY
@given(HOUSES, RULES, st.booleans(), st.data())
def test_a_choice_is_refused_if_each_run_could_have_been_chosen_otherwise(
    layout: Layout, rule: OrphanRule, released: bool, data: st.DataObject
) -> None:
    free = data.draw(free_in(layout))
    chosen = data.draw(some_of(free))
    picture, by_hand = Picture(layout), ByHand(layout, free, released)

    left = stranded(picture, mask(picture, free), mask(picture, chosen), rule, released=released)
    refused = refuses(picture, mask(picture, free), mask(picture, chosen), rule, released=released)

    assert [layout.seats.index(seat) for seat in left] == sorted(by_hand.left_alone(chosen, rule))
    assert refused is by_hand.refuses(chosen, rule)
    assert left or not refused


@given(HOUSES, RULES, st.data())
def test_the_last_seats_can_always_be_sold(layout: Layout, rule: OrphanRule, data: st.DataObject) -> None:
    free = data.draw(free_in(layout))
    picture, by_hand = Picture(layout), ByHand(layout, free)

    for size in range(1, 5):
        blocks = by_hand.blocks(size, by_hand.ordinary)
        refused = [refuses(picture, mask(picture, free), mask(picture, each), rule) for each in blocks]

        assert not blocks or not all(refused)


@MANY
@given(HOUSES, st.booleans(), st.data())
def test_suggestions_are_the_blocks_that_sorting_all_of_them_finds(
    layout: Layout, released: bool, data: st.DataObject
) -> None:
    free = data.draw(free_in(layout))
    wanted = data.draw(st.sets(st.integers(0, len(layout.seats) - 1), min_size=1, max_size=4).map(frozenset))
    picture = Picture(layout)

    found = suggestions(picture, mask(picture, free), [layout.seats[at].id for at in wanted], released=released)

    by_hand = ByHand(layout, free, released)
    assert [[layout.seats.index(seat) for seat in each] for each in found] == [
        sorted(each) for each in by_hand.suggestions(wanted)
    ]


@MANY
@given(HOUSES, RULES, st.data())
def test_given_seats_are_free_but_no_choice(layout: Layout, rule: OrphanRule, data: st.DataObject) -> None:
    free = data.draw(free_in(layout))
    chosen = data.draw(some_of(free))
    given_back = data.draw(some_of(frozenset(range(len(layout.seats))) - free))
    picture, by_hand = Picture(layout), ByHand(layout, free | given_back)

    refused = refuses(
        picture,
        mask(picture, free | given_back),
        mask(picture, chosen),
        rule,
        given=mask(picture, given_back),
    )

    assert refused is by_hand.refuses(chosen, rule, given_back)
