"""Times in JSON: RFC 3339, in UTC with Z and milliseconds."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EXAMPLE = "2026-11-20T19:30:00.000Z"


@lru_cache(maxsize=4096)
def moment(at: datetime) -> str:
    """A time as text: `2026-11-20T19:30:00.000Z`. Cached, as the seats of one command have the same times."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def moment_or_none(at: datetime | None) -> str | None:
    """As `moment`; None stays None."""
    return None if at is None else moment(at)


def read_moment(given: object) -> datetime:
    """A time from a request, in UTC.

    Raises:
        PydanticCustomError: it is not RFC 3339 with an offset from UTC, or not between 1970 and 9000.
    """
    if isinstance(given, str) and _RFC_3339.fullmatch(given):
        try:
            at = datetime.fromisoformat(given.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise PydanticCustomError("moment_none", "This date or time does not exist.") from None
        if 1970 <= at.year < 9000:
            return at
    raise PydanticCustomError(
        "moment_form",
        "This should be a time after 1970 with its offset from UTC, such as {example}.",
        {"example": _EXAMPLE},
    )


MomentIn = Annotated[
    datetime,
    BeforeValidator(read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]}),
]
"""A time in a body or a query: RFC 3339 with an offset, never a number. The value is in UTC."""

MomentOut = Annotated[
    datetime,
    PlainSerializer(moment, return_type=str),
    Field(json_schema_extra={"type": "string", "format": "date-time"}, examples=[_EXAMPLE]),
]
"""A time in the model of an answer."""


def encoded(value: Any) -> bytes:
    """JSON of dictionaries, lists and dataclasses. Times are written as `moment` does."""
    return orjson.dumps(value, default=_text, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, UUID):  # asyncpg has a kind of its own
        return str(value)
    raise TypeError(type(value).__name__)
