"""How often one caller may ask: three buckets, each counted for the user and for the client address. And how many may
listen at a time."""

from dataclasses import dataclass
from enum import StrEnum


class Bucket(StrEnum):
    """What is counted together."""

    LOGIN = "login"
    READING = "reading"
    TAKING = "taking"
    LIVE = "live"
    """Connections that are open at the same time, not requests."""


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests of a bucket in so many seconds."""

    bucket: Bucket
    amount: int
    seconds: int

    def times(self, factor: int) -> "Policy":
        """The policy of somebody who may be many: an address that a household or an office shares."""
        return Policy(self.bucket, self.amount * factor, self.seconds)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a request: how many are left, and in how many seconds there are more."""

    policy: Policy
    is_allowed: bool
    remaining: int
    reset_seconds: int
