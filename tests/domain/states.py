"""A small house for the tests of the rules, and an evening in it: commands one by one, time when it is told to pass."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

from app.domain.bookings import Booking
from app.domain.box_office.commands import (
    AcceptTransfer,
    AtOnce,
    Attempt,
    BeginBuying,
    BeginPaying,
    Book,
    Cancel,
    Command,
    Confirm,
    Exchange,
    Expire,
    Extend,
    Hold,
    OfferTransfer,
    Release,
    ReleaseAll,
    Said,
    Settle,
    Toggle,
    WithdrawTransfer,
)
from app.domain.box_office.decide import decide
from app.domain.box_office.outcomes import (
    Booked,
    Cancelled,
    Exchanged,
    Expired,
    Held,
    Kept,
    Offered,
    Paying,
    ReleasedAll,
    Toggled,
)
from app.domain.box_office.screening_state import Decision, ScreeningState, Usage
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.payments import Payment, PaymentState
from app.domain.people.people import Person, Role
from app.domain.refusals import Refusal
from app.domain.reservations import Reservation
from app.domain.screenings import Limits, Screening
from app.domain.seat_finding.wishes import Wish
from app.domain.seats import Layout, Seat, SeatNames
from app.domain.transfers import Transfer, TransferStatus

ANN, BOB, CLEO = Person(1), Person(2), Person(3)
ORGANIZER = Person(9, Role.ORGANIZER)

NOON: Final = datetime(2027, 5, 1, 12, tzinfo=UTC)
HOLD: Final = timedelta(minutes=5)
CAP: Final = timedelta(minutes=15)
INSTANT: Final = timedelta(microseconds=1)
"""The shortest time that PostgreSQL can tell."""

STANDARD, BOX, DEARER = Money(2500, "EUR"), Money(7000, "EUR"), Money(9900, "EUR")

LAYOUT: Final = Layout(
    theater_id=1,
    revision=1,
    seats=tuple(
        Seat(number, f"A{number}", "Stalls", "A", number, "box" if number > 4 else "standard") for number in range(1, 7)
    ),
)
"""One row: the standard seats A1 to A4 and the boxes A5 and A6. A seat's id is its number."""

SCREENING: Final = Screening(
    id=7,
    theater_id=1,
    starts_at=NOON + timedelta(hours=8),
    sales_open_at=None,
    sales_close_at=None,
    cancelled_at=None,
    hold_seconds=int(HOLD.total_seconds()),
    max_hold_seconds=int(CAP.total_seconds()),
    prices={"standard": STANDARD, "box": BOX},
    limits=Limits(max_seats_per_reservation=None),
)


def empty_house(**changes: Any) -> ScreeningState:
    """The small house with nobody in it; `changes` are to its screening."""
    usage = {person.id: Usage() for person in (ANN, BOB, CLEO)}
    return ScreeningState(replace(SCREENING, **changes), LAYOUT, version=0, usage=usage)


def named(*labels: str) -> SeatNames:
    """Seats by their labels, as a caller names them."""
    return SeatNames(labels=labels)


def picture_of(state: ScreeningState) -> ScreeningState:
    """The house as it is now: what happens to the house later does not happen to its picture."""
    return replace(
        state,
        claims=dict(state.claims),
        reservations={
            each.id: replace(each, prices=dict(each.prices), left=dict(each.left))
            for each in state.reservations.values()
        },
        bookings={
            each.id: replace(each, prices=dict(each.prices), left=dict(each.left)) for each in state.bookings.values()
        },
        payments=dict(state.payments),
        shared_payments=set(state.shared_payments),
        transfers=dict(state.transfers),
        lapses={each: list(lapses) for each, lapses in state.lapses.items()},
        kept_seats=dict(state.kept_seats),
        usage={
            user_id: Usage(dict(usage.holds), dict(usage.bookings), set(usage.paying))
            for user_id, usage in state.usage.items()
        },
    )


