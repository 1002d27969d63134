"""Random evenings: whatever is asked for, in whatever order and at whatever moment, the promises are kept."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.domain.box_office.commands import Cancel, Command, Confirm, Expire, Extend, Release, ReleaseAll, Toggle
from app.domain.box_office.decide import decide
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.claims import ClaimStatus
from app.domain.refusals import Refusal
from app.domain.reservations import ReservationStatus
from app.domain.screenings import Limits
from tests.domain.promises import check_house
from tests.domain.states import BOB, CAP, CLEO, HOLD, INSTANT, NOON, empty_house, picture_of
from tests.domain.steps import check_refusal, check_repeat, check_step, given_back_by, is_still_had, may_be_repeated
from tests.domain.wishes import MANY, NEW_PRICES, PASSINGS, Kind, NewPrice, Passing, Wish

LIMITS = st.just(Limits()) | st.builds(
    Limits,
    max_seats_per_reservation=st.sampled_from((None, 3)),
    max_seats_per_user=st.sampled_from((None, 4)),
    max_active_reservations_per_user=st.sampled_from((None, None, 1, 2)),
    bookings_per_user_per_day=st.sampled_from((None, None, 1, 2)),
)


@dataclass(frozen=True, slots=True)
class ToAnEnd:
    """Time passes to the `nth` end of a hold that is to come, or to just before or after it."""

    nth: int
    offset: timedelta


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The organizer cancels the screening."""


TAKING = MANY.holds | MANY.toggles | MANY.books
GOING_ON = MANY.extensions | MANY.confirmations
GIVING_BACK = MANY.releases | MANY.cancellations | MANY.exchanges | MANY.releases_of_all
HANDING_OVER = MANY.offers | MANY.offers | MANY.acceptances | MANY.acceptances | MANY.withdrawals
TIDYING = MANY.blocks | MANY.unblocks | MANY.unblocks | MANY.expiries | MANY.closings
TO_AN_END = st.builds(ToAnEnd, st.integers(0, 3), st.sampled_from((-INSTANT, timedelta(0), INSTANT)))
# One rule for all of them, by weight: of several rules Hypothesis would leave some out of each history.
GOING = (GOING_ON, GOING_ON, GIVING_BACK, HANDING_OVER, TIDYING)
LIFE = (TAKING, TAKING, TAKING, TAKING, *GOING, PASSINGS, PASSINGS, TO_AN_END)
EDITS = NEW_PRICES | NEW_PRICES | st.just(Cancellation())
EVENTS = st.integers(0, len(LIFE)).flatmap((*LIFE, EDITS).__getitem__)


