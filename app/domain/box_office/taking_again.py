"""Takes a hold again that has run out: for a late confirmation, or a late extension.

That is possible for as long as a hold may last, while every seat of it is free and costs what it did. What its owner
gave back stays given back.
"""

from collections.abc import Iterator
from datetime import datetime

from app.domain.bookings import BookingStatus
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.box_office.taking import Taking, look_around, make_way, prices_for
from app.domain.money import total
from app.domain.refusals import PriceChanged, ReservationExpired, SeatInTheWay
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seats import Seat, SeatStatus


def take_again(state: ScreeningState, reservation: Reservation, decision: Decision, now: datetime) -> Taking:
    """Make way for a hold that has run out. A newer hold of the same user gives up the seats.

    Raises ReservationExpired with the seats that are gone, or with none if it is too late; PriceChanged; and
    PaymentPending, if a newer one with the same seats is being paid for.
    """
    decision.looked_further = True
    seats = seats_left(state, reservation)
    taking = look_around(state, seats, reservation.user_id, now)
    taking.must_not_be_paying()
    gone = (*taking.in_the_way, *_not_to_be_had(state, reservation, taking))
    if gone or state.screening.late_until(reservation.expires_at) < now:
        raise ReservationExpired(reservation.expires_at, gone)
    prices = prices_for(state, seats, taking)
    if prices != reservation.prices:
        raise PriceChanged(total(prices.values(), state.screening.currency))
    taking.run_out.discard(reservation.id)
    make_way(state, taking, decision)
    return taking


def seats_left(state: ScreeningState, reservation: Reservation) -> list[Seat]:
    """The seats of a reservation, but for those that are no longer in the house."""
    return [seat for seat_id in reservation.prices if (seat := state.layout.by_id.get(seat_id))]


def _not_to_be_had(state: ScreeningState, reservation: Reservation, taking: Taking) -> Iterator[SeatInTheWay]:
    """Seats that nobody has in the way: they are no longer in the house, or their owner gave them back."""
    in_hand = {seat_id for seat_ids in taking.mine.values() for seat_id in seat_ids}
    taken = {seat.seat_id for seat in taking.in_the_way}
    given_back = _given_back_since(state, reservation) - in_hand - taken
    for seat_id in reservation.prices:
        if seat_id not in state.layout.by_id:
            status, reason = SeatStatus.BLOCKED, "This seat is no longer in the house."
        elif seat_id in given_back:
            status, reason = SeatStatus.AVAILABLE, "You had this seat again since, and gave it back."
        else:
            continue
        yield SeatInTheWay(seat_id, state.layout.label_of(seat_id), status, reason)


def _given_back_since(state: ScreeningState, reservation: Reservation) -> set[int]:
    """The seats that left a hold or a booking which the same user made after this hold had run out."""
    given_back: set[int] = set()
    for later in state.reservations.values():
        if later.user_id == reservation.user_id and later.created_at >= reservation.expires_at:
            given_back |= later.left.keys()
            if later.status is ReservationStatus.RELEASED:
                given_back |= later.prices.keys()
    for booking in state.bookings.values():
        if booking.user_id == reservation.user_id and booking.created_at >= reservation.expires_at:
            given_back |= booking.left.keys()
            if booking.status is BookingStatus.CANCELLED:
                given_back |= booking.prices.keys()
    return given_back
