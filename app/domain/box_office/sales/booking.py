"""Books a hold, or seats directly; and cancels bookings."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from app.domain.bookings import Booking, BookingStatus, Paid
from app.domain.box_office.commands import BeginBuying, Book, Cancel, Confirm
from app.domain.box_office.finding import find, is_bound, must_leave_no_single
from app.domain.box_office.limits import within_daily_limit, within_reservation_limit, within_user_limit
from app.domain.box_office.outcomes import Booked, Cancelled, Expired, Paying
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import Taking, look_around, make_way, prices_for
from app.domain.box_office.taking_again import seats_left, take_again
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money, total
from app.domain.payments import Payment, PaymentState, Refund, RefundCause, shares
from app.domain.refusals import NotFound, PaymentPending, ReservationBooked, ReservationEnded, SeatsUnavailable
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seats import Seat
from app.domain.values import value

UNDECIDED: Final = Expired(0)
"""The outcome of a decision whose outcome is entered last."""


def confirm(state: ScreeningState, command: Confirm, now: datetime) -> Decision:
    """Book the seats of a reservation, at the prices of the hold. If it is booked already: that booking. If it is being
    paid for: that.

    After its end it succeeds too, if it can be taken again. Raises what `may_be_booked` raises.
    """
    reservation = state.reservation_of(command.buyer.id, command.reservation_id)
    if already := already_bought(state, reservation):
        return already
    decision = Decision(UNDECIDED)
    may_be_booked(state, reservation, decision, now)
    paid_with = command.provider, command.payment_reference
    sell(state, decision, reservation, command.booking_id, paid_with, now)
    return decision


def book(state: ScreeningState, command: Book, now: datetime) -> Decision:
    """Book seats directly. If the buyer has booked exactly these together already: that booking. If they are paying for
    exactly these: that.

    Seats that the buyer holds leave the hold, and keep its prices. Raises what `choose_to_book` raises.
    """
    chosen = choose_to_book(state, command, now)
    if isinstance(chosen, Decision):
        return chosen
    prices = prices_for(state, chosen.seats, chosen.taking)
    paid_with = command.provider, command.payment_reference
    booking = new_booking(state, command.booking_id, command.buyer.id, None, prices, paid_with, now)
    decision = Decision(Booked(booking, adjacent=chosen.adjacent))
    decision.looked_further = chosen.looked_further
    make_way(state, chosen.taking, decision)
    enter(booking, decision)
    decision.payments[booking.id] = payment_at_once(booking, now)
    return decision


def already_bought(state: ScreeningState, reservation: Reservation) -> Decision | None:
    """What stands, if the reservation is booked or being paid for. None: it may be booked.

    Raises ReservationBooked if its booking was cancelled, and ReservationEnded.
    """
    if reservation.booking_id is not None:
        booked = state.bookings[reservation.booking_id]
        if booked.status is BookingStatus.CANCELLED:
            raise ReservationBooked(reservation.status, booked.id)
        return Decision(Booked(booked, created=False))
    if reservation.status is ReservationStatus.RELEASED:
        raise ReservationEnded(reservation.status)
    if reservation.status is ReservationStatus.PAYING:
        return Decision(still_paying(state, reservation))
    return None


def may_be_booked(state: ScreeningState, reservation: Reservation, decision: Decision, now: datetime) -> None:
    """Raises ScreeningCancelled or LimitExceeded. A hold that ran out is taken again: then it raises SalesClosed, and
    what `take_again` raises, too.
    """
    state.screening.must_not_be_cancelled()
    within_daily_limit(state, reservation.user_id, now)
    if not reservation.is_holding(now):
        state.screening.must_be_on_sale(now)
        within_user_limit(state, seats_left(state, reservation), reservation.user_id, now)
        take_again(state, reservation, decision, now)


def still_paying(state: ScreeningState, reservation: Reservation) -> Paying:
    """That it is being paid for already. Raises PaymentPending if nobody knows how."""
    payment = state.open_payment(reservation.id)
    if payment is None:
        raise PaymentPending(reservation.id)
    return Paying(reservation, payment)


def is_exchange(state: ScreeningState, paying: Reservation) -> bool:
    """Are the seats of this reservation paid for to be exchanged?"""
    payment = state.open_payment(paying.id)
    return payment is not None and payment.plan is not None and payment.plan.giving is not None


@value(frozen=True, slots=True)
class ToBook:
    """Seats that may be booked directly, and what has to happen for them."""

    seats: tuple[Seat, ...]
    taking: Taking
    adjacent: bool | None
    looked_further: bool


def choose_to_book(state: ScreeningState, command: Book | BeginBuying, now: datetime) -> ToBook | Decision:
    """The seats that are named, or found, if they may be booked; what stands, if they are bought already.

    Raises SeatsUnavailable, UnknownSeats, LimitExceeded, SalesClosed and LeavesSingleSeat; PaymentPending; and what
    `find` raises, where no seats are named.
    """
    user_id = command.buyer.id
    found = None if command.wish is None else find(state, command.wish, now)
    seats = state.layout.find(command.seats) if found is None else found.seats
    taking = look_around(state, seats, user_id, now)
    if already := _booked_together(state, seats, user_id):
        return Decision(Booked(already, created=False))
    if taking.paying is not None:
        paying = state.reservations[taking.paying]
        if paying.prices.keys() == {seat.id for seat in seats} and not is_exchange(state, paying):
            return Decision(still_paying(state, paying))
        taking.must_not_be_paying()
    state.screening.must_be_on_sale(now)
    within_reservation_limit(state, len(seats))
    if taking.in_the_way:
        raise SeatsUnavailable(tuple(taking.in_the_way), wanted=tuple(seat.id for seat in seats))
    within_user_limit(state, seats, user_id, now)
    within_daily_limit(state, user_id, now)
    if rule_binds := found is None and is_bound(state, command.buyer):
        must_leave_no_single(state, seats)
    adjacent = None if found is None else found.adjacent
    return ToBook(seats, taking, adjacent, rule_binds or found is not None)


def cancel(state: ScreeningState, command: Cancel, now: datetime) -> Decision:
    """Cancel a booking, or one seat of it; the seats are free at once, and their price goes back. What is cancelled
    already stays so.

    Raises NotFound, also if the booking is another user's and the caller is no organizer; and CancellationClosed.
    """
    booking = state.bookings.get(command.booking_id)
    if booking is None or not (booking.user_id == command.buyer.id or command.buyer.runs_the_house):
        raise NotFound("booking")
    seat_id = command.seat_id
    if seat_id is not None and seat_id not in booking.prices and seat_id not in booking.left:
        raise NotFound("seat in this booking")
    if booking.status is BookingStatus.CANCELLED or seat_id in booking.left:
        return Decision(Cancelled(booking))
    if not command.buyer.runs_the_house:
        state.screening.must_be_cancellable(now)
    if seat_id is None:
        undone = booking.cancelled(now, state.next_version, command.reason)
        freed = tuple(booking.prices)
    else:
        undone, freed = booking.without(seat_id, now, state.next_version), (seat_id,)
    cause = Cause.API if booking.user_id == command.buyer.id else Cause.STAFF
    decision = Decision(Cancelled(undone), claims=dict.fromkeys(freed), cause=cause)
    undone = give_back(state, booking, undone, freed, RefundCause.CANCELLED, decision)
    decision.bookings[undone.id] = undone
    decision.outcome = Cancelled(undone)
    return decision


def give_back(
    state: ScreeningState,
    booking: Booking,
    undone: Booking,
    seat_ids: Iterable[int],
    cause: RefundCause,
    decision: Decision,
    payments: Sequence[Payment] | None = None,
) -> Booking:
    """Enter that the price of these seats goes back. Returns the booking as it is then.

    `payments`: those that stand behind the booking, where they are known.
    """
    amount = sum(booking.prices[seat_id].amount_minor for seat_id in seat_ids)
    return refund(state, undone, amount, cause, decision, payments)


def refund(
    state: ScreeningState,
    undone: Booking,
    amount_minor: int,
    cause: RefundCause,
    decision: Decision,
    payments: Sequence[Payment] | None = None,
) -> Booking:
    """Enter that so much goes back from the payments behind a booking. Returns the booking as it is then."""
    # One payment may stand behind several bookings, and the decision may have taken from it before.
    standing = state.payments_of(undone.id) if payments is None else payments
    behind = (decision.payments.get(each.id, each) for each in standing)
    for payment, share in shares(behind, amount_minor):
        refund_id = uuid5(payment.id, f"{undone.id}:{state.next_version}")
        money = Money(share, payment.amount.currency)
        decision.payments[payment.id] = payment.giving_back(share, cause)
        decision.refunds.append(Refund(refund_id, payment.id, undone.id, money, cause))
        undone = undone.giving_back(share)
    return undone


def sell(
    state: ScreeningState,
    decision: Decision,
    reservation: Reservation,
    booking_id: UUID,
    paid_with: tuple[str, str],
    now: datetime,
) -> None:
    """Enter that a reservation is booked, paid for by a charge that cannot fail."""
    booking = new_booking(state, booking_id, reservation.user_id, reservation.id, reservation.prices, paid_with, now)
    decision.reservations[reservation.id] = reservation.ended(
        ReservationStatus.BOOKED, state.next_version, booking_id=booking.id
    )
    enter(booking, decision)
    decision.payments[booking.id] = payment_at_once(booking, now)
    decision.outcome = Booked(booking)


def new_booking(
    state: ScreeningState,
    booking_id: UUID,
    user_id: int,
    reservation_id: UUID | None,
    prices: Mapping[int, Money],
    paid_with: tuple[str, str],
    now: datetime,
) -> Booking:
    """A booking of these seats, which is paid. `paid_with`: the provider, and its name for the payment."""
    provider, reference = paid_with
    amount = total(prices.values(), state.screening.currency)
    if amount.amount_minor == 0:
        reference = f"free-{booking_id}"
    return Booking(
        id=booking_id,
        user_id=user_id,
        reservation_id=reservation_id,
        status=BookingStatus.CONFIRMED,
        prices=prices,
        payment=Paid(provider, reference, amount),
        created_at=now,
        version=state.next_version,
    )


def payment_at_once(booking: Booking, now: datetime) -> Payment:
    """The payment of a booking that was paid by a charge that cannot fail, or is free: its id is the booking's."""
    paid = booking.payment
    return Payment(
        id=booking.id,
        user_id=booking.user_id,
        reservation_id=booking.reservation_id,
        booking_id=booking.id,
        provider=paid.provider,
        reference=paid.reference,
        status=PaymentState.CAPTURED,
        amount=paid.amount,
        captured_minor=paid.amount.amount_minor,
        created_at=now,
    )


def _booked_together(state: ScreeningState, seats: tuple[Seat, ...], user_id: int) -> Booking | None:
    """The booking in which the user has exactly these seats; None if there is none."""
    booking_ids: set[UUID | None] = set()
    for seat in seats:
        claim = state.claims.get(seat.id)
        booking_ids.add(claim.booking_id if claim and claim.user_id == user_id else None)
    only = booking_ids.pop() if len(booking_ids) == 1 else None
    booking = state.bookings.get(only) if only else None
    return booking if booking and booking.prices.keys() == {seat.id for seat in seats} else None


def enter(booking: Booking, decision: Decision) -> None:
    """Enter the booking, and a claim without an end for each of its seats."""
    decision.bookings[booking.id] = booking
    for seat_id in booking.prices:
        decision.claims[seat_id] = Claim(
            seat_id, ClaimStatus.BOOKED, booking.user_id, booking.reservation_id, booking.id
        )
