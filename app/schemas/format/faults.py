"""Faults: the request itself is wrong, before any rule is asked. When a rule says no, that is a refusal (domain/)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NotRequired, TypedDict

_COUNTED: Final = re.compile(r"Value should have at most (\d+) items? after validation, not \S+")
"""What pydantic says of a text that it has changed before it was measured (trimmed, for example)."""


class Mistake(TypedDict):
    """One mistake in a body, a path or a query: its place, a stable code, and a sentence.

    `allowed`: all that could stand there, where that is a list.
    """

    loc: list[str | int]
    code: str
    message: str
    allowed: NotRequired[Sequence[str]]


class Fault(Exception):
    """The request is wrong. `code` is the kind of problem (docs/api.md, section 3)."""

    code: ClassVar[str]


@dataclass(slots=True, eq=False)
class Malformed(Fault):
    """A body, path or query is not valid. The mistakes never repeat what was sent: it may be a password."""

    code: ClassVar[str] = "validation"
    errors: Sequence[Mistake]


@dataclass(slots=True, eq=False)
class UnsupportedMediaType(Fault):
    """The body is not JSON in UTF-8. `why` is a sentence for a person."""

    code: ClassVar[str] = "unsupported-media-type"
    why: str


@dataclass(slots=True, eq=False)
class PayloadTooLarge(Fault):
    """The body has more bytes than this call allows."""

    code: ClassVar[str] = "payload-too-large"
    allowed_bytes: int


@dataclass(slots=True, eq=False)
class HeadersTooLarge(Fault):
    """Request line and headers have more bytes than are allowed."""

    code: ClassVar[str] = "headers-too-large"
    allowed_bytes: int


@dataclass(slots=True, eq=False)
class BadRequest(Fault):
    """The request is not valid HTTP. `why` is a sentence for a person."""

    code: ClassVar[str] = "bad-request"
    why: str


@dataclass(slots=True, eq=False)
class UnknownCoding(Fault):
    """The body has a Transfer-Encoding other than chunked."""

    code: ClassVar[str] = "not-implemented"


@dataclass(slots=True, eq=False)
class NoSuchPath(Fault):
    """No call has this path."""

    code: ClassVar[str] = "not-found"


@dataclass(slots=True, eq=False)
class MethodNotAllowed(Fault):
    """The path exists, but only with these methods."""

    code: ClassVar[str] = "method-not-allowed"
    methods: Sequence[str]


@dataclass(slots=True, eq=False)
class UpgradeRequired(Fault):
    """The path is that of a WebSocket, and the request does not ask for one: perhaps a proxy has dropped that."""

    code: ClassVar[str] = "upgrade-required"


def mistake(where: Sequence[str | int], code: str, message: str) -> Malformed:
    """The fault of a request with just one mistake. `where` is its place: ["body", "seat_ids", 0]."""
    return Malformed([Mistake(loc=list(where), code=code, message=message)])


def code_and_message(error: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, from one of pydantic's errors. A text is counted in characters, whenever it was measured."""
    message: str = error["msg"].removeprefix("Value error, ")
    if error["type"] == "too_long" and (counted := _COUNTED.fullmatch(message)) is not None:
        return "string_too_long", f"String should have at most {counted[1]} characters"
    return error["type"], message