class Evenings(RuleBasedStateMachine):
    """A house in which anybody asks for anything at any moment, and its twin, which is swept whenever a hold runs out.

    All that anybody can see of the two is the same: nothing correct waits for the sweeper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.state = empty_house()
        self.twin = empty_house()
        self.now = NOON
        self.numbers = count(1)
        self.had_since: dict[int, datetime] = {}
        self.given_back: dict[tuple[int, int], datetime] = {}

    @initialize(
        limits=LIMITS,
        cap=st.sampled_from((HOLD + timedelta(minutes=1), CAP)),
        sold_for=st.sampled_from((timedelta(minutes=20), timedelta(hours=1), timedelta(hours=8))),
        one_email=st.booleans(),
        so_far=st.lists(TAKING, max_size=5),
    )
    def open_the_house(
        self, limits: Limits, cap: timedelta, sold_for: timedelta, one_email: bool, so_far: list[Wish]
    ) -> None:
        self.change_screening(limits=limits, max_hold_seconds=cap.seconds, sales_close_at=NOON + sold_for)
        if one_email:
            for state in (self.state, self.twin):
                two_guests_are_one_buyer(state)
        for wish in so_far:
            self.ask(wish)

    @rule(event=EVENTS)
    def something_happens(self, event: Wish | Passing | ToAnEnd | NewPrice | Cancellation) -> None:
        match event:
            case Wish():
                self.ask(event)
            case Passing(time):
                self.move_clock(self.now + time)
            case ToAnEnd(nth, offset):
                if ends := self.ends_to_come():
                    self.move_clock(max(self.now, ends[nth % len(ends)] + offset))
            case NewPrice(money):
                self.change_screening(prices={**self.state.screening.prices, "standard": money})
            case Cancellation() if len(self.state.reservations) > 4:
                self.change_screening(cancelled_at=self.state.screening.cancelled_at or self.now)
                self.ask(Wish(Kind.CLOSE))

    @invariant()
    def all_promises_are_kept(self) -> None:
        check_house(self.state, self.now)
        check_house(self.twin, self.now)

    @invariant()
    def nobody_can_tell_whether_it_was_swept(self) -> None:
        assert seen_of(self.state, self.now) == seen_of(self.twin, self.now)

    @invariant()
    def holding_again_and_again_does_not_beat_the_cap(self) -> None:
        for seat_id, since in self.had_since.items():
            expires_at = self.state.claims[seat_id].expires_at
            assert expires_at is None or expires_at <= self.state.screening.latest_end(since)

    def ask(self, wish: Wish) -> None:
        """Decide in both houses, and hold what comes of it against everything that must be true of it."""
        new_id = self.new_id()
        command = wish.as_command(self.state, new_id)
        before = picture_of(self.state)
        answer = entered(self.state, command, self.now)
        if isinstance(answer, Refusal):
            assert self.state == before
            check_refusal(before, command, answer, self.now)
        else:
            check_step(before, command, self.state, self.now)
            self.check_given_back(before, command)
            if may_be_repeated(self.state, command):
                check_repeat(self.state, command, answer.outcome, self.new_id(), self.now)
        swept = entered(self.twin, command, self.now)
        assert type(swept) is type(answer)
        self.remember(before)

    def check_given_back(self, before: ScreeningState, command: Command) -> None:
        """What somebody gave back is not taken for them again, unless they ask for that very seat anew."""
        if isinstance(command, Confirm | Extend) and not self.state.screening.cancelled_at:
            late = before.reservations[command.reservation_id]
            if late.status_at(self.now) is ReservationStatus.EXPIRED:
                # An older hold of the seat may be given back as well: that says nothing of this one.
                mine = (self.given_back.get((late.user_id, seat_id)) for seat_id in late.prices)
                assert not any(since is not None and since >= late.expires_at for since in mine)
        owner_id = owner_of(before, command)
        if owner_id is not None and self.state.version != before.version:  # again, it gives nothing back
            since = had_since(before, command, self.now)
            for seat_id in given_back_by(before, command, self.now):
                self.given_back[owner_id, seat_id] = max(since, self.given_back.get((owner_id, seat_id), since))
        for claim in self.state.claims.values():
            if claim.user_id is not None and claim.is_live(self.now):
                self.given_back.pop((claim.user_id, claim.seat_id), None)

    def remember(self, before: ScreeningState) -> None:
        """Since when each seat has been with the one who has it now."""
        old = {seat_id: claim for seat_id, claim in before.claims.items() if claim.is_live(self.now)}
        live = {seat_id: claim for seat_id, claim in self.state.claims.items() if claim.is_live(self.now)}
        self.had_since = {
            seat_id: self.had_since[seat_id]
            if seat_id in old and seat_id in self.had_since and is_still_had(old[seat_id], claim, self.now)
            else self.now
            for seat_id, claim in live.items()
            if claim.status is not ClaimStatus.BLOCKED
        }

    def move_clock(self, now: datetime) -> None:
        self.now = now
        before = picture_of(self.state)
        entered(self.twin, Expire(tuple(self.twin.reservations)), now)
        self.remember(before)

    def change_screening(self, **changes: Any) -> None:
        self.state.screening = self.twin.screening = replace(self.state.screening, **changes)

    def ends_to_come(self) -> list[datetime]:
        ends = {claim.expires_at for claim in self.state.claims.values() if claim.expires_at is not None}
        return sorted(end for end in ends if end > self.now)

    def new_id(self) -> UUID:
        return UUID(int=next(self.numbers))


def two_guests_are_one_buyer(state: ScreeningState) -> None:
    """Bob and Cleo are guests with the same email."""
    same, usage = frozenset((BOB.id, CLEO.id)), state.usage[BOB.id]
    state.same_buyer = dict.fromkeys(same, same)
    state.usage = {**state.usage, CLEO.id: usage}


def owner_of(state: ScreeningState, command: Command) -> int | None:
    """Whose seats a command gives back; None if it gives nothing back for anybody."""
    match command:
        case Toggle(buyer) | ReleaseAll(buyer):
            return buyer.id
        case Release(_, reservation_id):
            return state.reservations[reservation_id].user_id
        case Cancel(_, booking_id):
            return state.bookings[booking_id].user_id
        case _:
            return None


def had_since(state: ScreeningState, command: Command, now: datetime) -> datetime:
    """When it was held or booked, what a command gives back."""
    match command:
        case Release(_, reservation_id):
            return state.reservations[reservation_id].created_at
        case Cancel(_, booking_id):
            return state.bookings[booking_id].created_at
        case _:
            return now


def entered(state: ScreeningState, command: Command, now: datetime) -> Decision | Refusal:
    """What is decided, taken in; or why not. Deciding changes nothing by itself."""
    before = picture_of(state)
    try:
        decision = decide(state, command, now)
    except Refusal as refusal:
        return refusal
    finally:
        assert state == before
    state.apply(decision, now)
    return decision


def seen_of(state: ScreeningState, now: datetime) -> tuple[object, ...]:
    """All that can be seen of a house at a moment, but for the versions in which it came about."""
    return (
        {seat_id: claim for seat_id, claim in state.claims.items() if claim.is_live(now)},
        {
            each.id: replace(each, status=each.status_at(now), version=0, left=dict(each.left))
            for each in state.reservations.values()
        },
        {each.id: replace(each, version=0) for each in state.bookings.values()},
        dict(state.transfers),
    )


# Only when it fails: Hypothesis then looks for the shortest history that does.
pytestmark = pytest.mark.timeout(600)

TestEvenings = Evenings.TestCase
TestEvenings.settings = settings(max_examples=400, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
