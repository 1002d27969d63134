"""Responses as ready bytes: made once, sent as they are."""

from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

from app.domain.people.rates import Standing

Header = tuple[bytes, bytes]

NEVER_STORED: Final = b"no-store"
ALWAYS_ASKED: Final = b"no-cache"
"""A cache may keep it, but must revalidate it with its ETag before each use."""
KEPT_FOR_A_YEAR: Final = b"public, max-age=31536000, immutable"

_NO_SNIFFING: Final[Header] = (b"x-content-type-options", b"nosniff")


class Reply(Response):
    """A response with a ready body. FastAPI treats it as a Response; `edge.py` sends it directly."""

    def __init__(
        self,
        body: bytes = b"",
        status: int = 200,
        *,
        headers: Iterable[Header] = (),
        media_type: bytes = b"application/json",
        cache: bytes = NEVER_STORED,
    ) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        if body:
            self.raw_headers = [
                (b"content-type", media_type),
                (b"content-length", b"%d" % len(body)),
                (b"cache-control", cache),
                _NO_SNIFFING,
                *headers,
            ]
        else:
            self.raw_headers = [(b"cache-control", cache), *headers]
            if status not in (204, 304):
                self.raw_headers.append((b"content-length", b"0"))


class Table(Response):
    """A table for spreadsheets, as a route declares that it answers with one. What it sends is a `Reply`."""

    media_type = "text/csv; charset=utf-8"


def page(html: bytes, status: int = 200) -> Reply:
    """An HTML page. It may load only our own scripts and styles, and cannot be framed."""
    return Reply(html, status, headers=PAGE_HEADERS, media_type=b"text/html; charset=utf-8", cache=ALWAYS_ASKED)


PAGE_HEADERS: Final[tuple[Header, ...]] = (
    (
        b"content-security-policy",
        b"; ".join(
            (
                b"default-src 'none'",
                b"script-src 'self'",
                b"style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles of its own
                b"img-src 'self' data:",
                b"font-src 'self'",
                b"connect-src 'self'",
                b"form-action 'self'",
                b"base-uri 'none'",
                b"frame-ancestors 'none'",
            )
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


def rate_headers(standing: Standing) -> Sequence[Header]:
    """The RateLimit headers (draft-ietf-httpapi-ratelimit-headers)."""
    policy = standing.policy
    left = f'"{policy.bucket}";r={standing.remaining};t={standing.reset_seconds}'
    return (
        (b"ratelimit-policy", f'"{policy.bucket}";q={policy.amount};w={policy.seconds}'.encode()),
        (b"ratelimit", left.encode()),
    )


def matches(etag: bytes, if_none_match: bytes | None) -> bool:
    """Whether If-None-Match names this ETag. Compares weakly (RFC 9110)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == b"*":
        return True
    return any(one.strip().removeprefix(b"W/") == etag.removeprefix(b"W/") for one in if_none_match.split(b","))


def accepts(accept_encoding: bytes | None, coding: bytes) -> bool:
    """Whether Accept-Encoding says that the caller can unpack this coding (RFC 9110)."""
    if accept_encoding is None:
        return False
    weights: dict[bytes, bool] = {}
    for one in accept_encoding.lower().split(b","):
        name, _, parameter = one.partition(b";")
        weight = parameter.replace(b" ", b"").removeprefix(b"q=")
        weights[name.strip()] = not weight or weight.strip(b"0.") != b""
    return weights.get(coding, weights.get(b"*", False))


def unchanged(etag: bytes, cache: bytes = ALWAYS_ASKED, vary: Header | None = None) -> Reply:
    """304: what the caller has is current."""
    return Reply(status=304, headers=[(b"etag", etag), *((vary,) if vary else ())], cache=cache)
