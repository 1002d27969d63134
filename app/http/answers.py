"""Answers that many operations share: cacheable, created, edited, a page of a list."""

from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import Query

from app.domain.box_office.outcomes import Paying
from app.http.replies import ALWAYS_ASKED, Header, Reply, accepts, matches, unchanged
from app.http.request import ApiRequest
from app.schemas.format.moments import encoded
from app.schemas.reservations import Json, ReservationOut
from app.services.box_office.answers import Answer
from app.services.house.creating import Created
from app.services.seat_maps.packed import Packed

FIRST_REVISION: Final = 1
"""What was never edited has this revision."""

_VARIES: Final[Header] = (b"vary", b"accept-encoding")

_ASK_AGAIN: Final[Header] = (b"retry-after", b"2")

_REPLAYED: Final[Header] = (b"idempotent-replayed", b"true")

CURSOR: Final[Any] = Query(description="`next_cursor` of the page before; none for the first page.")

PAYING: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "model": ReservationOut,
        "description": "It is being paid for: the provider has not decided yet, or the payer has to act.",
        "headers": {
            "Retry-After": {
                "description": "After so many seconds it makes sense to look again.",
                "schema": {"type": "integer", "minimum": 0},
                "required": True,
                "example": 2,
            }
        },
    }
}

UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "What `If-None-Match` names is still true."}}


def cacheable(request: ApiRequest, body: bytes, etag: str, headers: Iterable[Header] = ()) -> Reply:
    """The body with its ETag, or 304 if the caller has it already."""
    tag = etag.encode("ascii")
    if matches(tag, request.headers_once.get(b"if-none-match")):
        return unchanged(tag)
    return Reply(body, headers=[(b"etag", tag), *headers], cache=ALWAYS_ASKED)


async def cacheable_later(request: ApiRequest, make: Callable[[], Awaitable[bytes]], etag: str) -> Reply:
    """As `cacheable`, for a body that is made only if the caller does not have it."""
    tag = etag.encode("ascii")
    if matches(tag, request.headers_once.get(b"if-none-match")):
        return unchanged(tag)
    return cacheable(request, await make(), etag)


async def packable(
    request: ApiRequest,
    make: Callable[[], Packed | Awaitable[Packed]],
    etag: str,
    media_type: bytes = b"application/json",
    headers_too: Iterable[Header] = (),
) -> Reply:
    """As `cacheable`, for bytes that are sent packed to whoever can unpack them (Accept-Encoding).

    Plain and packed are two representations: each has its own ETag, and either may be named in If-None-Match.
    """
    headers = request.headers_once
    plain_tag, packed_tag = etag.encode("ascii"), f'{etag[:-1]}-gzip"'.encode("ascii")
    named = headers.get(b"if-none-match")
    wants_gzip = accepts(headers.get(b"accept-encoding"), b"gzip")
    if named is not None and named.strip() != b"*":
        for tag in (packed_tag, plain_tag):
            if matches(tag, named):
                return unchanged(tag, vary=_VARIES)
    making = make()
    made = making if isinstance(making, Packed) else await making
    is_packed = wants_gzip and made.is_worth_it
    if named is not None and named.strip() == b"*":
        return unchanged(packed_tag if is_packed else plain_tag, vary=_VARIES)
    if is_packed:
        packed = ((b"etag", packed_tag), (b"content-encoding", b"gzip"), _VARIES, *headers_too)
        return Reply(await made.gzip(), headers=packed, media_type=media_type, cache=ALWAYS_ASKED)
    plain = ((b"etag", plain_tag), _VARIES, *headers_too)
    return Reply(made.plain, headers=plain, media_type=media_type, cache=ALWAYS_ASKED)


def attachment(file_name: str) -> Header:
    """What lets a browser save the answer as a file. The name is in ASCII."""
    return b"content-disposition", f'attachment; filename="{file_name}"'.encode("ascii")


def created(body: bytes, location: str, headers: Iterable[Header] = ()) -> Reply:
    """201, with the absolute path of what was created."""
    return Reply(body, 201, headers=[(b"location", location.encode("ascii")), *headers])


def created_once(made: Created) -> Reply:
    """201 as `created`, with the ETag that guards the first edit; a replay says that it is one."""
    headers = [(b"etag", tag_of_revision(FIRST_REVISION, made.body).encode("ascii"))]
    if made.replayed:
        headers.append(_REPLAYED)
    return created(made.body, made.location, headers)


def edited(body: bytes, etag: str) -> Reply:
    """200, with the resource after an edit, and the ETag that guards the next edit."""
    return Reply(body, headers=[(b"etag", etag.encode("ascii"))])


def told(answer: Answer) -> Reply:
    """The desk's answer: 201 with its path if something was created, 202 while a payment is not decided, 204 if
    it says nothing, else 200.
    """
    headers: list[Header] = []
    if isinstance(answer.money, Paying):
        return Reply(answer.body, 202, headers=[_ASK_AGAIN])
    if answer.location is not None:
        headers.append((b"location", answer.location.encode("ascii")))
    if answer.replayed:
        headers.append(_REPLAYED)
    body = answer.body
    return Reply(body, (201 if answer.created else 200) if body else 204, headers=headers)


def tag_of(body: bytes) -> str:
    """A strong ETag: a hash of the body."""
    return f'"{_digest(body)}"'


def tag_of_revision(revision: int, body: bytes) -> str:
    """A strong ETag that also has the revision, so that it can be sent as If-Match even if other members change."""
    return f'"{revision}-{_digest(body)}"'


def tag_of_moving(items: Iterable[Json]) -> str:
    """A weak ETag of all members except `server_time`. It changes every second while a hold has time left."""
    still = [{name: value for name, value in item.items() if name != "server_time"} for item in items]
    return f'W/"{_digest(encoded(still))}"'


def page(request: ApiRequest, body: bytes, next_cursor: str | None, etag: str | None = None) -> Reply:
    """A page of a list, with a Link header to the next page if there is one."""
    return cacheable(request, body, etag or tag_of(body), () if next_cursor is None else (_link(request, next_cursor),))


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()


def _link(request: ApiRequest, next_cursor: str) -> Header:
    """A link to the same list from the next cursor on, under the canonical path."""
    asked_for = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    query = urlencode([*((name, value) for name, value in asked_for if name != "cursor"), ("cursor", next_cursor)])
    return b"link", f'<{request.path}?{query}>; rel="next"'.encode("ascii")
