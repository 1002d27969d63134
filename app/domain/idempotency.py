"""Idempotency keys: the same key with the same request gets the same answer again (docs/api.md, section 2)."""

from typing import Final

from app.domain.values import value

ANONYMOUS = 0
SAME_KEY_WAITS_SECONDS: Final = 2.0
"""So long a request waits for the first one with the same key."""


@value(frozen=True, slots=True)
class Key:
    """An idempotency key and the request that it was sent with.

    A key belongs to its user; keys of callers without a token belong to `ANONYMOUS`. `fingerprint` is 32 bytes over
    method, canonical path and parsed body: the same key with another fingerprint is a mistake of the caller.
    """

    owner_id: int
    value: str
    fingerprint: bytes
