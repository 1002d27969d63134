"""Transfers in JSON (docs/api.md, section 13)."""

from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from app.domain.bookings import Booking
from app.domain.house.catalogue import ListedScreening
from app.domain.screenings import Screening
from app.domain.seats import Layout
from app.domain.transfers import Transfer, TransferSide, TransferStatus
from app.schemas.format.moments import MomentOut, encoded, moment
from app.schemas.format.requests import Strict
from app.schemas.seats import NamesSeats, PricedSeat, priced_seats_out

CODE_EXAMPLE: Final = "1-8F3M-K0QD-7ZTA-42XV-RJ9C-6HNE-B5WS"

_OFFER: Final[dict[str, Any]] = {
    "status": "offered",
    "seats": [{"seat_id": 41, "label": "C1", "price": {"amount_minor": 4500, "currency": "EUR"}}],
    "expires_at": "2026-11-21T18:30:00.000Z",
}


class OfferIn(NamesSeats, Strict):
    """Which seats of the booking; all of them, if none are named."""

    NEEDS_SEATS: ClassVar[bool] = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"seats": ["C1"]}, {"seat_ids": [41, 42]}, {}]})

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        nothing = {"type": "object", "title": "OfferInOfAll", "properties": {}, "additionalProperties": False}
        handler.resolve_ref_schema(schema)["oneOf"].append(nothing)
        return schema


class ScreeningOfTransfer(BaseModel):
    """What the seats are for."""

    id: int
    title: str
    starts_at: MomentOut


class OfferOut(BaseModel):
    """Seats that are offered, and the code with which somebody else may take them."""

    code: str = Field(description="Whoever has it may accept: send it to one person.")
    status: TransferStatus
    seats: list[PricedSeat]
    expires_at: MomentOut = Field(description="72 hours from now, or when the screening starts, if that is earlier.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": CODE_EXAMPLE, **_OFFER}]})


class TransferOut(BaseModel):
    """Seats that are or were offered, as whoever has the code sees them."""

    status: TransferStatus
    screening: ScreeningOfTransfer
    seats: list[PricedSeat]
    expires_at: MomentOut

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_OFFER,
                    "screening": {"id": 1, "title": "The Tempest", "starts_at": "2026-11-21T18:30:00.000Z"},
                }
            ]
        }
    )


_LISTED: Final[dict[str, Any]] = {
    "booking_id": "01a1f8cd-efb9-721d-b606-2f010a4ca70b",
    "screening_id": 1,
    "code": CODE_EXAMPLE,
    **_OFFER,
}


class ListedTransferOut(BaseModel):
    """A transfer as giver or taker reads it."""

    booking_id: UUID = Field(description="The reader's own: what the seats were offered from, or what they went into.")
    screening_id: int
    code: str | None = Field(description="For the giver, as long as somebody may accept it; else null.")
    status: TransferStatus
    seats: list[PricedSeat]
    expires_at: MomentOut

    model_config = ConfigDict(json_schema_extra={"examples": [_LISTED]})


class TransfersOut(BaseModel):
    """A page of transfers, newest first."""

    items: list[ListedTransferOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_LISTED], "next_cursor": None}]})


def offer_json(transfer: Transfer, booking: Booking, screening: Screening, layout: Layout) -> bytes:
    """An offer that was made just now, without its code."""
    return orjson.dumps(_out(transfer, booking, screening, layout, TransferStatus.OFFERED))


def transfer_json(
    transfer: Transfer, booking: Booking, listed: ListedScreening, layout: Layout, now: datetime
) -> bytes:
    """A transfer as it stands at `now` (UTC). `booking`: the one that the seats were offered from."""
    screening = listed.screening
    out = _out(transfer, booking, screening, layout, transfer.status_at(booking, screening, now))
    its_screening = {"id": screening.id, "title": listed.title, "starts_at": moment(screening.starts_at)}
    return encoded({"status": out.pop("status"), "screening": its_screening, **out})


def listed_transfer_out(
    transfer: Transfer, booking: Booking, screening: Screening, layout: Layout, now: datetime, side: TransferSide
) -> dict[str, Any]:
    """A transfer of somebody's list as it stands at `now`, without its code, before it is encoded.

    `booking`: the one that the seats were offered from.
    """
    own = transfer.booking_id if side is TransferSide.GIVER else transfer.accepted_as
    status = transfer.status_at(booking, screening, now)
    return {
        "booking_id": str(own),
        "screening_id": screening.id,
        "code": None,
        **_out(transfer, booking, screening, layout, status),
    }


def _out(
    transfer: Transfer, booking: Booking, screening: Screening, layout: Layout, status: TransferStatus
) -> dict[str, Any]:
    return {
        "status": status,
        "seats": priced_seats_out(transfer.prices(booking), layout),
        "expires_at": moment(transfer.expires_at(screening)),
    }