@dataclass(slots=True)
class Evening:
    """The small house and its clock. What is asked for is decided and taken in; a refusal is raised as it is."""

    state: ScreeningState = field(default_factory=empty_house)
    now: datetime = NOON
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def ask(self, command: Command) -> Decision:
        """Decide and take the decision in. Neither deciding nor a refusal changes anything by itself."""
        before = picture_of(self.state)
        try:
            decision = decide(self.state, command, self.now)
        except Refusal:
            assert self.state == before
            raise
        assert self.state == before
        self.state.apply(decision, self.now)
        return decision

    def wait(self, time: timedelta) -> None:
        self.now += time

    def change_screening(self, **changes: Any) -> None:
        """What an organizer edits."""
        self.state.screening = replace(self.state.screening, **changes)

    def take_out(self, *labels: str) -> None:
        """The house loses seats."""
        seats, former = LAYOUT.seats, {LAYOUT.by_label[label].id: label for label in labels}
        self.state.layout = Layout(1, 2, tuple(seat for seat in seats if seat.id not in former), former)

    def block(self, label: str) -> None:
        """The house takes a seat off sale."""
        seat_id = LAYOUT.by_label[label].id
        self.state.claims[seat_id] = Claim(seat_id, ClaimStatus.BLOCKED)

    def new_id(self) -> UUID:
        return UUID(int=next(self._numbers))

    # --- what may be asked for

    def hold(self, buyer: Person, *labels: str) -> Reservation:
        outcome = self.ask(Hold(buyer, named(*labels), self.new_id())).outcome
        assert isinstance(outcome, Held)
        return outcome.reservation

    def toggle(self, buyer: Person, *labels: str) -> Toggled:
        outcome = self.ask(Toggle(buyer, named(*labels), self.new_id())).outcome
        assert isinstance(outcome, Toggled)
        return outcome

    def release(self, buyer: Person, reservation: Reservation, label: str | None = None) -> Reservation:
        seat_id = LAYOUT.by_label[label].id if label else None
        outcome = self.ask(Release(buyer, reservation.id, seat_id)).outcome
        assert isinstance(outcome, Kept)
        return outcome.reservation

    def release_all(self, buyer: Person) -> set[str]:
        outcome = self.ask(ReleaseAll(buyer)).outcome
        assert isinstance(outcome, ReleasedAll)
        return {LAYOUT.label_of(seat_id) for seat_id in outcome.seat_ids}

    def extend(self, buyer: Person, reservation: Reservation) -> Reservation:
        outcome = self.ask(Extend(buyer, reservation.id)).outcome
        assert isinstance(outcome, Kept)
        return outcome.reservation

    def confirm(self, buyer: Person, reservation: Reservation) -> Booking:
        outcome = self.ask(Confirm(buyer, reservation.id, self.new_id(), "paid")).outcome
        assert isinstance(outcome, Booked)
        return outcome.booking

    def book(self, buyer: Person, *labels: str) -> Booking:
        outcome = self.ask(Book(buyer, named(*labels), self.new_id(), "paid")).outcome
        assert isinstance(outcome, Booked)
        return outcome.booking

    def attempt(self, deadline_seconds: float = 60.0) -> Attempt:
        return Attempt(self.new_id(), self.new_id(), "dummy", deadline_seconds, 10.0)

    def pay(self, buyer: Person, reservation: Reservation) -> Payment:
        """Begin to pay for a hold."""
        outcome = self.ask(BeginPaying(buyer, reservation.id, self.attempt())).outcome
        assert isinstance(outcome, Paying)
        return outcome.payment

    def buy(self, buyer: Person, *labels: str) -> Payment:
        """Begin to pay for seats directly."""
        outcome = self.ask(BeginBuying(buyer, named(*labels), self.new_id(), self.attempt())).outcome
        assert isinstance(outcome, Paying)
        return outcome.payment

    def settle(self, payment: Payment, status: PaymentState, amount: Money | None = None) -> Decision:
        """What the provider says."""
        said = Said(status, amount or payment.amount, "ref", "card_declined")
        return self.ask(Settle(Person(payment.user_id), payment, said, self.new_id()))

    def cancel(self, buyer: Person, booking: Booking, label: str | None = None) -> Booking:
        seat_id = LAYOUT.by_label[label].id if label else None
        outcome = self.ask(Cancel(buyer, booking.id, seat_id)).outcome
        assert isinstance(outcome, Cancelled)
        return outcome.booking

    def offer(self, buyer: Person, booking: Booking, *labels: str) -> Transfer:
        """Offer these seats of a booking; all of them, if none are named."""
        transfer_id = self.new_id()
        seats = named(*labels) if labels else None
        outcome = self.ask(OfferTransfer(buyer, booking.id, seats, transfer_id, transfer_id.bytes)).outcome
        assert isinstance(outcome, Offered)
        return outcome.transfer

    def withdraw(self, buyer: Person, transfer: Transfer) -> None:
        self.ask(WithdrawTransfer(buyer, transfer.code_hash))

    def accept(self, buyer: Person, transfer: Transfer) -> Booking:
        outcome = self.ask(AcceptTransfer(buyer, transfer.code_hash, self.new_id())).outcome
        assert isinstance(outcome, Booked)
        return outcome.booking

    def exchanging(
        self,
        buyer: Person,
        booking: Booking,
        give: str,
        take: str = "",
        *,
        wish: Wish | None = None,
        slowly: bool = False,
    ) -> Exchange:
        """The command to exchange seats, by their labels. `slowly`: the provider decides about a difference."""
        payment = self.attempt() if slowly else AtOnce(self.new_id(), "more")
        names = named(*give.split()), named(*take.split())
        owner_id = self.state.bookings[booking.id].user_id
        return Exchange(buyer, owner_id, booking.id, *names, self.new_id(), payment, wish)

    def exchange(self, buyer: Person, booking: Booking, give: str, take: str) -> Booking:
        outcome = self.ask(self.exchanging(buyer, booking, give, take)).outcome
        assert isinstance(outcome, Exchanged)
        return outcome.booking

    def pay_exchange(self, buyer: Person, booking: Booking, give: str, take: str) -> Payment:
        """Begin to pay for an exchange."""
        outcome = self.ask(self.exchanging(buyer, booking, give, take, slowly=True)).outcome
        assert isinstance(outcome, Paying)
        return outcome.payment

    def sweep(self) -> int:
        """Expire whatever has run out; how many holds that were."""
        outcome = self.ask(Expire(tuple(self.state.reservations))).outcome
        assert isinstance(outcome, Expired)
        return outcome.count

    # --- what is to be seen

    def reservation(self, earlier: Reservation) -> Reservation:
        """The same reservation as it is now."""
        return self.state.reservations[earlier.id]

    def booking(self, earlier: Booking) -> Booking:
        """The same booking as it is now."""
        return self.state.bookings[earlier.id]

    def status_of(self, earlier: Transfer) -> TransferStatus:
        """How a transfer stands now."""
        transfer = self.state.transfers[earlier.id]
        return transfer.status_at(self.state.bookings[transfer.booking_id], self.state.screening, self.now)

    def held_by(self, buyer: Person) -> set[str]:
        """The seats that somebody holds at this moment."""
        return self._seats_of(buyer, ClaimStatus.HELD)

    def booked_by(self, buyer: Person) -> set[str]:
        return self._seats_of(buyer, ClaimStatus.BOOKED)

    def free(self) -> set[str]:
        """The seats that nobody has at this moment."""
        taken = {seat_id for seat_id, claim in self.state.claims.items() if claim.is_live(self.now)}
        return {seat.label for seat in LAYOUT.seats if seat.id not in taken}

    def _seats_of(self, buyer: Person, status: ClaimStatus) -> set[str]:
        claims = self.state.claims_of(buyer.id, self.now)
        return {LAYOUT.label_of(claim.seat_id) for claim in claims if claim.status is status}


def labels(seats: Any) -> set[str]:
    """The labels of seats by id: of a reservation's or a booking's prices, of a refusal's list."""
    return {LAYOUT.label_of(getattr(seat, "seat_id", seat)) for seat in seats}
