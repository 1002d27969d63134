"""What is to be written of a claim, a reservation, a booking: how it is now, as far as that is not what was read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from app.db.box_office import rows_written as table
from app.db.box_office.parts import Part
from app.db.box_office.rows_written import BookingSeat, Claimed, PaymentAtOnce, ReservationChanged, ReservationSeat
from app.db.box_office.writing import Writes
from app.db.money.payments import plan_out
from app.domain.bookings import Booking
from app.domain.claims import Claim
from app.domain.money import Money
from app.domain.payments import Entry, Payment, Refund
from app.domain.reservations import Reservation
from app.domain.transfers import Transfer

Seat = TypeVar("Seat", ReservationSeat, BookingSeat)

_RESERVATION_SEATS: Final = (table.RESERVATION_SEATS_MADE, table.RESERVATION_SEATS_CHANGED)
_BOOKING_SEATS: Final = (table.BOOKING_SEATS_MADE, table.BOOKING_SEATS_CHANGED)


def write_claim(writes: Writes, screening_id: int, seat_id: int, before: Claim | None, after: Claim | None) -> None:
    """None: nobody has the seat."""
    if after is None:
        if before is not None:
            writes.rows(table.CLAIMS_FREED).append({"screening_id": screening_id, "seat_id": seat_id})
    elif before is None or after != before:
        row: Claimed = {
            "screening_id": screening_id,
            "seat_id": seat_id,
            "status": after.status,
            "user_id": after.user_id,
            "reservation_id": after.reservation_id,
            "booking_id": after.booking_id,
            "expires_at": after.expires_at,
            "reason": after.reason,
        }
        writes.rows(table.CLAIMS_MADE if before is None else table.CLAIMS_CHANGED).append(row)


def write_reservation(
    writes: Writes, screening_id: int, ordinal: int, before: Reservation | None, after: Reservation
) -> None:
    """A reservation that was made or changed, and its seats."""
    if before is None:
        writes.rows(table.RESERVATIONS_MADE).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "user_id": after.user_id,
                "status": after.status,
                "first_held_at": None if after.first_held_at == writes.at else after.first_held_at,
                "expires_at": after.expires_at,
                "booking_id": after.booking_id,
                "version": after.version,
                "ordinal": ordinal,
            }
        )
    else:
        row: ReservationChanged = {
            "screening_id": screening_id,
            "id": after.id,
            "status": after.status,
            "expires_at": after.expires_at,
            "booking_id": after.booking_id,
            "version_before": before.version,
            "version": after.version,
            "ordinal": ordinal,
        }
        if after.first_held_at == before.first_held_at:
            writes.rows(table.RESERVATIONS_CHANGED).append(row)
        else:
            writes.rows(table.RESERVATIONS_BACKDATED).append({**row, "first_held_at": after.first_held_at})
    seat = _seat_of_reservation(screening_id, after.id, after.user_id)
    _write_seats(writes, _RESERVATION_SEATS, seat, before, after, None)


def write_booking(writes: Writes, screening_id: int, ordinal: int, before: Booking | None, after: Booking) -> None:
    """A booking that was made or changed, and its seats."""
    if before is None:
        writes.rows(table.BOOKINGS_MADE).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "user_id": after.user_id,
                "reservation_id": after.reservation_id,
                "status": after.status,
                "payment_provider": after.payment.provider,
                "payment_reference": after.payment.reference,
                "paid_minor": after.payment.amount.amount_minor,
                "cancelled_at": after.cancelled_at,
                "version": after.version,
                "ordinal": ordinal,
            }
        )
    else:
        writes.rows(table.BOOKINGS_CHANGED).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "status": after.status,
                "cancelled_at": after.cancelled_at,
                "cancel_reason": after.cancel_reason,
                "payment_provider": after.payment.provider,
                "payment_reference": after.payment.reference,
                "paid_minor": after.payment.amount.amount_minor,
                "version_before": before.version,
                "version": after.version,
                "ordinal": ordinal,
            }
        )
    seat = _seat_of_booking(screening_id, after.id)
    _write_seats(writes, _BOOKING_SEATS, seat, before, after, after.cancelled_at)


def write_payment(writes: Writes, screening_id: int, before: Payment | None, after: Payment) -> None:
    """A payment that was made or changed."""
    if before is not None:
        writes.rows(table.PAYMENTS_CHANGED).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "status": after.status,
                "status_before": before.status,
                "booking_id": after.booking_id,
                "reference": after.reference,
                "amount_minor": after.amount.amount_minor,
                "currency": after.amount.currency,
                "captured_minor": after.captured_minor,
                "refunding_minor": after.refunding_minor - before.refunding_minor,
                "cause": after.cause,
                "decline_reason": after.decline_reason,
                "redirect_url": after.redirect_url,
                "client_secret": after.client_secret,
                "next_ask_at": after.is_open,
            }
        )
    elif after.ask_at is not None and after.deadline is not None and after.plan is not None:
        writes.rows(table.PAYMENTS_BEGUN).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "user_id": after.user_id,
                "reservation_id": after.reservation_id,
                "provider": after.provider,
                "reference": after.reference,
                "status": after.status,
                "amount_minor": after.amount.amount_minor,
                "currency": after.amount.currency,
                "deadline": after.deadline,
                "next_ask_at": after.ask_at,
                "plan": plan_out(after.plan),
            }
        )
    else:
        row: PaymentAtOnce = {
            "screening_id": screening_id,
            "id": after.id,
            "user_id": after.user_id,
            "reservation_id": after.reservation_id,
            "provider": after.provider,
            "reference": after.reference or "",
            "amount_minor": after.amount.amount_minor,
            "currency": after.amount.currency,
        }
        if after.booking_id != after.id and after.booking_id is not None:  # it is for an exchange
            row["booking_id"] = after.booking_id
        if after.refunding_minor and after.cause:  # it was cancelled in the same batch
            row |= {"refunding_minor": after.refunding_minor, "cause": after.cause}
        writes.rows(table.PAYMENTS_AT_ONCE).append(row)


def write_refund(writes: Writes, screening_id: int, refund: Refund) -> None:
    """Money that is to go back."""
    writes.rows(table.REFUNDS_ASKED).append(
        {
            "screening_id": screening_id,
            "id": refund.id,
            "payment_id": refund.payment_id,
            "booking_id": refund.booking_id,
            "amount_minor": refund.amount.amount_minor,
            "currency": refund.amount.currency,
            "cause": refund.cause,
        }
    )


def write_entry(writes: Writes, screening_id: int, entry: Entry) -> None:
    """What happened with a payment."""
    writes.rows(table.ENTRIES_MADE).append(
        {
            "screening_id": screening_id,
            "payment_id": entry.payment_id,
            "id": entry.id,
            "kind": entry.kind,
            "amount_minor": entry.amount.amount_minor,
            "currency": entry.amount.currency,
            "reference": entry.reference,
            "cause": entry.cause,
        }
    )


def write_transfer(writes: Writes, screening_id: int, before: Transfer | None, after: Transfer) -> None:
    """An offer that was made or changed."""
    if before is None:
        writes.rows(table.TRANSFERS_MADE).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "booking_id": after.booking_id,
                "seat_ids": after.seat_ids,
                "code_hash": after.code_hash,
                "status": after.status,
                "accepted_as": after.accepted_as,
            }
        )
    else:
        writes.rows(table.TRANSFERS_CHANGED).append(
            {
                "screening_id": screening_id,
                "id": after.id,
                "status": after.status,
                "status_before": before.status,
                "accepted_as": after.accepted_as,
            }
        )


def _seat_of_reservation(
    screening_id: int, reservation_id: UUID, user_id: int
) -> Callable[[int, Money, datetime | None], ReservationSeat]:
    return lambda seat_id, price, released_at: {
        "screening_id": screening_id,
        "reservation_id": reservation_id,
        "seat_id": seat_id,
        "user_id": user_id,
        "amount_minor": price.amount_minor,
        "currency": price.currency,
        "released_at": released_at,
    }


def _seat_of_booking(screening_id: int, booking_id: UUID) -> Callable[[int, Money, datetime | None], BookingSeat]:
    return lambda seat_id, price, cancelled_at: {
        "screening_id": screening_id,
        "booking_id": booking_id,
        "seat_id": seat_id,
        "amount_minor": price.amount_minor,
        "currency": price.currency,
        "cancelled_at": cancelled_at,
    }


def _write_seats(
    writes: Writes,
    parts: tuple[Part[Seat], Part[Seat]],
    seat: Callable[[int, Money, datetime | None], Seat],
    before: Reservation | Booking | None,
    after: Reservation | Booking,
    ended_at: datetime | None,
) -> None:
    """Its seats, and those that left it, made or changed. `ended_at`: when its seats, too, ceased to be taken (a
    cancelled booking).
    """
    made, changed = parts
    prices_before, left_before = (before.prices, before.left) if before else ({}, {})
    for seat_id, price in after.prices.items():
        if seat_id not in prices_before and seat_id not in left_before:
            writes.rows(made).append(seat(seat_id, price, ended_at))
        elif ended_at is not None or prices_before.get(seat_id) != price:
            writes.rows(changed).append(seat(seat_id, price, ended_at))
    if not after.left:
        return
    # What left in the same batch left before the rest ended: the times tell the two apart (db.bookings.booking_of).
    left_at = writes.at - timedelta.resolution if ended_at == writes.at else writes.at
    for seat_id, price in after.left.items():
        if seat_id not in prices_before and seat_id not in left_before:
            writes.rows(made).append(seat(seat_id, price, left_at))
        elif left_before.get(seat_id) != price:
            writes.rows(changed).append(seat(seat_id, price, left_at))
