"""What the stories need from the outside. Adapters satisfy these by shape; `main` introduces them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from app.domain.rates import Policy, Standing


class Away(Exception):
    """The outside did not answer. Everything goes on without it."""


class AvailabilityCache(Protocol):
    """Remembers, for each screening, its map version and the facts that were true in it. Every call may raise Away.

    A map version is a number that only grows, with every change of a screening's seats, prices or layout.
    """

    async def map_versions(self, screening_ids: Sequence[int]) -> list[int | None]:
        """The map version of each screening, None where it is not known."""
        ...

    async def known_map_versions(self) -> dict[int, int]:
        """Every screening whose map version is known."""
        ...

    async def move(self, map_versions: Mapping[int, int], news: Sequence[tuple[int, bytes]] = ()) -> None:
        """These are the map versions now, unless a later one is known already. What was kept for earlier ones is stale.

        Then, without another round trip, the news of screenings goes to every feed; that it did is not certain.
        """
        ...

    async def facts(self, screening_id: int) -> bytes | None:
        """What was kept last."""
        ...

    async def keep(self, screening_id: int, map_version: int, facts: bytes, doubts: int) -> None:
        """Keep facts that were true in this map version, unless it has failed since they were read (see `doubts`).

        The map version itself becomes known if none was.
        """
        ...

    async def forget(self, screening_ids: Sequence[int]) -> None:
        """Drop all that is known of these screenings."""
        ...

    def doubts(self) -> int:
        """How often it failed, or forgot everything. It then answers no reader until somebody trusts it again."""
        ...

    def trust(self, doubts: int, until: float) -> None:
        """It was compared with PostgreSQL: readers are answered until then (monotonic), if it has not failed since.

        0: they are not, whenever it was trusted before.
        """
        ...

    def go_on_trusting(self, until: float) -> None:
        """PostgreSQL cannot be asked: if it was trusted, it still is, until then."""
        ...

    async def ping(self) -> bool:
        """Does it answer? Never raises Away."""
        ...


class SeatFeed(Protocol):
    """Hears the news of screenings from all processes. Some may be lost; whoever listens counts versions."""

    def watch(self, screening_id: int) -> None:
        """From now on this screening's news is wanted."""
        ...

    def unwatch(self, screening_id: int) -> None:
        """It is not wanted any more."""
        ...

    async def run(self, hear: Callable[[int, bytes | None], None]) -> None:
        """Hand on news until cancelled; None when some may have been lost: listening has (again) begun."""
        ...


class RateCounter(Protocol):
    """Counts requests, for all processes together."""

    async def count(self, policy: Policy, who: str) -> Standing:
        """Count one request of somebody, and say where they stand. Raises Away when it cannot be counted."""
        ...


class PaymentProvider(Protocol):
    """Takes and gives back money."""

    async def pay(self, booking_id: UUID, method: str | None, token: str | None) -> str:
        """Take the money for a booking that is about to be made; returns the payment's reference. Asked again for the
        same booking, it answers the same and takes nothing twice. Raises PaymentDeclined."""
        ...

    async def give_back(self, reference: str) -> None:
        """Give the money of a payment back. Asked again, it gives nothing twice."""
        ...
