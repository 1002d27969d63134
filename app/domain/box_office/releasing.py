"""Gives seats back: one, a reservation's, or everything that a user holds; and expires holds.

What was given back stays so. That is written down for a hold that has run out, too: it could be taken again.
"""

from collections.abc import Collection
from datetime import datetime

from app.domain.box_office.commands import Expire, Release, ReleaseAll
from app.domain.box_office.outcomes import Expired, Kept, ReleasedAll
from app.domain.box_office.screening_state import Cause, Decision, ScreeningState
from app.domain.box_office.taking import expire as expire_hold
from app.domain.refusals import NotFound, ReservationBooked
from app.domain.reservations import HOLDING, Reservation, ReservationStatus


def release(state: ScreeningState, command: Release, now: datetime) -> Decision:
    """Release the reservation's seats, or one of them. What is released already stays so.

    Raises NotFound, also if it is another user's and the caller is no staff; or ReservationBooked: a booking is
    cancelled, not released; or PaymentPending.
    """
    reservation = state.reservations.get(command.reservation_id)
    if reservation is None or not (reservation.user_id == command.buyer.id or command.buyer.is_staff):
        raise NotFound("reservation")
    if reservation.booking_id is not None:
        raise ReservationBooked(reservation.status, reservation.booking_id)
    seat_id = command.seat_id
    if seat_id is not None and seat_id not in reservation.prices and seat_id not in reservation.left:
        raise NotFound("seat in this reservation")
    if reservation.status is ReservationStatus.RELEASED or seat_id in reservation.left:
        return Decision(Kept(reservation))
    reservation.must_not_be_paying()
    cause = Cause.API if reservation.user_id == command.buyer.id else Cause.STAFF
    decision = Decision(Kept(reservation), cause=cause)
    seat_ids = reservation.prices if seat_id is None else (seat_id,)
    decision.outcome = Kept(_give_back(state, reservation, seat_ids, decision))
    return decision


def release_all(state: ScreeningState, command: ReleaseAll, now: datetime) -> Decision:
    """Release everything that the user holds in this screening, and what ran out and could still be taken again.

    What is being paid for stays.
    """
    decision = Decision(ReleasedAll(()))
    held = state.held_by(command.buyer.id, now)
    for reservation in (*held, *_run_out(state, command.buyer.id, now)):
        _give_back(state, reservation, reservation.prices, decision)
    decision.outcome = ReleasedAll(tuple(seat_id for reservation in held for seat_id in reservation.prices))
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


def _run_out(state: ScreeningState, user_id: int, now: datetime) -> list[Reservation]:
    """The user's holds that ran out and may be taken again at `now`."""
    return [
        each
        for each in state.reservations.values()
        if each.user_id == user_id
        and each.status_at(now) is ReservationStatus.EXPIRED
        and now <= state.screening.late_until(each.expires_at)
    ]


def _give_back(
    state: ScreeningState, reservation: Reservation, seat_ids: Collection[int], decision: Decision
) -> Reservation:
    """Enter that the reservation gives up these of its seats. Those of an expired one are nobody's, or another's."""
    smaller = decision.reservations[reservation.id] = reservation.without(frozenset(seat_ids), state.next_version)
    if reservation.status in HOLDING:
        decision.claims |= dict.fromkeys(seat_ids)
    elif not decision.claims:
        _note(state, seat_ids, decision)
    return smaller


def _note(state: ScreeningState, seat_ids: Collection[int], decision: Decision) -> None:
    """Enter one of the seats as it is, a free one if there is any: every version shows in some seat."""
    decision.looked_further = True
    there = [seat_id for seat_id in seat_ids if seat_id in state.layout.by_id]
    for seat_id in sorted(there, key=lambda each: each in state.claims)[:1]:
        decision.claims[seat_id] = state.claims.get(seat_id)
