"""Random lives of money, against a plain bank: whatever is asked for, charged, declined, late, cancelled, handed over.

In any order, everybody has their seats and has paid for them once, or has neither.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.domain.bookings import Booking, BookingStatus
from app.domain.box_office.commands import BeginBuying, BeginPaying, Book, Cancel, Close
from app.domain.box_office.outcomes import Paying
from app.domain.box_office.screening_state import Decision
from app.domain.money import Money
from app.domain.payments import Giving, Payment, PaymentState
from app.domain.people.people import Person
from app.domain.refusals import Refusal
from app.domain.reservations import ReservationStatus
from tests.domain.promises import check_house
from tests.domain.states import ANN, BOB, CLEO, LAYOUT, ORGANIZER, Evening, named
from tests.domain.wishes import up_to_three

T = TypeVar("T")

BUYERS = st.sampled_from((ANN, BOB, CLEO))
SEATS = up_to_three(("A1", "A2", "A3", "A4", "A5", "A6"))
NTH, BOOL = st.integers(0, 7), st.booleans()
AT_THE_BANK = st.sampled_from(("it decides", "we hear", "it decides", "we hear", "we hear again", "it is called off"))
HANDING_OVER = st.sampled_from(("book", "offer", "accept", "offer", "accept", "withdraw", "cancel", "pay more"))
UNDECIDED, CAPTURED, FAILED, VOIDED = "undecided", PaymentState.CAPTURED, PaymentState.FAILED, PaymentState.VOIDED


@dataclass(slots=True)
class Account:
    """What a bank knows of one charge."""

    payment: Payment
    is_stubborn: bool
    status: str = UNDECIDED
    taken: Money = field(default_factory=lambda: Money(0, "EUR"))
    is_told: bool = False

    @property
    def may_be_decided(self) -> bool:
        return self.status == UNDECIDED or (self.is_stubborn and self.status == VOIDED)


class Lives(RuleBasedStateMachine):
    """A house in which everybody pays at a bank."""

    def __init__(self) -> None:
        super().__init__()
        self.evening = Evening()
        self.bank: dict[UUID, Account] = {}
        self.given_back: dict[UUID, int] = {}

    # --- buyers

    @rule(buyer=BUYERS, labels=SEATS)
    def hold(self, buyer: Person, labels: tuple[str, ...]) -> None:
        self.attempt(lambda: self.evening.hold(buyer, *labels))

    @rule(buyer=BUYERS, labels=SEATS)
    def toggle(self, buyer: Person, labels: tuple[str, ...]) -> None:
        self.attempt(lambda: self.evening.toggle(buyer, *labels))

    @rule(nth=NTH, what=st.sampled_from(("extend", "release")))
    def change(self, nth: int, what: str) -> None:
        if reservation := _nth(self.evening.state.reservations, nth):
            owner = Person(reservation.user_id)
            change = self.evening.extend if what == "extend" else self.evening.release
            self.attempt(lambda: change(owner, reservation))

    @rule(buyer=BUYERS)
    def release_everything(self, buyer: Person) -> None:
        self.evening.release_all(buyer)

    @rule(nth=NTH, is_stubborn=st.booleans())
    def pay(self, nth: int, is_stubborn: bool) -> None:
        if reservation := _nth(self.evening.state.reservations, nth):
            begin = BeginPaying(Person(reservation.user_id), reservation.id, self.evening.attempt())
            self.attempt(lambda: self.open(self.evening.ask(begin), is_stubborn))

    @rule(buyer=BUYERS, labels=SEATS, is_stubborn=st.booleans())
    def buy(self, buyer: Person, labels: tuple[str, ...], is_stubborn: bool) -> None:
        begin = BeginBuying(buyer, named(*labels), self.evening.new_id(), self.evening.attempt())
        self.attempt(lambda: self.open(self.evening.ask(begin), is_stubborn))

    @rule(buyer=BUYERS, labels=SEATS)
    def book_at_once(self, buyer: Person, labels: tuple[str, ...]) -> None:
        at_once = Book(buyer, named(*labels), self.evening.new_id(), "paid")
        self.attempt(lambda: self.evening.ask(at_once))  # whoever is paying for exactly these is told so

    @rule(nth=NTH, one=st.booleans(), by_the_house=st.booleans())
    def cancel(self, nth: int, one: bool, by_the_house: bool) -> None:
        booking = _nth(self.evening.state.bookings, nth)
        if booking is None:
            return
        asker = ORGANIZER if by_the_house else Person(booking.user_id)
        seat_id = next(iter(booking.prices)) if one else None
        self.attempt(lambda: self.take_in(self.evening.ask(Cancel(asker, booking.id, seat_id))))

    # --- seats change hands. One rule for all of that: of many Hypothesis would leave some out of each life.

    @rule(buyer=BUYERS, labels=SEATS, nth=NTH, one=st.booleans(), steps=st.lists(HANDING_OVER, min_size=1, max_size=5))
    def hand_over(self, buyer: Person, labels: tuple[str, ...], nth: int, one: bool, steps: list[str]) -> None:
        for step in steps:
            booking = _nth(self.evening.state.bookings, nth)
            transfer = _nth(self.evening.state.transfers, 0)
            if step == "book":
                at_once = Book(buyer, named(*labels), self.evening.new_id(), "paid")
                self.attempt(lambda at_once=at_once: self.evening.ask(at_once))
            elif step == "accept" and transfer is not None:
                self.attempt(lambda transfer=transfer: self.evening.accept(buyer, transfer))
            elif step == "withdraw" and transfer is not None:
                giver = Person(self.evening.state.bookings[transfer.booking_id].user_id)
                self.attempt(lambda giver=giver, transfer=transfer: self.evening.withdraw(giver, transfer))
            elif step == "offer" and booking is not None:
                seats = [LAYOUT.label_of(seat_id) for seat_id in booking.prices][: 1 if one else None]
                self.attempt(lambda booking=booking, seats=seats: self.evening.offer(_owner(booking), booking, *seats))
            elif step == "cancel" and booking is not None:
                cancelling = Cancel(_owner(booking), booking.id, next(iter(booking.prices)) if one else None)
                self.attempt(lambda cancelling=cancelling: self.take_in(self.evening.ask(cancelling)))
            elif step == "pay more" and booking is not None and booking.status is BookingStatus.CONFIRMED:
                self.pay_more(booking)

    def pay_more(self, booking: Booking) -> None:
        """As if one of the seats were a dearer one: a second payment stands behind the booking, and not behind those to
        which seats went before."""
        more = Money(700, "EUR")
        seat_id, price = next(iter(booking.prices.items()))
        dearer = {**booking.prices, seat_id: Money(price.amount_minor + more.amount_minor, "EUR")}
        amount = Money(booking.payment.amount.amount_minor + more.amount_minor, "EUR")
        self.evening.state.bookings[booking.id] = replace(
            booking, prices=dearer, payment=replace(booking.payment, amount=amount)
        )
        payment = Payment(
            id=self.evening.new_id(),
            user_id=booking.user_id,
            reservation_id=None,
            provider="dummy",
            status=PaymentState.CAPTURED,
            amount=more,
            created_at=self.evening.now,
            booking_id=booking.id,
            captured_minor=more.amount_minor,
        )
        self.evening.state.payments[payment.id] = payment

    @precondition(lambda self: self.evening.state.bookings)
    @rule(
        nth=NTH,
        count=st.integers(1, 3),
        skip=NTH,
        slowly=st.sampled_from((True, True, False)),
        is_stubborn=BOOL,
        then=BOOL,
    )
    def exchange(self, nth: int, count: int, skip: int, slowly: bool, is_stubborn: bool, then: bool) -> None:
        """Seats of a booking for as many that its owner may have, as far as there are so many. What is more is paid
        then, or later."""
        booking = _nth(self.evening.state.bookings, nth)
        assert booking is not None
        asker = ORGANIZER if skip == 0 else Person(booking.user_id)
        had = [LAYOUT.label_of(seat_id) for seat_id in booking.prices]
        others = sorted((self.evening.free() | self.evening.held_by(Person(booking.user_id))).difference(had))
        others = others[skip % len(others) :] + others[: skip % len(others)] if others else ["A1"]
        count = min(count, len(had), len(others))
        give, take = " ".join(had[-count:]), " ".join(others[:count])
        command = self.evening.exchanging(asker, booking, give, take, slowly=slowly)
        self.attempt(lambda: self.take_in(self.open(self.evening.ask(command), is_stubborn)))
        if then:
            self.is_paid(0, is_exchange)

    @precondition(lambda self: self.exchanging())
    @rule(nth=NTH, whole=st.booleans())
    def what_is_given_is_cancelled(self, nth: int, whole: bool) -> None:
        """While a difference is paid."""
        given = self.exchanging()
        giving = given[nth % len(given)]
        owner = Person(self.evening.state.bookings[giving.booking_id].user_id)
        seat_id = None if whole else next(iter(giving.prices))
        self.attempt(lambda: self.take_in(self.evening.ask(Cancel(owner, giving.booking_id, seat_id))))

    # --- the bank, and what we hear of it

    @precondition(lambda self: self.bank)
    @rule(nth=NTH, step=AT_THE_BANK, captures=st.booleans(), wrong=st.integers(0, 5))
    def at_the_bank(self, nth: int, step: str, captures: bool, wrong: int) -> None:
        if step == "it decides":
            self.the_bank_decides(nth, captures, wrong == 1)
        elif step == "it is called off":
            self.it_is_called_off(nth)
        else:
            self.we_hear_of_it(nth, step == "we hear again")

    def the_bank_decides(self, nth: int, captures: bool, wrong: bool) -> None:
        account = self.account(nth, lambda each: each.may_be_decided)
        if account is None:
            return
        account.status = CAPTURED if captures or account.is_stubborn else FAILED
        account.is_told = False
        if account.status == CAPTURED:
            account.taken = Money(1, "EUR") if wrong else account.payment.amount

    def we_hear_of_it(self, nth: int, again: bool) -> None:
        account = self.account(nth, lambda each: each.status != UNDECIDED and (again or not each.is_told))
        if account:
            status = PaymentState(account.status)
            amount = account.taken if status is CAPTURED else None
            self.take_in(self.evening.settle(account.payment, status, amount))
            account.is_told = True

    def it_is_called_off(self, nth: int) -> None:
        account = self.account(nth, lambda each: each.status == UNDECIDED)
        if account:
            account.status = VOIDED
            self.take_in(self.evening.settle(account.payment, VOIDED))

    @precondition(lambda self: self.bank)
    @rule(nth=NTH)
    def one_is_paid(self, nth: int) -> None:
        """And we hear of it at once, as mostly."""
        self.is_paid(nth, lambda payment: True)

    @precondition(lambda self: self.exchanging())
    @rule(nth=NTH)
    def a_difference_is_paid(self, nth: int) -> None:
        self.is_paid(nth, is_exchange)

    def is_paid(self, nth: int, which: Callable[[Payment], bool]) -> None:
        account = self.account(nth, lambda each: each.may_be_decided and which(each.payment))
        if account:
            account.status, account.taken, account.is_told = CAPTURED, account.payment.amount, True
            self.take_in(self.evening.settle(account.payment, CAPTURED))

    # --- time, and the house

    @rule(prices=st.sampled_from(((2500, 7000), (9900, 7000), (0, 100))))
    def prices_change(self, prices: tuple[int, int]) -> None:
        standard, box = (Money(each, "EUR") for each in prices)
        self.evening.change_screening(prices={"standard": standard, "box": box})

    @rule(minutes=st.sampled_from((0.5, 1, 4, 5, 16)))
    def time_passes(self, minutes: float) -> None:
        self.evening.wait(timedelta(minutes=minutes))

    @rule()
    def sweep(self) -> None:
        self.evening.sweep()

    @precondition(lambda self: len(self.evening.state.reservations) > 8)
    @rule()
    def the_screening_is_cancelled(self) -> None:
        self.evening.change_screening(cancelled_at=self.evening.state.screening.cancelled_at or self.evening.now)
        state = self.evening.state
        self.take_in(self.evening.ask(Close(ORGANIZER, tuple(state.reservations), tuple(state.bookings))))

    # --- what is always so

    @invariant()
    def the_house_is_right(self) -> None:
        check_house(self.evening.state, self.evening.now)

    @invariant()
    def what_was_taken_is_sold_or_goes_back(self) -> None:
        """All that the bank took of which we heard, and what was charged at once, is the price of what is sold."""
        bookings = self.evening.state.bookings.values()
        at_once = [each for each in self.evening.state.payments.values() if each.id not in self.bank]
        heard = [each for each in self.bank.values() if each.status == CAPTURED and each.is_told]
        taken = sum(each.taken.amount_minor for each in heard) + sum(each.captured_minor for each in at_once)
        sold = sum(
            price.amount_minor
            for each in bookings
            if each.status is BookingStatus.CONFIRMED
            for price in each.prices.values()
        )
        assert taken - sum(self.given_back.values()) == sold

    @invariant()
    def payments_stand_behind_the_same_bookings_one_by_one_and_all_at_once(self) -> None:
        state = self.evening.state
        at_once = {
            booking_id: {each.id for each in behind} for booking_id, behind in state.payments_by_booking().items()
        }
        for booking_id in state.bookings:
            assert at_once.get(booking_id, set()) == {each.id for each in state.payments_of(booking_id)}

    @invariant()
    def who_pays_keeps_their_seats(self) -> None:
        for each in self.evening.state.reservations.values():
            if each.status is ReservationStatus.PAYING:
                claims = [self.evening.state.claims[seat_id] for seat_id in each.prices]
                assert all(claim.reservation_id == each.id for claim in claims)

    def account(self, nth: int, where: Callable[[Account], bool]) -> Account | None:
        """One of the charges of which this is true, if there is any."""
        return _nth({payment_id: each for payment_id, each in self.bank.items() if where(each)}, nth)

    def exchanging(self) -> list[Giving]:
        """What is given in exchanges that are being paid for."""
        payments = self.evening.state.payments.values()
        return [each.plan.giving for each in payments if each.is_open and each.plan and each.plan.giving]

    def attempt(self, ask: Callable[[], object]) -> None:
        """Ask for something that may be refused."""
        with contextlib.suppress(Refusal):
            ask()

    def open(self, decision: Decision, is_stubborn: bool) -> Decision:
        """The bank is asked, if paying has begun."""
        if isinstance(decision.outcome, Paying) and decision.outcome.begun:
            payment = decision.outcome.payment
            self.bank[payment.id] = Account(payment, is_stubborn)
        return decision

    def take_in(self, decision: Decision) -> None:
        for refund in decision.refunds:
            assert refund.id not in self.given_back
            self.given_back[refund.id] = refund.amount.amount_minor


def _owner(booking: Booking) -> Person:
    return Person(booking.user_id)


def is_exchange(payment: Payment) -> bool:
    return payment.plan is not None and payment.plan.giving is not None


def _nth(things: dict[UUID, T], nth: int) -> T | None:
    """One of these, if there is any."""
    found = list(things.values())
    return found[-1 - nth % len(found)] if found else None


pytestmark = pytest.mark.timeout(600)

TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=500, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
