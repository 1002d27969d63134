"""Lists come in pages: how many at a time, and an opaque cursor that says where the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field

T = TypeVar("T")
Place = TypeVar("Place")

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor of those after them; None: these were the last."""

    items: Sequence[T]
    next_cursor: str | None


def page_of(found: Sequence[T], limit: int, place: Callable[[T], str]) -> Page[T]:
    """A page from up to `limit` + 1 items that were found: one more than asked for tells that there is a next page."""
    items = found[:limit]
    return Page(items, place(items[-1]) if len(found) > limit else None)


def page_json(items: Sequence[object], next_cursor: str | None) -> bytes:
    """The envelope of every list."""
    return orjson.dumps({"items": items, "next_cursor": next_cursor})


def id_cursor(last: int) -> str:
    """The cursor after this id."""
    return _encode(str(last))


def after_id(cursor: str) -> int:
    """The id that a cursor stands after. Raises ValueError when it is not one of ours."""
    return _id(_decode(cursor))


def uuid_cursor(last: UUID) -> str:
    """The cursor after this UUID."""
    return _encode(str(last))


def after_uuid(cursor: str) -> UUID:
    """The UUID that a cursor stands after. Raises ValueError when it is not one of ours."""
    return UUID(_decode(cursor))


def moment_cursor(at: datetime, last: int) -> str:
    """The cursor after this moment and, of those at the same moment, this id."""
    return _encode(f"{at.astimezone(UTC).isoformat()} {last}")


def after_moment(cursor: str) -> tuple[datetime, int]:
    """The moment (UTC) and id that a cursor stands after. Raises ValueError when it is not one of ours."""
    at, _, last = _decode(cursor).partition(" ")
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is not UTC:
        raise ValueError(_NOT_OURS)
    return moment, _id(last)


_NOT_OURS = "This should be the next_cursor of the page before, unchanged."


def _encode(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise ValueError(_NOT_OURS) from None


def _id(digits: str) -> int:
    if not (digits.isdecimal() and len(digits) < 20 and int(digits) <= LARGEST_ID):
        raise ValueError(_NOT_OURS)
    return int(digits)


def _checked(place: Callable[[str], object]) -> Callable[[str], str]:
    def check(cursor: str) -> str:
        try:
            place(cursor)
        except ValueError:
            raise ValueError(_NOT_OURS) from None
        return cursor

    return check


_CURSOR = Field(max_length=200)

Limit = Annotated[int, Field(ge=1, le=200, description="How many at most.")]
IdCursor = Annotated[str, AfterValidator(_checked(after_id)), _CURSOR]
UuidCursor = Annotated[str, AfterValidator(_checked(after_uuid)), _CURSOR]
MomentCursor = Annotated[str, AfterValidator(_checked(after_moment)), _CURSOR]
