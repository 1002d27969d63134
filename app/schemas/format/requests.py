"""What every body has in common: strict types, and no member that nobody knows (but for docs/api.md, section 10).

Bodies are read in pydantic's JSON mode: `true`, `"1"` and `1.0` are no integers, yet times and UUIDs may be texts.
"""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.schemas.format.ids import LARGEST_INTEGER


class Strict(BaseModel):
    """A body whose unknown members are a mistake: whoever sends `price` must learn that it was not heard."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Lenient(BaseModel):
    """A body of the calls that existing clients make: unknown members are ignored, types are as strict."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("string_control", "This should be one line, without control characters.")
    return text


Id = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
"""An integer id within a body."""

Uuid = Annotated[UUID, Field(strict=False)]
"""A UUID within a body: JSON has it as text."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_printable)]
"""One line of text, trimmed; add a `max_length`."""

Label = Annotated[Line, Field(max_length=160)]
"""A seat's label, matched exactly after trimming."""

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s]+$"),
    AfterValidator(_printable),
]
"""An address as far as anybody can tell without writing to it."""

Moment = AwareDatetime
"""A time with its zone, RFC 3339."""

BookingKey = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
"""A UUID that serves as the idempotency key of a booking when no header is sent; `dependencies.key_for` reads it."""
