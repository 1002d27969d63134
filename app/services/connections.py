"""Counts the connections of a process and of each client address, and bounds both."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

log = logging.getLogger(__name__)

SAID_EVERY_SECONDS: Final = 60.0


class Bound(StrEnum):
    """The setting that is the bound."""

    ADDRESS = "CONNECTIONS_PER_ADDRESS"
    PROCESS = "CONNECTIONS_PER_PROCESS"


class Connections:
    """One per process. What it counts is there for whoever watches: `open`, `most_open`, `refused` of each bound."""

    def __init__(
        self, per_address: int | None, per_process: int, address_of: Callable[[Any], str | None] = lambda peer: None
    ) -> None:
        """`per_address` None: no bound. `address_of` a peer is what is counted; None for a proxy, who has no bound."""
        self.open = 0
        self.most_open = 0
        self.refused: Counter[Bound] = Counter()
        self.address_of = address_of
        self._per_address = per_address
        self._per_process = per_process
        self._of_address: Counter[str] = Counter()
        self._said: dict[Bound, float] = {}

    def enter(self, address: str | None) -> Bound | None:
        """Count a connection. If it is one too many it is not counted, and the answer is the bound that it met."""
        if self.open >= self._per_process:
            return self._refuse(Bound.PROCESS, f"{self.open} connections are open")
        if address is not None:
            if self._per_address is not None and self._of_address[address] >= self._per_address:
                return self._refuse(Bound.ADDRESS, f"{address} has {self._per_address} connections")
            self._of_address[address] += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return None

    def leave(self, address: str | None) -> None:
        """Stop counting a connection. Call it exactly once for each that has entered."""
        self.open -= 1
        if address is not None:
            self._of_address[address] -= 1
            if self._of_address[address] <= 0:
                del self._of_address[address]

    def of(self, address: str) -> int:
        """How many connections this address has."""
        return self._of_address.get(address, 0)

    def _refuse(self, bound: Bound, why: str) -> Bound:
        """One line a minute: an attack must not fill the log."""
        self.refused[bound] += 1
        now = time.monotonic()
        if now - self._said.get(bound, -SAID_EVERY_SECONDS) >= SAID_EVERY_SECONDS:
            self._said[bound] = now
            log.warning("%s: more are refused (%s); refused so far: %d", why, bound, self.refused[bound])
        return bound
