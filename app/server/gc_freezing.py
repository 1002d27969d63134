"""The garbage collector, kept off what lives as long as the process.

CPython looks at every object that lives long again and again, and everybody waits meanwhile: with one house of 40,000
seats at hand a look took 120 ms, twice a second under load (*measured*: 4,300 holds/s with them, 6,200 without). So
what has survived one long look is frozen: it is not looked at again before as much has been frozen anew. What is no
longer referred to is freed at once as ever; only cycles wait for the collector.
"""

import gc
from time import perf_counter
from typing import Any, Final

LONG_SECONDS: Final = 0.005
"""A look that takes longer than this is one too many, when it is always at the same things."""

YOUNG: Final = 10_000
"""So many new objects are there before the young ones are looked at: those of a batch of requests are gone by then."""

_OLDEST: Final = 2


class Sparing:
    """Freezes what survives a long look at everything, and lets all of it be looked at when it has doubled."""

    def __init__(self) -> None:
        self._began = 0.0
        self._looked_at = 0
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """From now on. What is there already is taken for what stays."""
        gc.collect()
        gc.freeze()
        self._looked_at = gc.get_freeze_count()
        self._thresholds = gc.get_threshold()
        gc.set_threshold(YOUNG, *self._thresholds[1:])
        gc.callbacks.append(self._watch)

    def stop(self) -> None:
        """As it was before."""
        gc.callbacks.remove(self._watch)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def _watch(self, phase: str, info: dict[str, Any]) -> None:
        """The collector calls this before and after each look."""
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._began = perf_counter()
        elif perf_counter() - self._began > LONG_SECONDS:
            self._spare()

    def _spare(self) -> None:
        """Called when a look at everything that is not frozen took long."""
        was_whole = gc.get_freeze_count() == 0
        gc.freeze()
        frozen = gc.get_freeze_count()
        if was_whole:
            self._looked_at = frozen
        elif frozen > 2 * self._looked_at:
            gc.unfreeze()  # the next look is at everything
