"""Lists come in pages. An opaque cursor says where the next page begins."""

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
    """Some items of a list, and the cursor of the next page; None: this is the last one."""

    items: Sequence[T]
    next_cursor: str | None


def page_of(found: Sequence[T], limit: int, place: Callable[[T], str]) -> Page[T]:
    """A page of at most `limit` items of what was found: one item more says that there is a next page.

    `place` makes the cursor of the page after an item.
    """
    items = found[:limit]
    return Page(items, place(items[-1]) if len(found) > limit else None)


def page_json(items: Sequence[object], next_cursor: str | None) -> bytes:
    """The JSON of a page."""
    return orjson.dumps({"items": items, "next_cursor": next_cursor})


def id_cursor(last: int) -> str:
    """The cursor of the page after this id."""
    return _encode(str(last))


def after_id(cursor: str) -> int:
    """The id in a cursor. Raises ValueError if `id_cursor` has not made it."""
    return _id(_decode(cursor))


def uuid_cursor(last: UUID) -> str:
    """The cursor of the page after this UUID."""
    return _encode(str(last))


def after_uuid(cursor: str) -> UUID:
    """The UUID in a cursor. Raises ValueError if `uuid_cursor` has not made it."""
    return UUID(_decode(cursor))


def reference_cursor(last: str) -> str:
    """The cursor of the page after what a provider calls so."""
    return _encode(f"={last}")


def after_reference(cursor: str) -> str:
    """The reference in a cursor. Raises ValueError if `reference_cursor` has not made it."""
    place = _decode(cursor)
    if not (place.startswith("=") and place.isprintable()):
        raise ValueError(_NOT_OURS)
    return place[1:]


def moment_cursor(at: datetime, last: int) -> str:
    """The cursor of the page after this time and, among equal times, this id."""
    return _encode(f"{at.astimezone(UTC).isoformat()} {last}")


def after_moment(cursor: str) -> tuple[datetime, int]:
    """The time (UTC) and the id in a cursor. Raises ValueError if `moment_cursor` has not made it."""
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

Limit = Annotated[int, Field(ge=1, le=200, description="The most items on the page.")]
IdCursor = Annotated[str, AfterValidator(_checked(after_id)), _CURSOR]
UuidCursor = Annotated[str, AfterValidator(_checked(after_uuid)), _CURSOR]
ReferenceCursor = Annotated[str, AfterValidator(_checked(after_reference)), _CURSOR]
MomentCursor = Annotated[str, AfterValidator(_checked(after_moment)), _CURSOR]
