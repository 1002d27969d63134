"""Keeps the garbage collector off objects that live as long as the process (`gc.freeze`).

All requests wait while CPython's collector looks at objects: some 100 ns for each of them. With one house of 40,000
seats in memory a full collection took 120 ms, twice a second under load (*measured*: 4,300 holds/s with them, 6,200
without). So each look is short: at what is new, and what survives a look that took long is frozen.

Objects without references are still freed at once; only reference cycles wait for the collector, and those that were
frozen before they broke away wait for a look at everything. That takes long, so it waits for a time when little is
asked: it is due when memory has doubled since the last one, and grown by `ROOM`, for `LASTING` seconds on end: what a
large request takes meanwhile is freed with it. If that time never comes, it is taken when memory has doubled once more.
"""

import gc
import sys
from collections import deque
from threading import Event, Thread
from time import perf_counter, process_time
from typing import Any, Final

LONG_SECONDS: Final = 0.003
"""A full collection that takes longer than this freezes what it looked at."""

YOUNG: Final = 10_000
"""The threshold of the youngest generation: the objects of a batch of requests are freed before it is reached."""

OFTEN: Final = (0, 0)
"""The thresholds of the other two. The middle one is looked at with some 20,000 objects, and the oldest with 40,000 new
ones: a few milliseconds, even where a thread makes a house of 50,000 seats."""

ROOM: Final = 2_000_000
"""So many blocks of memory are some large houses: not each of them makes a look at everything due."""

EACH_SECONDS: Final = 1.0
"""So often it is seen whether a look at everything is due."""

LASTING: Final = 10
"""So often in a row memory must have been found that large."""

IDLE: Final = 0.1
"""With less than this share of a processor in use, next to nobody waits."""

_OLDEST: Final = 2


class Sparing:
    """Freezes what survives a long full collection, and sometimes looks at everything all the same."""

    def __init__(self) -> None:
        self._began = 0.0
        self._blocks = 0
        """Of memory that were in use after the last look at everything."""
        self._since = deque[int](maxlen=LASTING)
        """Those that were in use each time since then."""
        self._thresholds = gc.get_threshold()
        self._stopped = Event()
        self._tending = Thread(target=self._tend, name="gc", daemon=True)

    def start(self) -> None:
        """Begin, and freeze everything that exists. What is frozen already stays so, and is not looked at."""
        self._look_and_freeze()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(YOUNG, *OFTEN)
        gc.callbacks.append(self._watch)
        self._tending.start()

    def stop(self) -> None:
        """Stop, and restore the state before `start`."""
        self._stopped.set()
        self._tending.join()
        gc.callbacks.remove(self._watch)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def look(self, *, is_idle: bool) -> None:
        """Look at everything, if that is due; if others wait, only if it is long overdue."""
        times = 1 if is_idle else 2
        self._since.append(sys.getallocatedblocks())
        if len(self._since) == LASTING and min(self._since) > times * (2 * self._blocks + ROOM):
            self._look_at_everything()

    def _look_at_everything(self) -> None:
        gc.unfreeze()
        self._look_and_freeze()

    def _look_and_freeze(self) -> None:
        gc.collect()
        gc.freeze()
        gc.collect()  # of nothing: CPython waits with a full collection for a quarter of what the last one has left
        self._blocks = sys.getallocatedblocks()
        self._since.clear()

    def _watch(self, phase: str, info: dict[str, Any]) -> None:
        """Called by the collector before and after each collection."""
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._began = perf_counter()
        elif perf_counter() - self._began > LONG_SECONDS:
            gc.freeze()

    def _tend(self) -> None:
        used, at = process_time(), perf_counter()
        while not self._stopped.wait(EACH_SECONDS):
            share = (process_time() - used) / (perf_counter() - at)
            self.look(is_idle=share < IDLE)
            used, at = process_time(), perf_counter()
