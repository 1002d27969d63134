"""Enters exchanges: what a booking has, who has its seats, and what was paid for the difference."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.domain.bookings import Booking, BookingStatus
from app.domain.box_office.outcomes import Exchanged
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.payments import Giving, Payment
from app.domain.reservations import Reservation, ReservationStatus


def exchanged(
    state: ScreeningState, booking: Booking, given: Collection[int], taken: Mapping[int, Money], decision: Decision
) -> Booking:
    """Enter that the given seats are free and the taken ones booked. Returns the booking with them, not entered yet."""
    after = booking.exchanged(given, taken, state.next_version)
    decision.claims |= dict.fromkeys(given)
    for seat_id in taken:
        decision.claims[seat_id] = Claim(
            seat_id, ClaimStatus.BOOKED, booking.user_id, booking.reservation_id, booking.id
        )
    return after


def still_gives(state: ScreeningState, giving: Giving, user_id: int) -> Booking | None:
    """The booking, if it still has all of these seats at these prices, and is this user's; else None."""
    booking = state.bookings.get(giving.booking_id)
    if booking is None or booking.status is BookingStatus.CANCELLED or booking.user_id != user_id:
        return None
    return booking if giving.prices.items() <= booking.prices.items() else None


def enter_paid_exchange(
    state: ScreeningState,
    booking: Booking,
    giving: Giving,
    reservation: Reservation,
    taken: Payment,
    decision: Decision,
) -> None:
    """Enter that the difference was paid: the kept seats take the place of the given ones."""
    after = exchanged(state, booking, giving.prices, reservation.prices, decision)
    after = after.paying_more(taken.captured_minor, taken.provider, taken.reference or "")
    decision.bookings[after.id] = after
    decision.reservations[reservation.id] = reservation.ended(
        ReservationStatus.BOOKED, state.next_version, booking_id=after.id
    )
    decision.payments[taken.id] = replace(taken, booking_id=after.id)
    decision.outcome = Exchanged(after, adjacent=taken.plan.adjacent if taken.plan else None)
