"""Reservations in JSON (docs/api.md, section 7)."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.domain.box_office.outcomes import Toggled
from app.domain.box_office.screening_state import ScreeningState
from app.domain.money import total
from app.domain.payments import Payment, PaymentState
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.schemas.format.ids import UserIdOut
from app.schemas.format.moments import MomentOut, moment
from app.schemas.format.money import Money, money_json
from app.schemas.format.requests import Strict
from app.schemas.format.versions import around_version
from app.schemas.seats import NamedSeat, PricedSeat, named_seats_out, priced_seats_out

Json = dict[str, Any]

RESERVATION_EXAMPLE: Final[Json] = {
    "id": "01a1f8cd-ef9f-7096-b2d5-e6959f6f9f16",
    "screening_id": 1,
    "user_id": 17,
    "status": "held",
    "seats": [{"seat_id": 1, "label": "A1", "price": {"amount_minor": 4500, "currency": "EUR"}}],
    "total": {"amount_minor": 4500, "currency": "EUR"},
    "created_at": "2026-11-20T11:53:28.235Z",
    "expires_at": "2026-11-20T11:58:28.235Z",
    "expires_in_seconds": 300,
    "server_time": "2026-11-20T11:53:28.235Z",
    "extensions_left": 2,
    "booking_id": None,
    "payment": None,
    "version": 1,
}


ADJACENT: Final = "Only there for the best available seats: whether they are one block of neighbours."


class NothingIn(Strict):
    """An empty object. The body may be left out; members are refused, so that nobody thinks they had an effect."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class Paying(StrEnum):
    """How a payment stands that is not decided yet."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"


class PayingOut(BaseModel):
    """A payment that is not decided yet. Where the payer has to act, the last two say how."""

    provider: str
    status: Paying
    redirect_url: str | None
    client_secret: str | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "dummy",
                    "status": "requires_action",
                    "redirect_url": "/payments/dummy/dummy-01a1f8cd-efb9-721d-b606-2f010a4ca70b",
                    "client_secret": None,
                }
            ]
        }
    )


class ReservationOut(BaseModel):
    """A hold. `guest_token` is only there if the request created a guest."""

    id: UUID
    screening_id: int
    user_id: UserIdOut
    status: ReservationStatus
    seats: list[PricedSeat]
    total: Money
    created_at: MomentOut
    expires_at: MomentOut
    expires_in_seconds: int
    server_time: MomentOut
    extensions_left: int = Field(description="How many more extensions by a full hold time are possible now.")
    booking_id: UUID | None
    payment: PayingOut | None = Field(description="Only while it is being paid for.")
    version: int
    adjacent: bool | None = Field(None, description=ADJACENT)
    guest_token: str | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [RESERVATION_EXAMPLE]})


class ReservationsOut(BaseModel):
    """A page of reservations, newest first."""

    items: list[ReservationOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [RESERVATION_EXAMPLE], "next_cursor": None}]})


class ToggledOut(BaseModel):
    """The seats that were taken and given back, and the caller's newest hold, if one is left."""

    reserved: list[NamedSeat]
    released: list[NamedSeat]
    reservation: ReservationOut | None
    version: int
    guest_token: str | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reserved": [{"seat_id": 1, "label": "A1"}],
                    "released": [],
                    "reservation": RESERVATION_EXAMPLE,
                    "version": 1,
                }
            ]
        }
    )


class ReleasedOut(BaseModel):
    """The seats that were released."""

    released: list[NamedSeat]
    version: int

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"released": [{"seat_id": 1, "label": "A1"}], "version": 2}]}
    )


def reservation_json(
    reservation: Reservation,
    screening: Screening,
    layout: Layout,
    now: datetime,
    adjacent: bool | None = None,
    payment: Payment | None = None,
) -> tuple[bytes, bytes]:
    """A reservation as it is at this moment (UTC): what comes before its version, and what comes after it.

    `adjacent` is told unless it is None. `payment` is the one that is not decided yet.
    """
    out = reservation_out(reservation, screening, layout, now, payment)
    if adjacent is not None:
        out["adjacent"] = adjacent
    return around_version(out)


def reservation_out(
    reservation: Reservation, screening: Screening, layout: Layout, now: datetime, payment: Payment | None = None
) -> Json:
    """A reservation as it is at this moment (UTC), before it is encoded."""
    holding = reservation.is_holding(now)
    extensions_left = 0
    if holding and reservation.status is ReservationStatus.HELD and screening.is_on_sale(now):
        to_the_cap = screening.latest_end(reservation.first_held_at) - reservation.expires_at
        extensions_left = max(0, to_the_cap // screening.hold_time)
    return {
        "id": str(reservation.id),
        "screening_id": screening.id,
        "user_id": reservation.user_id,
        "status": reservation.status_at(now),
        "seats": priced_seats_out(reservation.prices, layout),
        "total": money_json(total(reservation.prices.values(), screening.currency)),
        "created_at": moment(reservation.created_at),
        "expires_at": moment(reservation.expires_at),
        "expires_in_seconds": max(0, int((reservation.expires_at - now).total_seconds())) if holding else 0,
        "server_time": moment(now),
        "extensions_left": extensions_left,
        "booking_id": str(reservation.booking_id) if reservation.booking_id else None,
        "payment": None if payment is None else _paying_out(payment),
        "version": reservation.version,
    }


def _paying_out(payment: Payment) -> Json:
    needs_action = payment.status is PaymentState.REQUIRES_ACTION
    return {
        "provider": payment.provider,
        "status": Paying.REQUIRES_ACTION if needs_action else Paying.PROCESSING,
        "redirect_url": payment.redirect_url,
        "client_secret": payment.client_secret,
    }


def toggled_json(toggled: Toggled, state: ScreeningState, now: datetime) -> bytes:
    """The seats that were taken and given back, and the caller's newest hold at `now` (UTC), if one is left."""
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
    """The seats that the caller released."""
    return orjson.dumps({"released": named_seats_out(seat_ids, state.layout), "version": state.version})
