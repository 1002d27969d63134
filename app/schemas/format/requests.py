"""What all bodies share: strict types, and unknown members are refused (but for the calls of docs/api.md, section 10).

Bodies are validated in pydantic's JSON mode: `true`, `"1"` and `1.0` are not integers, but times and UUIDs are strings.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from app.domain.texts import one_line
from app.schemas.format.ids import LARGEST_BIGINT

_EMAIL: Final = re.compile(r"^[^@\s]{1,64}@[^@\s]+$")


class Strict(BaseModel):
    """A body whose unknown members are refused, so that nobody thinks they had an effect."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Lenient(BaseModel):
    """A body of a call that existing clients make. Unknown members are ignored; types are strict."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)


_LONGEST: Final = 4_000
"""Characters of a line before it is normalized, which takes long for many. No line has a tenth of them afterwards."""


def _one_line(text: str) -> str:
    if len(text) > _LONGEST:
        raise PydanticCustomError("string_too_long", "This has far too many characters.")
    try:
        return one_line(text)
    except ValueError as wrong:
        raise PydanticCustomError("string_control", "{why}", {"why": str(wrong)}) from None


def _email(text: str) -> str:
    if not _EMAIL.match(text):
        raise PydanticCustomError("email_form", "This should be an email address, as in ada@example.org.")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("string_control", "This must be one line, without control characters.")
    return text


def exactly_one_of(schema: dict[str, Any], ways: Mapping[str, Collection[str]]) -> None:
    """Make the schema of an object a `oneOf`: one object for each way.

    `ways` are the members of which exactly one is sent, each with the other members that must not come with it.
    """
    members = {name: schema.pop(name) for name in ("properties", "required", "additionalProperties") if name in schema}
    properties: dict[str, Any] = members["properties"]
    schema.pop("type")
    schema["oneOf"] = [
        {
            **members,
            "type": "object",
            "title": f"{schema['title']}By{''.join(word.title() for word in way.split('_'))}",
            "properties": {
                name: _not_null(described) if name == way else described
                for name, described in properties.items()
                if name == way or not (name in ways or name in without)
            },
            "required": [way, *members.get("required", ())],
        }
        for way, without in ways.items()
    ]


def _not_null(described: dict[str, Any]) -> dict[str, Any]:
    [kind] = [kind for kind in described["anyOf"] if kind != {"type": "null"}]
    return {**kind, **{name: value for name, value in described.items() if name not in ("anyOf", "default")}}


def _let_others(value: Any) -> Any:
    return value


LETTING_OTHERS = BeforeValidator(_let_others)
"""For the items of a list that may have tens of thousands. Between two of them a line of Python is run: whoever waits
for the interpreter gets it there, which pydantic's own code keeps."""

Id = Annotated[int, Field(ge=1, le=LARGEST_BIGINT)]
"""An integer id in a body."""

Uuid = Annotated[UUID, Field(strict=False)]
"""A UUID within a body: JSON has it as text."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_one_line)]
"""One line of text in any script, trimmed, in normal form C. Add a `max_length`."""

Label = Annotated[Line, Field(max_length=160)]
"""The label of a seat, compared exactly after trimming and normalizing (NFC)."""

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    Field(json_schema_extra={"pattern": _EMAIL.pattern}),
    AfterValidator(_email),
    AfterValidator(_printable),
]
"""An email address. Only its form is checked."""

Moment = AwareDatetime
"""A time with its zone, RFC 3339."""

BookingKey = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
"""A UUID that serves as the idempotency key of a booking when no header is sent; `dependencies.key_for` reads it."""
