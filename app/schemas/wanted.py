"""What bodies ask for: holds, bookings, payments (docs/api.md, section 7), and as existing clients ask (section 10)."""

from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.format.requests import Email, Id, Lenient, Line, Strict
from app.schemas.seats import NamesSeats

BookingKey = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
"""A UUID that serves as the idempotency key of a booking when no header is sent; `dependencies.key_for` reads it."""


class PaymentIn(Strict):
    """How a buyer pays."""

    method: Line | None = Field(None, max_length=64, description="A way of paying that the provider knows.")
    token: Line | None = Field(None, max_length=4096, description="What the provider gave the buyer's browser.")


class ConfirmIn(Strict):
    """Paying for a hold. Nothing of it is needed with the dummy provider."""

    payment: PaymentIn | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"payment": {"method": "card", "token": "tok_visa"}}]})


class NothingIn(Strict):
    """A body that may be there, and says nothing: whoever sends more must learn that it was not heard."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class BookingIn(NamesSeats, Strict):
    """What to book: a reservation, or seats directly."""

    NEEDS_SEATS: ClassVar[bool] = False

    reservation_id: UUID | None = Field(None, description="The hold to book. Then no seats are named.")
    screening_id: Id | None = Field(
        None, description="The screening of the seats; not needed while only one is on sale."
    )
    booking_id: BookingKey | None = Field(
        None, description="Serves as the idempotency key when no such header is sent."
    )
    payment: PaymentIn | None = None

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"screening_id": 1, "seats": ["B1", "B2"]}, {"screening_id": 1, "seat_id": 21}]}
    )

    @model_validator(mode="after")
    def _a_reservation_or_seats(self) -> Self:
        if (self.reservation_id is None) is not self.names_any_seats:
            raise PydanticCustomError("booking_what", "Send reservation_id, or name seats; one of the two.")
        if self.reservation_id is not None and self.screening_id is not None:
            raise PydanticCustomError("booking_what", "A reservation says its screening: leave screening_id out.")
        return self


class TheaterSeatsIn(NamesSeats, Lenient):
    """Seats of a theater. The screening need not be said while only one is on sale there."""

    screening_id: Id | None = Field(None, description="One of the theater's screenings.")
    booking_id: BookingKey | None = Field(
        None, description="Serves as the idempotency key of a booking when no header is sent."
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"seats": ["C1", "C2"]}, {"seat": "C1"}]})


class SeatAtOnceIn(NamesSeats, Lenient):
    """One seat, for a guest of this email when nobody is signed in."""

    email: Email | None = None


class ConfirmAsTheyDoIn(Lenient):
    """A reservation, or the seat that is held."""

    reservation_id: UUID | None = None
    email: Email | None = None
    seat_id: Id | None = None

    @property
    def one_reservation(self) -> UUID:
        """The reservation, where no seat is named."""
        assert self.reservation_id is not None, "one of the two is there"  # noqa: S101 - for mypy; `_one_of_them` saw to it
        return self.reservation_id

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.reservation_id is None) is (self.seat_id is None):
            raise PydanticCustomError("confirm_what", "Send reservation_id, or seat_id with the owner's token.")
        return self


class ToggleAsTheyDoIn(NamesSeats, Lenient):
    """Seats of a screening."""

    screening_id: Id
