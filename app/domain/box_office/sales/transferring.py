"""Hands booked seats to somebody else: an offer, whoever has its code accepts, and what was paid goes along.

The money stays where it was paid: the payments stand behind the taker's booking too, and refunds go back to them.
"""

from datetime import datetime
from typing import Final

from app.domain.bookings import Booking, BookingStatus, Paid
from app.domain.box_office.commands import AcceptTransfer, OfferTransfer, WithdrawTransfer
from app.domain.box_office.limits import within_daily_limit, within_reservation_limit, within_user_limit
from app.domain.box_office.outcomes import Booked, Offered, Withdrawn
from app.domain.box_office.sales.booking import enter
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.money import total
from app.domain.refusals import (
    BookingCancelled,
    CancellationClosed,
    Flaw,
    Flawed,
    NotFound,
    TransferOver,
)
from app.domain.reservations import ReservationStatus
from app.domain.seats import SeatNames
from app.domain.transfers import Transfer, TransferStatus

YOUR_OWN: Final = Flaw(
    ("code",),
    "own_transfer",
    "These seats are yours already. Give the code to somebody else, or withdraw the offer: DELETE /transfers/{code}.",
    place="path",
)


def offer(state: ScreeningState, command: OfferTransfer, now: datetime) -> Decision:
    """Offer seats of a booking. Earlier offers with any of them are withdrawn.

    Raises NotFound, also if the booking is another user's or does not have a seat; UnknownSeats; BookingCancelled;
    ScreeningCancelled; and CancellationClosed.
    """
    booking = state.bookings.get(command.booking_id)
    if booking is None or booking.user_id != command.buyer.id:
        raise NotFound("booking")
    if made := state.transfers.get(command.transfer_id):  # the answer to this very command was lost
        return Decision(Offered(made, booking))
    if booking.status is BookingStatus.CANCELLED:
        raise BookingCancelled(ReservationStatus.BOOKED, booking.id)
    seat_ids = _seats_of(state, booking, command.seats)
    screening = state.screening
    screening.must_not_be_cancelled()
    screening.must_be_cancellable(now)
    if now >= screening.starts_at:
        raise CancellationClosed(screening.starts_at)
    made = Transfer(command.transfer_id, booking.id, seat_ids, command.code_hash, TransferStatus.OFFERED, now)
    decision = Decision(Offered(made, booking))
    for earlier in state.transfers.values():
        offers_again = earlier.booking_id == booking.id and not set(seat_ids).isdisjoint(earlier.seat_ids)
        if offers_again and earlier.is_open(screening, now):
            decision.transfers[earlier.id] = earlier.withdrawn()
    decision.transfers[made.id] = made
    return decision


def withdraw(state: ScreeningState, command: WithdrawTransfer, now: datetime) -> Decision:
    """Withdraw an offer. One that is over already stays as it is.

    Raises NotFound, also if the seats are not the caller's; TransferOver if it was accepted.
    """
    transfer, booking = _found(state, command.code_hash)
    if booking.user_id != command.buyer.id:
        raise NotFound("transfer")
    if transfer.status is TransferStatus.ACCEPTED:
        raise TransferOver(transfer.status)
    decision = Decision(Withdrawn())
    if transfer.is_open(state.screening, now):
        decision.transfers[transfer.id] = transfer.withdrawn()
    return decision


def accept(state: ScreeningState, command: AcceptTransfer, now: datetime) -> Decision:
    """Move the seats into a booking of the taker, at their prices. A booking that has none left is cancelled.

    Raises NotFound; TransferOver; Flawed for the giver themselves; and LimitExceeded by the limits of the taker.
    """
    transfer, booking = _found(state, command.code_hash)
    status = transfer.status_at(booking, state.screening, now)
    if status is not TransferStatus.OFFERED:
        raise TransferOver(status)
    taker_id = command.buyer.id
    if booking.user_id == taker_id:
        raise Flawed((YOUR_OWN,))
    prices = transfer.prices(booking)
    within_reservation_limit(state, len(prices))
    within_user_limit(state, (state.layout.by_id[each] for each in prices if each in state.layout.by_id), taker_id, now)
    within_daily_limit(state, taker_id, now)
    paid = Paid(
        booking.payment.provider, booking.payment.reference, total(prices.values(), booking.payment.amount.currency)
    )
    taken = Booking(
        id=command.booking_id,
        user_id=taker_id,
        reservation_id=None,
        status=BookingStatus.CONFIRMED,
        prices=prices,
        payment=paid,
        created_at=now,
        version=state.next_version,
    )
    decision = Decision(Booked(taken))
    decision.bookings[booking.id] = booking.handing_over(prices, now, state.next_version)
    enter(taken, decision)
    decision.transfers[transfer.id] = transfer.accepted(taken.id)
    decision.shared_payments = frozenset((taken.id, each.id) for each in state.payments_of(booking.id))
    return decision


def withdraw_what_left(state: ScreeningState, decision: Decision, now: datetime) -> None:
    """Enter that offers end whose booking loses a seat of theirs by the decision, however it does."""
    for transfer in state.transfers.values():
        booking = decision.bookings.get(transfer.booking_id)
        if booking is None or transfer.id in decision.transfers or not transfer.is_open(state.screening, now):
            continue
        if not transfer.is_all_in(booking):
            decision.transfers[transfer.id] = transfer.withdrawn()


def _found(state: ScreeningState, code_hash: bytes) -> tuple[Transfer, Booking]:
    """The transfer whose code has this hash, and its booking. Raises NotFound."""
    for transfer in state.transfers.values():
        if transfer.code_hash == code_hash:
            return transfer, state.bookings[transfer.booking_id]
    raise NotFound("transfer")


def _seats_of(state: ScreeningState, booking: Booking, names: SeatNames | None) -> tuple[int, ...]:
    """Those of a booking's seats that are named; all of them, if none are. Raises UnknownSeats and NotFound."""
    if names is None:
        return tuple(booking.prices)
    seats = state.layout.find(names)
    if others := [seat.label for seat in seats if seat.id not in booking.prices]:
        raise NotFound(f"seat in this booking ({', '.join(others)})")
    return tuple(sorted(seat.id for seat in seats))
