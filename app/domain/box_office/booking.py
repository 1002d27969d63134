"""Books a hold, or seats directly; and cancels bookings."""

from datetime import datetime
from uuid import UUID

from app.domain.bookings import Booking, BookingStatus, Payment, PaymentStatus
from app.domain.box_office.commands import Book, Cancel, Confirm
from app.domain.box_office.finding import find, is_bound, must_leave_no_single
from app.domain.box_office.limits import within_daily_limit, within_reservation_limit, within_user_limit
from app.domain.box_office.outcomes import Booked, Cancelled
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import Taking, look_around, make_way, prices_for
from app.domain.box_office.taking_again import seats_left, take_again
from app.domain.claims import Claim, ClaimStatus
from app.domain.refusals import NotFound, ReservationBooked, ReservationEnded, SeatsUnavailable
from app.domain.reservations import ReservationStatus
from app.domain.seats import Seat


def confirm(state: ScreeningState, command: Confirm, now: datetime) -> Decision:
    """Book the seats of a reservation, at the prices of the hold. If it is booked already: that booking.

    After its end it succeeds too, if it can be taken again. Raises NotFound, SalesClosed and LimitExceeded;
    ReservationEnded; ReservationBooked if its booking was cancelled; and what `take_again` raises.
    """
    reservation = state.reservation_of(command.buyer.id, command.reservation_id)
    if reservation.booking_id is not None:
        booked = state.bookings[reservation.booking_id]
        if booked.status is BookingStatus.CANCELLED:
            raise ReservationBooked(reservation.status, booked.id)
        return Decision(Booked(booked, created=False))
    if reservation.status is ReservationStatus.RELEASED:
        raise ReservationEnded(reservation.status)
    state.screening.must_not_be_cancelled()
    within_daily_limit(state, reservation.user_id, now)
    booking = Booking(
        id=command.booking_id,
        user_id=reservation.user_id,
        reservation_id=reservation.id,
        status=BookingStatus.CONFIRMED,
        prices=reservation.prices,
        payment=Payment(PaymentStatus.PAID, command.payment_reference),
        created_at=now,
        version=state.next_version,
    )
    decision = Decision(Booked(booking))
    if not reservation.is_holding(now):
        state.screening.must_be_on_sale(now)
        within_user_limit(state, seats_left(state, reservation), reservation.user_id, now)
        take_again(state, reservation, decision, now)
    decision.reservations[reservation.id] = reservation.ended(
        ReservationStatus.BOOKED, state.next_version, booking_id=booking.id
    )
    _sell(booking, decision)
    return decision


def book(state: ScreeningState, command: Book, now: datetime) -> Decision:
    """Book seats directly. If the buyer has booked exactly these together already: that booking.

    Seats that the buyer holds leave the hold, and keep its prices. Raises SeatsUnavailable, UnknownSeats,
    LimitExceeded, SalesClosed and LeavesSingleSeat; and what `find` raises, where no seats are named.
    """
    user_id = command.buyer.id
    found = None if command.wish is None else find(state, command.wish, now)
    seats = state.layout.find(command.seats) if found is None else found.seats
    taking = look_around(state, seats, user_id, now)
    if already := _booked_together(state, seats, user_id):
        return Decision(Booked(already, created=False))
    state.screening.must_be_on_sale(now)
    within_reservation_limit(state, len(seats))
    if taking.in_the_way:
        raise SeatsUnavailable(tuple(taking.in_the_way), wanted=tuple(seat.id for seat in seats))
    within_user_limit(state, seats, user_id, now)
    within_daily_limit(state, user_id, now)
    if rule_binds := found is None and is_bound(state, command.buyer):
        must_leave_no_single(state, seats)
    booking = _direct_booking(state, command, seats, taking, now)
    decision = Decision(Booked(booking, adjacent=None if found is None else found.adjacent))
    decision.looked_further = rule_binds or found is not None
    make_way(state, taking, decision)
    _sell(booking, decision)
    return decision


def cancel(state: ScreeningState, command: Cancel, now: datetime) -> Decision:
    """Cancel a booking, or one seat of it; the seats are free at once. What is cancelled already stays so.

    Raises NotFound, also if the booking is another user's and the caller is no organizer.
    """
    booking = state.bookings.get(command.booking_id)
    if booking is None or not (booking.user_id == command.buyer.id or command.buyer.runs_the_house):
        raise NotFound("booking")
    seat_id = command.seat_id
    if seat_id is not None and seat_id not in booking.prices and seat_id not in booking.left:
        raise NotFound("seat in this booking")
    if booking.status is BookingStatus.CANCELLED or seat_id in booking.left:
        return Decision(Cancelled(booking))
    if seat_id is None:
        undone, freed = booking.cancelled(now, state.next_version), tuple(booking.prices)
    else:
        undone, freed = booking.without(seat_id, now, state.next_version), (seat_id,)
    cause = Cause.API if booking.user_id == command.buyer.id else Cause.STAFF
    return Decision(Cancelled(undone), claims=dict.fromkeys(freed), bookings={undone.id: undone}, cause=cause)


def _direct_booking(
    state: ScreeningState, command: Book, seats: tuple[Seat, ...], taking: Taking, now: datetime
) -> Booking:
    return Booking(
        id=command.booking_id,
        user_id=command.buyer.id,
        reservation_id=None,
        status=BookingStatus.CONFIRMED,
        prices=prices_for(state, seats, taking),
        payment=Payment(PaymentStatus.PAID, command.payment_reference),
        created_at=now,
        version=state.next_version,
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


def _sell(booking: Booking, decision: Decision) -> None:
    """Enter the booking, and a claim without an end for each of its seats."""
    decision.bookings[booking.id] = booking
    for seat_id in booking.prices:
        decision.claims[seat_id] = Claim(
            seat_id, ClaimStatus.BOOKED, booking.user_id, booking.reservation_id, booking.id
        )
