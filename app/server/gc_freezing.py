"""Keeps the garbage collector off objects that live as long as the process (`gc.freeze`).

CPython's full collections look at every old object again and again, and all requests wait meanwhile: with one house of
40,000 seats in memory a full collection took 120 ms, twice a second under load (*measured*: 4,300 holds/s with them,
6,200 without). So what has survived one long collection is frozen, until the number of frozen objects has doubled, and
some large houses have come besides.
Objects without references are still freed at once; only reference cycles wait for the collector.
"""

import gc
from time import perf_counter
from typing import Any, Final

LONG_SECONDS: Final = 0.005
"""A full collection that takes longer than this freezes what it looked at."""

YOUNG: Final = 10_000
"""The threshold of the youngest generation: the objects of a batch of requests are freed before it is reached."""

ROOM: Final = 1_000_000
"""A house of 50,000 seats is some 200,000 objects. To look at half a million takes 150 ms: not for each house."""

SELDOM: Final = 8
"""Every so many times it is counted how many objects are frozen."""

OFTEN: Final = (3, 3)
"""The thresholds of the other two: each looks at its objects before they are so many that all requests wait for it,
even where a thread makes a house of 50,000 seats."""

_OLDEST: Final = 2


class Sparing:
    """Freezes what survives a long full collection, and unfreezes all when that has doubled and grown by `ROOM`."""

    def __init__(self) -> None:
        self._began = 0.0
        self._looked_at = 0
        self._is_whole = False
        self._frozen = 0
        """So often since it was last counted how many are frozen."""
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Begin, and freeze everything that exists."""
        gc.collect()
        gc.freeze()
        self._looked_at = gc.get_freeze_count()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(YOUNG, *OFTEN)
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
        gc.freeze()
        self._frozen += 1
        if self._is_whole:
            self._is_whole, self._frozen = False, 0
            self._looked_at = gc.get_freeze_count()
        elif self._frozen >= SELDOM:  # to count them takes a while, too
            self._frozen = 0
            if gc.get_freeze_count() > 2 * self._looked_at + ROOM:
                gc.unfreeze()  # the next full collection looks at everything
                self._is_whole = True
