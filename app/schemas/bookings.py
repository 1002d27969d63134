"""Bookings in JSON (api.md, section 7)."""

from typing import Any

from app.domain.bookings import Booking
from app.domain.money import total
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.schemas.format.moments import moment
from app.schemas.format.money import money_json
from app.schemas.format.versions import around_version
from app.schemas.reservations import priced_seats_out


def booking_json(booking: Booking, screening: Screening, layout: Layout) -> tuple[bytes, bytes]:
    """A booking: what comes before its version, and what comes after it."""
    return around_version(booking_out(booking, screening, layout))


def booking_out(booking: Booking, screening: Screening, layout: Layout) -> dict[str, Any]:
    """A booking, before it is encoded; after a partial cancellation its seats and total are what is left."""
    return {
        "id": str(booking.id),
        "screening_id": screening.id,
        "user_id": booking.user_id,
        "reservation_id": str(booking.reservation_id) if booking.reservation_id else None,
        "status": booking.status,
        "seats": priced_seats_out(booking.prices, layout),
        "total": money_json(total(booking.prices.values(), screening.currency)),
        "payment": {"status": booking.payment.status, "reference": booking.payment.reference},
        "created_at": moment(booking.created_at),
        "cancelled_at": moment(booking.cancelled_at) if booking.cancelled_at else None,
        "version": booking.version,
    }
