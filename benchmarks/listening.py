"""Live listeners, as `live.py` measures them: a program of its own, with listeners that wrk cannot play."""

import json
import sys
from typing import Any

from benchmarks.load import Measured, said_by, start
from benchmarks.stages.stage import ROOT


def told(listeners: int, seconds: int) -> Measured:
    """Ten holds a second; how long until the last of so many listeners was told of each (p50, p99)."""
    figures = _live(listeners, seconds)
    notes = {"listeners lost": figures["lost"], "percent of a core": 100 * figures["cpu_of_one_core"]}
    return Measured(
        figures["holds"], figures["holds"] / 10, figures["told_ms"]["p50"], figures["told_ms"]["p99"], notes=notes
    )


class Storm:
    """As many changes as callers can make, without listeners and with them: two sides of one run of the program."""

    def __init__(self, listeners: int) -> None:
        self._listeners = listeners
        self._with_listeners = 0

    def without(self, seconds: int) -> Measured:
        """Runs the program, which takes its own time."""
        figures = _live(self._listeners, seconds, "--storm")
        self._with_listeners = figures["changes_a_second_with_listeners"]
        return Measured(figures["changes_a_second_without_listeners"], 1, 0, 0)

    def during(self, seconds: int) -> Measured:
        """What the same run measured with listeners."""
        return Measured(self._with_listeners, 1, 0, 0)


def _live(listeners: int, seconds: int, *words: str) -> dict[str, Any]:
    command = ["-m", "benchmarks.live", "--listeners", str(listeners), "--seconds", str(seconds), *words]
    with start([sys.executable, *command], ROOT) as process:
        said = said_by(process)
    figures: dict[str, Any] = json.loads(said[said.index("{") :])
    return figures
