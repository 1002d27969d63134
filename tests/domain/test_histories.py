"""Thousands of random evenings: whatever is asked for, in whatever order, at whatever moment, the promises are kept."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.domain.claims import ClaimStatus
from app.domain.commands import Command, Expire
from app.domain.decide import decide
from app.domain.house import Decision, House
from app.domain.refusals import Refusal
from app.domain.screenings import Limits
from tests.domain.houses import BOB, CAP, CLEO, HOLD, INSTANT, NOON, empty_house, picture_of
from tests.domain.promises import check_house
from tests.domain.steps import check_refusal, check_repeat, check_step, is_still_had, may_be_repeated
from tests.domain.wishes import MANY, NEW_PRICES, PASSINGS, NewPrice, Passing, Wish

LIMITS = st.builds(
    Limits,
    max_seats_per_reservation=st.sampled_from((None, 3)),
    max_seats_per_user=st.sampled_from((None, 4)),
    max_active_reservations_per_user=st.sampled_from((None, None, 1, 2)),
    bookings_per_user_per_day=st.sampled_from((None, None, 1, 2)),
)


class Evenings(RuleBasedStateMachine):
    """A house in which anybody asks for anything at any moment, and its twin, which is swept whenever a hold runs out.

    All that anybody can see of the two is the same: nothing correct waits for the sweeper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.house = empty_house()
        self.twin = empty_house()
        self.now = NOON
        self.numbers = count(1)
        self.had_since: dict[int, datetime] = {}

    @initialize(
        limits=LIMITS,
        cap=st.sampled_from((HOLD + timedelta(minutes=1), CAP)),
        sold_for=st.sampled_from((timedelta(minutes=20), timedelta(hours=8))),
        one_email=st.booleans(),
    )
    def open_the_house(self, limits: Limits, cap: timedelta, sold_for: timedelta, one_email: bool) -> None:
        self.change_screening(limits=limits, max_hold_seconds=cap.seconds, sales_close_at=NOON + sold_for)
        if one_email:
            for house in (self.house, self.twin):
                two_guests_are_one_buyer(house)

    @rule(wish=MANY.holds)
    def somebody_holds(self, wish: Wish) -> None:
        self.ask(wish)

    @rule(wish=MANY.toggles)
    def somebody_toggles(self, wish: Wish) -> None:
        self.ask(wish)

    @rule(wish=MANY.books)
    def somebody_books(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: self.house.reservations)
    @rule(wish=MANY.releases)
    def somebody_releases(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: self.house.reservations)
    @rule(wish=MANY.releases_of_all)
    def somebody_releases_everything(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: self.house.reservations)
    @rule(wish=MANY.extensions)
    def somebody_extends(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: self.house.reservations)
    @rule(wish=MANY.confirmations)
    def somebody_confirms(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: self.house.bookings)
    @rule(wish=MANY.cancellations)
    def somebody_cancels(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: self.house.reservations)
    @rule(wish=MANY.expiries)
    def the_sweeper_comes(self, wish: Wish) -> None:
        self.ask(wish)

    @rule(wish=MANY.blocks)
    def the_house_takes_seats_off_sale(self, wish: Wish) -> None:
        self.ask(wish)

    @rule(wish=MANY.unblocks)
    def the_house_puts_seats_back_on_sale(self, wish: Wish) -> None:
        self.ask(wish)

    @rule(wish=MANY.closings)
    def somebody_closes_the_screening(self, wish: Wish) -> None:
        self.ask(wish)

    @precondition(lambda self: len(self.house.reservations) + len(self.house.bookings) > 5)
    @rule(wish=MANY.closings)
    def the_screening_is_cancelled_and_closed(self, wish: Wish) -> None:
        self.change_screening(cancelled_at=self.house.screening.cancelled_at or self.now)
        self.ask(wish)

    @rule(passing=PASSINGS)
    def time_passes(self, passing: Passing) -> None:
        self.move_clock(self.now + passing.time)

    @precondition(lambda self: self.ends_to_come())
    @rule(nth=st.integers(0, 3), offset=st.sampled_from((-INSTANT, timedelta(0), INSTANT)))
    def time_passes_just_to_an_end(self, nth: int, offset: timedelta) -> None:
        ends = self.ends_to_come()
        self.move_clock(max(self.now, ends[nth % len(ends)] + offset))

    @rule(price=NEW_PRICES)
    def the_organizer_changes_a_price(self, price: NewPrice) -> None:
        prices = {**self.house.screening.prices, "standard": price.money}
        self.change_screening(prices=prices)

    @invariant()
    def all_promises_are_kept(self) -> None:
        check_house(self.house, self.now)
        check_house(self.twin, self.now)

    @invariant()
    def nobody_can_tell_whether_it_was_swept(self) -> None:
        assert seen_of(self.house, self.now) == seen_of(self.twin, self.now)

    @invariant()
    def holding_again_and_again_does_not_beat_the_cap(self) -> None:
        for seat_id, since in self.had_since.items():
            expires_at = self.house.claims[seat_id].expires_at
            assert expires_at is None or expires_at <= self.house.screening.latest_end(since)

    def ask(self, wish: Wish) -> None:
        """Decide in both houses, and hold what comes of it against everything that must be true of it."""
        new_id = self.new_id()
        command = wish.as_command(self.house, new_id)
        before = picture_of(self.house)
        answer = entered(self.house, command, self.now)
        if isinstance(answer, Refusal):
            assert self.house == before
            check_refusal(before, command, answer, self.now)
        else:
            check_step(before, command, self.house, self.now)
            if may_be_repeated(self.house, command):
                check_repeat(self.house, command, answer.outcome, self.new_id(), self.now)
        swept = entered(self.twin, command, self.now)
        assert type(swept) is type(answer)
        self.remember(before)

    def remember(self, before: House) -> None:
        """Since when each seat has been with the one who has it now."""
        old = {seat_id: claim for seat_id, claim in before.claims.items() if claim.is_live(self.now)}
        live = {seat_id: claim for seat_id, claim in self.house.claims.items() if claim.is_live(self.now)}
        self.had_since = {
            seat_id: self.had_since[seat_id]
            if seat_id in old and seat_id in self.had_since and is_still_had(old[seat_id], claim, self.now)
            else self.now
            for seat_id, claim in live.items()
            if claim.status is not ClaimStatus.BLOCKED
        }

    def move_clock(self, now: datetime) -> None:
        self.now = now
        before = picture_of(self.house)
        entered(self.twin, Expire(tuple(self.twin.reservations)), now)
        self.remember(before)

    def change_screening(self, **changes: Any) -> None:
        self.house.screening = self.twin.screening = replace(self.house.screening, **changes)

    def ends_to_come(self) -> list[datetime]:
        ends = {claim.expires_at for claim in self.house.claims.values() if claim.expires_at is not None}
        return sorted(end for end in ends if end > self.now)

    def new_id(self) -> UUID:
        return UUID(int=next(self.numbers))


