"""A key makes a repeat harmless: the same key with the same request is answered as before (docs/api.md, section 2)."""

from dataclasses import dataclass

ANONYMOUS = 0


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's idempotency key with what it was sent for.

    Keys belong to the user; those of callers whom nobody knows belong to `ANONYMOUS`. `fingerprint` is 32 bytes over
    method, canonical path and parsed body: the same key with another fingerprint is a mistake of the caller.
    """

    owner_id: int
    value: str
    fingerprint: bytes
