"""After COMMIT the world is told, before the caller is: whoever heard "yes" reads a map that knows it.

Several batches that were committed while Redis was being told are announced together, in order.
"""

import asyncio
from collections.abc import Callable, Mapping

from app.services.ports import AvailabilityCache, Away


class Announcer:
    """One per process. `announce` never blocks and never fails: what Redis was not told, the reconciler tells it."""

    def __init__(self, cache: AvailabilityCache) -> None:
        self._cache = cache
        self._waiting: list[tuple[Mapping[int, int], Callable[[], None]]] = []
        self._arrival = asyncio.Event()

    def announce(self, states: Mapping[int, int], then: Callable[[], None]) -> None:
        """Tell the new states of screenings, then call back. Without any there is nothing to tell."""
        if not states and not self._waiting:
            then()
            return
        self._waiting.append((states, then))
        self._arrival.set()

    async def tell(self, states: Mapping[int, int]) -> None:
        """As `announce`, for whoever waits until it is told."""
        told = asyncio.Event()
        self.announce(states, told.set)
        await told.wait()

    async def run(self) -> None:
        """Announce until cancelled; then call back whoever still waits: their commit stands."""
        announced: list[tuple[Mapping[int, int], Callable[[], None]]] = []
        try:
            while True:
                await self._arrival.wait()
                self._arrival.clear()
                announced, self._waiting = self._waiting, []
                await self._tell(announced)
                _call_back(announced)
        finally:
            _call_back(announced)
            _call_back(self._waiting)

    async def _tell(self, announced: list[tuple[Mapping[int, int], Callable[[], None]]]) -> None:
        latest: dict[int, int] = {}
        for states, _ in announced:
            latest.update(states)
        try:
            await self._cache.move(latest)
        except Away:
            return


def _call_back(announced: list[tuple[Mapping[int, int], Callable[[], None]]]) -> None:
    while announced:
        announced.pop(0)[1]()