def two_guests_are_one_buyer(house: House) -> None:
    """Bob and Cleo are guests with the same email."""
    same, usage = frozenset((BOB.id, CLEO.id)), house.usage[BOB.id]
    house.same_buyer = dict.fromkeys(same, same)
    house.usage = {**house.usage, CLEO.id: usage}


def entered(house: House, command: Command, now: datetime) -> Decision | Refusal:
    """What is decided, taken in; or why not. Deciding changes nothing by itself."""
    before = picture_of(house)
    try:
        decision = decide(house, command, now)
    except Refusal as refusal:
        return refusal
    finally:
        assert house == before
    house.apply(decision)
    return decision


def seen_of(house: House, now: datetime) -> tuple[object, ...]:
    """All that can be seen of a house at a moment, but for the versions in which it came about."""
    return (
        {seat_id: claim for seat_id, claim in house.claims.items() if claim.is_live(now)},
        {
            each.id: replace(each, status=each.status_at(now), version=0, left=dict(each.left))
            for each in house.reservations.values()
        },
        {each.id: replace(each, version=0) for each in house.bookings.values()},
    )


# Only when it fails: Hypothesis then looks for the shortest history that does.
pytestmark = pytest.mark.timeout(600)

TestEvenings = Evenings.TestCase
TestEvenings.settings = settings(max_examples=500, stateful_step_count=40, deadline=None)
