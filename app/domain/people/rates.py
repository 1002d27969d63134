"""Rate limits: buckets of requests, counted per user and per client address. And how many may listen at a time."""

from enum import StrEnum

from app.domain.values import value


class Bucket(StrEnum):
    """Which requests are counted together."""

    LOGIN = "login"
    READING = "reading"
    TAKING = "taking"
    LIVE = "live"
    """Connections that are open at the same time; not requests."""


@value(frozen=True, slots=True)
class Policy:
    """How many requests of a bucket are allowed in how many seconds."""

    bucket: Bucket
    amount: int
    seconds: int

    def times(self, factor: int) -> "Policy":
        """The policy of an address, which several users may share."""
        return Policy(self.bucket, self.amount * factor, self.seconds)

    def shared_by(self, parts: int) -> "Policy":
        """So much of the policy, and at least one request: of callers whom nobody knows."""
        return Policy(self.bucket, max(1, self.amount // parts), self.seconds)


@value(frozen=True, slots=True)
class Standing:
    """The state of a caller after a request: how many more are allowed, and in how many seconds the next ones are."""

    policy: Policy
    is_allowed: bool
    remaining: int
    reset_seconds: int
