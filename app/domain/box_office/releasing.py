"""Gives seats back: one, a reservation's, or everything that a user holds; and expires holds."""

from dataclasses import replace
from datetime import datetime

from app.domain.box_office.commands import Expire, Release, ReleaseAll
from app.domain.box_office.outcomes import Expired, Kept, ReleasedAll
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import expire as expire_hold
from app.domain.refusals import NotFound, ReservationEnded
from app.domain.reservations import Reservation, ReservationStatus


def release(state: ScreeningState, command: Release, now: datetime) -> Decision:
    """Release the reservation's seats, or one of them. What is released already stays so.

    Raises NotFound, also if it is another user's and the caller is no staff; or ReservationEnded if it was booked: a
    booking is cancelled, not released.
    """
    reservation = state.reservations.get(command.reservation_id)
    if reservation is None or not (reservation.user_id == command.buyer.id or command.buyer.is_staff):
        raise NotFound("reservation")
    cause = Cause.API if reservation.user_id == command.buyer.id else Cause.STAFF
    if reservation.status is ReservationStatus.BOOKED:
        raise ReservationEnded(reservation.status)
    seat_id = command.seat_id
    if seat_id is not None and seat_id not in reservation.prices and seat_id not in reservation.left:
        raise NotFound("seat in this reservation")
    if not reservation.is_holding(now) or seat_id in reservation.left:
        return Decision(Kept(reservation))
    if seat_id is None:
        return replace(_given_back(state, reservation), cause=cause)
    smaller = reservation.without(frozenset((seat_id,)), state.next_version)
    return Decision(Kept(smaller), claims={seat_id: None}, reservations={smaller.id: smaller}, cause=cause)


def release_all(state: ScreeningState, command: ReleaseAll, now: datetime) -> Decision:
    """Release everything that the user holds in this screening."""
    decision = Decision(ReleasedAll(()))
    for reservation in state.held_by(command.buyer.id, now):
        given_back = _given_back(state, reservation)
        decision.claims |= given_back.claims
        decision.reservations |= given_back.reservations
    decision.outcome = ReleasedAll(tuple(decision.claims))
    return decision


def expire(state: ScreeningState, command: Expire, now: datetime) -> Decision:
    """Expire those of the reservations whose time is over, and free their seats. The others stay as they are."""
    decision = Decision(Expired(0), cause=Cause.EXPIRY)
    for reservation_id in command.reservation_ids:
        reservation = state.reservations.get(reservation_id)
        if reservation and reservation.status_at(now) is not reservation.status:
            expire_hold(state, reservation_id, decision)
    decision.outcome = Expired(len(decision.reservations))
    return decision


def _given_back(state: ScreeningState, reservation: Reservation) -> Decision:
    over = reservation.ended(ReservationStatus.RELEASED, state.next_version)
    return Decision(Kept(over), claims=dict.fromkeys(reservation.prices), reservations={reservation.id: over})
