"""Undoes the holds and bookings of a cancelled screening: holds are released, bookings are cancelled and refunded."""

from datetime import datetime

from app.domain.bookings import BookingStatus
from app.domain.box_office.commands import Close
from app.domain.box_office.outcomes import Closed
from app.domain.box_office.sales.booking import give_back
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import expire
from app.domain.payments import RefundCause
from app.domain.reservations import HOLDING, ReservationStatus


def close(state: ScreeningState, command: Close, now: datetime) -> Decision:
    """Undo those of the holds and bookings that are left.

    As long as the screening is not cancelled, nothing changes.
    """
    decision = Decision(Closed(0), cause=Cause.STAFF)
    if state.screening.cancelled_at is None:
        return decision
    for reservation_id in command.reservation_ids:
        reservation = state.reservations.get(reservation_id)
        if reservation is None or reservation.status not in HOLDING:
            continue
        if reservation.is_holding(now):
            decision.reservations[reservation_id] = reservation.ended(ReservationStatus.RELEASED, state.next_version)
            decision.claims |= dict.fromkeys(reservation.prices)
        else:
            expire(state, reservation_id, decision)
    payments = state.payments_by_booking()
    for booking_id in command.booking_ids:
        booking = state.bookings.get(booking_id)
        if booking is not None and booking.status is BookingStatus.CONFIRMED:
            undone = booking.cancelled(now, state.next_version)
            cause = RefundCause.SCREENING_CANCELLED
            behind = payments.get(booking_id, ())
            decision.bookings[booking_id] = give_back(state, booking, undone, booking.prices, cause, decision, behind)
            decision.claims |= dict.fromkeys(booking.prices)
    decision.outcome = Closed(len(decision.reservations) + len(decision.bookings))
    return decision
