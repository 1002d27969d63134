"""Bookings and their payments in JSON (docs/api.md, section 7)."""

from typing import Any, ClassVar, Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.domain.bookings import Booking, BookingStatus, Paid, PaidStatus
from app.domain.money import total
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.schemas.finding.wishes import MayNameNoSeats, TheaterSeatsIn
from app.schemas.format.ids import UserIdOut
from app.schemas.format.moments import MomentOut, moment
from app.schemas.format.money import Money, money_json
from app.schemas.format.requests import BookingKey, Email, Id, Lenient, Line, Strict, Uuid
from app.schemas.format.versions import around_version
from app.schemas.reservations import ADJACENT, RESERVATION_EXAMPLE
from app.schemas.seats import PricedSeat, priced_seats_out

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "01a1f8cd-efb9-721d-b606-2f010a4ca70b",
    "screening_id": 1,
    "user_id": 17,
    "reservation_id": RESERVATION_EXAMPLE["id"],
    "status": "confirmed",
    "seats": RESERVATION_EXAMPLE["seats"],
    "total": RESERVATION_EXAMPLE["total"],
    "payment": {
        "status": "paid",
        "provider": "dummy",
        "reference": "dummy-01a1f8cd-efb9-721d-b606-2f010a4ca70b",
        "amount": {"amount_minor": 4500, "currency": "EUR"},
        "refunded": {"amount_minor": 0, "currency": "EUR"},
    },
    "created_at": "2026-11-20T11:54:02.117Z",
    "cancelled_at": None,
    "version": 2,
}


class _Payment(BaseModel):
    method: Line | None = Field(None, max_length=64, description="A payment method of the provider.")
    token: Line | None = Field(
        None, max_length=4096, description="The token that the provider gave to the buyer's browser."
    )


class PaymentIn(_Payment, Strict):
    """How a buyer pays."""


class LenientPaymentIn(_Payment, Lenient):
    """How a buyer pays. Other members are ignored."""


class ConfirmIn(Strict):
    """How to pay for a hold. The dummy provider needs nothing: it takes everything."""

    payment: PaymentIn | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"payment": {"method": "card", "token": "ok"}}]})


class BookingIn(MayNameNoSeats, Strict):
    """What to book: a reservation, or seats directly, or the best available."""

    NEEDS_SEATS: ClassVar[bool] = False
    OTHER_WAYS: ClassVar = {"reservation_id": ("screening_id", "theater_id")}

    reservation_id: Uuid | None = Field(None, description="The reservation to book; then name no seats.")
    screening_id: Id | None = Field(
        None, description="The screening of the seats; not needed while only one is on sale."
    )
    theater_id: Id | None = Field(
        None, description="The theater of the seats; enough while one screening is on sale there."
    )
    booking_id: BookingKey | None = Field(None, description="Used as the idempotency key if the header is not sent.")
    payment: PaymentIn | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"screening_id": 1, "seats": ["C3", "C4"]},
                {"screening_id": 1, "seat_id": 43},
                {"screening_id": 1, "best_available": {"count": 2}},
            ]
        }
    )

    @model_validator(mode="after")
    def _a_reservation_or_seats(self) -> Self:
        if (self.reservation_id is None) is not self.names_any_seats:
            raise PydanticCustomError("booking_what", "Send either reservation_id or seats.")
        if self.reservation_id is not None and (self.screening_id or self.theater_id) is not None:
            raise PydanticCustomError(
                "booking_what",
                "Send reservation_id without screening_id or theater_id: a reservation belongs to one screening.",
            )
        return self


class TheaterBookingIn(TheaterSeatsIn):
    """Seats of a theater to book, or a wish, and how to pay for them."""

    payment: LenientPaymentIn | None = None


class FindIn(Strict):
    """What somebody has who lost the way back to their booking."""

    email: Email = Field(examples=["ada@example.org"], description="The address that was given when booking.")
    booking_id: Uuid = Field(examples=[_EXAMPLE["id"]])

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ada@example.org", "booking_id": _EXAMPLE["id"]}]}
    )


class PaymentOut(BaseModel):
    """The money of a booking. A refund is pending until the provider has said yes."""

    status: PaidStatus
    provider: str
    reference: str = Field(description="The provider's name for the payment.")
    amount: Money = Field(description="All that was paid in.")
    refunded: Money = Field(description="What went back.")


class BookingOut(BaseModel):
    """Booked seats."""

    id: UUID
    screening_id: int
    user_id: UserIdOut
    reservation_id: UUID | None
    status: BookingStatus
    seats: list[PricedSeat]
    total: Money
    payment: PaymentOut
    created_at: MomentOut
    cancelled_at: MomentOut | None
    version: int
    adjacent: bool | None = Field(None, description=ADJACENT)
    cancel_reason: str | None = Field(
        None, description="Why it was cancelled, in words. Only there for organizers, if somebody has said it."
    )
    guest_token: str | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class BookingsOut(BaseModel):
    """A page of bookings, newest first."""

    items: list[BookingOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})


def booking_json(
    booking: Booking, screening: Screening, layout: Layout, adjacent: bool | None = None
) -> tuple[bytes, bytes]:
    """A booking: what comes before its version, and what comes after it.

    After a partial cancellation, its seats and total are what is left. `adjacent` is told unless it is None.
    """
    out = booking_out(booking, screening, layout)
    if adjacent is not None:
        out["adjacent"] = adjacent
    return around_version(out)


def booking_out(booking: Booking, screening: Screening, layout: Layout) -> dict[str, Any]:
    """As `booking_json`, before it is encoded."""
    return {
        "id": str(booking.id),
        "screening_id": screening.id,
        "user_id": booking.user_id,
        "reservation_id": str(booking.reservation_id) if booking.reservation_id else None,
        "status": booking.status,
        "seats": priced_seats_out(booking.prices, layout),
        "total": money_json(total(booking.prices.values(), screening.currency)),
        "payment": _paid_out(booking.payment),
        "created_at": moment(booking.created_at),
        "cancelled_at": moment(booking.cancelled_at) if booking.cancelled_at else None,
        "version": booking.version,
    }


def _paid_out(paid: Paid) -> dict[str, Any]:
    return {
        "status": paid.status,
        "provider": paid.provider,
        "reference": paid.reference,
        "amount": money_json(paid.amount),
        "refunded": money_json(paid.refunded),
    }
