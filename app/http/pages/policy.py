"""What browsers may do with the pages for buyers: load what is ours, be framed by whom a setting names."""

from collections.abc import Sequence
from functools import lru_cache

from app.http.replies import PAGE_HEADERS, Header

_OTHERS = {b"content-security-policy", b"x-frame-options", b"cross-origin-opener-policy"}


@lru_cache(maxsize=4)
def page_headers(frame_ancestors: Sequence[str]) -> tuple[Header, ...]:
    """The headers of a page. `frame_ancestors`: the origins whose pages may show it in a frame; none: nobody.

    There is no X-Frame-Options: it cannot name origins, and browsers that know frame-ancestors ignore it.
    """
    allowed = " ".join(frame_ancestors) or "'none'"
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            f"frame-ancestors {allowed}",
        )
    )
    kept = [header for header in PAGE_HEADERS if header[0] not in _OTHERS]
    return ((b"content-security-policy", policy.encode("ascii")), *kept)
