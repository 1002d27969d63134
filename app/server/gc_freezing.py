"""Keeps the garbage collector off objects that live as long as the process (`gc.freeze`).

CPython's full collections look at every old object again and again, and all requests wait meanwhile: with one house of
40,000 seats in memory a full collection took 120 ms, twice a second under load (*measured*: 4,300 holds/s with them,
6,200 without). So what has survived one long collection is frozen, until the number of frozen objects has doubled.
Objects without references are still freed at once; only reference cycles wait for the collector.
"""

import gc
from time import perf_counter
from typing import Any, Final

LONG_SECONDS: Final = 0.005
"""A full collection that takes longer than this freezes what it looked at."""

YOUNG: Final = 10_000
"""The threshold of the youngest generation: the objects of a batch of requests are freed before it is reached."""

_OLDEST: Final = 2


class Sparing:
    """Freezes what survives a long full collection, and unfreezes all of it when that has doubled."""

    def __init__(self) -> None:
        self._began = 0.0
        self._looked_at = 0
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Begin, and freeze everything that exists."""
        gc.collect()
        gc.freeze()
        self._looked_at = gc.get_freeze_count()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(YOUNG, *self._thresholds[1:])
        gc.callbacks.append(self._watch)

    def stop(self) -> None:
        """Stop, and restore the state before `start`."""
        gc.callbacks.remove(self._watch)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def _watch(self, phase: str, info: dict[str, Any]) -> None:
        """Called by the collector before and after each collection."""
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._began = perf_counter()
        elif perf_counter() - self._began > LONG_SECONDS:
            self._spare()

    def _spare(self) -> None:
        """Freeze: a full collection of what is not frozen took long."""
        was_whole = gc.get_freeze_count() == 0
        gc.freeze()
        frozen = gc.get_freeze_count()
        if was_whole:
            self._looked_at = frozen
        elif frozen > 2 * self._looked_at:
            gc.unfreeze()  # the next full collection looks at everything
