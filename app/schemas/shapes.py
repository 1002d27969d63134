"""The shapes of answers about seats, for the OpenAPI document. The answers themselves are made as bytes elsewhere."""

from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.domain.bookings import BookingStatus, PaymentStatus
from app.domain.reservations import ReservationStatus
from app.domain.seats import SeatStatus
from app.schemas.format.moments import MomentOut

_RESERVATION: Final[dict[str, Any]] = {
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
    "version": 1,
}
_BOOKING: Final[dict[str, Any]] = {
    "id": "01a1f8cd-efb9-721d-b606-2f010a4ca70b",
    "screening_id": 1,
    "user_id": 17,
    "reservation_id": _RESERVATION["id"],
    "status": "confirmed",
    "seats": _RESERVATION["seats"],
    "total": _RESERVATION["total"],
    "payment": {"status": "paid", "reference": "dummy-01a1f8cd-efb9-721d-b606-2f010a4ca70b"},
    "created_at": "2026-11-20T11:54:02.117Z",
    "cancelled_at": None,
    "version": 2,
}


class Money(BaseModel):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


class NamedSeat(BaseModel):
    """A seat by id and label."""

    seat_id: int
    label: str


class PricedSeat(NamedSeat):
    """A seat at the price of its hold or booking."""

    price: Money


class ReservationOut(BaseModel):
    """A hold. `guest_token` is there when it made a guest of the caller."""

    id: UUID
    screening_id: int
    user_id: int
    status: ReservationStatus
    seats: list[PricedSeat]
    total: Money
    created_at: MomentOut
    expires_at: MomentOut
    expires_in_seconds: int
    server_time: MomentOut
    extensions_left: int = Field(description="How many more whole hold times fit before the cap.")
    booking_id: UUID | None
    version: int
    guest_token: str | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [_RESERVATION]})


class ReservationsOut(BaseModel):
    """A page of reservations, newest first."""

    items: list[ReservationOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_RESERVATION], "next_cursor": None}]})


class ToggledOut(BaseModel):
    """What a toggle did, and what is left of the caller's newest hold."""

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
                    "reservation": _RESERVATION,
                    "version": 1,
                }
            ]
        }
    )


class ReleasedOut(BaseModel):
    """The seats that were given back."""

    released: list[NamedSeat]
    version: int

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"released": [{"seat_id": 1, "label": "A1"}], "version": 2}]}
    )


class PaymentOut(BaseModel):
    """What became of the money, and how the provider calls the payment."""

    status: PaymentStatus
    reference: str


class BookingOut(BaseModel):
    """Seats that are sold."""

    id: UUID
    screening_id: int
    user_id: int
    reservation_id: UUID | None
    status: BookingStatus
    seats: list[PricedSeat]
    total: Money
    payment: PaymentOut
    created_at: MomentOut
    cancelled_at: MomentOut | None
    version: int
    guest_token: str | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [_BOOKING]})


class BookingsOut(BaseModel):
    """A page of bookings, newest first."""

    items: list[BookingOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_BOOKING], "next_cursor": None}]})


class Counts(BaseModel):
    """How many seats of the house are what."""

    available: int
    reserved: int
    booked: int
    blocked: int


class MapSeat(NamedSeat):
    """A seat of a screening, for everybody or as the caller sees it."""

    section: str
    row: str
    number: int
    category: str
    accessible: bool
    price: Money | None
    status: SeatStatus
    is_mine: bool
    expires_at: MomentOut | None


class SeatMapOut(BaseModel):
    """Every seat of a screening. Counts are those of the whole house under any filter."""

    screening_id: int
    version: int
    counts: Counts
    seats: list[MapSeat]


class SectionLeftOut(BaseModel):
    """What is left of a section: how many seats, and the most of them side by side."""

    name: str
    available: int
    largest_block: int


class CompactMapOut(BaseModel):
    """Only what is taken: [seat_id, status, expires_at]. A seat that is not listed is available."""

    screening_id: int
    version: int
    counts: Counts
    sections: list[SectionLeftOut]
    taken: list[Annotated[tuple[int, SeatStatus, MomentOut | None], Field(json_schema_extra={"items": {}})]]


class ChangeOut(NamedSeat):
    """What a seat is since its last change. `previously_reserved_by` is the caller, when the hold was theirs."""

    status: SeatStatus
    is_mine: bool
    expires_at: MomentOut | None
    previously_reserved_by: int | None


class ChangesOut(BaseModel):
    """What changed up to `version`."""

    version: int
    updates: list[ChangeOut]
