"""Faults: the request is wrong as a request, before any rule is asked. The other noes are refusals, in `domain/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict


class Mistake(TypedDict):
    """One thing that is wrong with a body, a path or a query: where, a stable word for it, and a sentence."""

    loc: list[str | int]
    code: str
    message: str


class Fault(Exception):
    """The request cannot be answered as it was sent. `code` is the name of the problem in docs/api.md, section 3."""

    code: ClassVar[str]


@dataclass(slots=True, eq=False)
class Malformed(Fault):
    """A body, path or query that does not say what it must; never repeats what was sent, for that may be a password."""

    code: ClassVar[str] = "validation"
    errors: Sequence[Mistake]


@dataclass(slots=True, eq=False)
class UnsupportedMediaType(Fault):
    """The body is not JSON in UTF-8; `why` is a sentence for a person."""

    code: ClassVar[str] = "unsupported-media-type"
    why: str


@dataclass(slots=True, eq=False)
class PayloadTooLarge(Fault):
    """The body is longer than this call takes, in bytes."""

    code: ClassVar[str] = "payload-too-large"
    allowed_bytes: int


@dataclass(slots=True, eq=False)
class HeadersTooLarge(Fault):
    """Request line and headers are longer than anybody needs, in bytes."""

    code: ClassVar[str] = "headers-too-large"
    allowed_bytes: int


@dataclass(slots=True, eq=False)
class BadRequest(Fault):
    """HTTP itself was used wrongly; `why` is a sentence for a person."""

    code: ClassVar[str] = "bad-request"
    why: str


@dataclass(slots=True, eq=False)
class NoSuchPath(Fault):
    """No call has this path."""

    code: ClassVar[str] = "not-found"


@dataclass(slots=True, eq=False)
class MethodNotAllowed(Fault):
    """The path is known, the method is none of these."""

    code: ClassVar[str] = "method-not-allowed"
    methods: Sequence[str]


def mistake(where: Sequence[str | int], code: str, message: str) -> Malformed:
    """A request with just one mistake."""
    return Malformed([Mistake(loc=list(where), code=code, message=message)])
