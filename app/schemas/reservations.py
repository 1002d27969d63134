"""Reservations in JSON (api.md, section 7)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from app.domain.box_office.outcomes import Toggled
from app.domain.box_office.screening_state import ScreeningState
from app.domain.money import Money, total
from app.domain.reservations import Reservation
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.schemas.format.moments import moment
from app.schemas.format.money import money_json
from app.schemas.format.versions import around_version

Json = dict[str, Any]


def reservation_json(
    reservation: Reservation, screening: Screening, layout: Layout, now: datetime
) -> tuple[bytes, bytes]:
    """A reservation as it is at this moment (UTC): what comes before its version, and what comes after it."""
    return around_version(reservation_out(reservation, screening, layout, now))


def reservation_out(reservation: Reservation, screening: Screening, layout: Layout, now: datetime) -> Json:
    """A reservation as it is at this moment (UTC), before it is encoded."""
    holding = reservation.is_holding(now)
    to_the_cap = screening.latest_end(reservation.first_held_at) - reservation.expires_at
    return {
        "id": str(reservation.id),
        "screening_id": screening.id,
        "user_id": reservation.user_id,
        "status": reservation.status_at(now),
        "seats": priced_seats_out(reservation.prices, layout),
        "total": money_json(total(reservation.prices.values(), screening.currency)),
        "created_at": moment(reservation.created_at),
        "expires_at": moment(reservation.expires_at),
        "expires_in_seconds": int((reservation.expires_at - now).total_seconds()) if holding else 0,
        "server_time": moment(now),
        "extensions_left": to_the_cap // screening.hold_time if holding else 0,
        "booking_id": str(reservation.booking_id) if reservation.booking_id else None,
        "version": reservation.version,
    }


def toggled_json(toggled: Toggled, state: ScreeningState, now: datetime) -> bytes:
    """What a toggle did, and what is left of the caller's newest hold."""
    left = toggled.reservation
    return orjson.dumps(
        {
            "reserved": named_seats_out(toggled.reserved, state.layout),
            "released": named_seats_out(toggled.released, state.layout),
            "reservation": reservation_out(left, state.screening, state.layout, now) if left else None,
            "version": state.version,
        }
    )


def released_json(seat_ids: Iterable[int], state: ScreeningState) -> bytes:
    """Everything that the caller gave back."""
    return orjson.dumps({"released": named_seats_out(seat_ids, state.layout), "version": state.version})


def priced_seats_out(prices: Mapping[int, Money], layout: Layout) -> list[Json]:
    """Seats with their prices."""
    return [
        {"seat_id": seat_id, "label": layout.label_of(seat_id), "price": money_json(price)}
        for seat_id, price in prices.items()
    ]


def named_seats_out(seat_ids: Iterable[int], layout: Layout) -> list[Json]:
    """Seats by id and label."""
    return [{"seat_id": seat_id, "label": layout.label_of(seat_id)} for seat_id in seat_ids]
