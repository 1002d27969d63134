"""Ids and numbers in a path or a query. They are plain decimal digits: the edge refuses `1_000` or `+1`."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

LARGEST_INTEGER: Final = 2**31 - 1
LARGEST_BIGINT: Final = 2**63 - 1

_Id = Annotated[int, Field(ge=1, le=LARGEST_BIGINT)]

TheaterId = Annotated[_Id, Field(description="A theater, as `GET /theaters` lists them.", examples=[1])]
ScreeningId = Annotated[_Id, Field(description="A screening, as `GET /screenings` lists them.", examples=[1])]
SeatId = Annotated[_Id, Field(description="A seat, as a theater's layout lists them.", examples=[1])]
ReservationId = Annotated[UUID, Field(description="A reservation of the caller.")]
UserId = Annotated[int, Field(ge=1, le=LARGEST_BIGINT, description="A user.", json_schema_extra={"format": "int64"})]
UserIdOut = Annotated[int, Field(json_schema_extra={"format": "int64"})]
"""A user in an answer. Clients that are made from the document must not read it into 32 bits."""
PaymentId = Annotated[UUID, Field(description="A payment, as `GET /payments` lists them.")]
BookingId = Annotated[UUID, Field(description="A booking of the caller.")]

Since = Annotated[int, Field(ge=0, le=LARGEST_BIGINT, description="The last version that the caller knows.")]
