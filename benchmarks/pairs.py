"""This checkout against another one, the state before a change: both are up at the same time and run by turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.cases import ARENA, STUDIO, Case, Faster, Side, chosen_from, with_cpu
from benchmarks.load import Load, Measured
from benchmarks.stages.past import give_past
from benchmarks.stages.stage import ROOT, Stage

BEFORE: Final = "before"
NOW: Final = "now"
AT_LEAST: Final = 0.97


@dataclass(frozen=True, slots=True)
class _Sold:
    """A script that sells seats of so many screenings side by side."""

    script: str
    at_once: int = 1
    options: Mapping[str, str | int] = field(default_factory=dict)
    refused: float = 0.0

    def run(self, stage: Stage, root: Path) -> Callable[[int], Measured]:
        database = stage.database(root)
        sale = stage.new_sale(database, ARENA, self.at_once)
        url = stage.usher(database, root=root)
        return with_cpu(stage, url, Load(url, self.script, dict(self.options), sale))


@dataclass(frozen=True, slots=True)
class _Read:
    """The map of a small house that is half sold, in its full or its compact form."""

    path: str

    def run(self, stage: Stage, root: Path) -> Callable[[int], Measured]:
        database = stage.database(root)
        house = stage.house(database, STUDIO, 1)
        give_past(house, STUDIO // 2)
        url = stage.usher(database, root=root)
        return with_cpu(
            stage, url, Load(url, "read", {"path": f"/api/v1/screenings/{house.first_screening}/{self.path}"})
        )


_LOADS: Final[Mapping[str, tuple[str, _Sold | _Read]]] = {
    "hold-1": ("distinct seats of one screening", _Sold("hold")),
    "hold-20": ("distinct seats of 20 screenings", _Sold("hold", at_once=20)),
    "hold-500": ("distinct seats of 500 screenings", _Sold("hold", at_once=500)),
    "confirm": ("hold and confirm, counted in requests", _Sold("confirm")),
    "rush": ("20 buyers for each seat", _Sold("rush", options={"rivals": 20}, refused=0.95)),
    "replay": ("the same holds with the same keys", _Sold("replay", options={"cycle": 1_000})),
    "toggle": ("seats taken and given back by turns", _Sold("toggle", options={"cycle": 5_000})),
    "read-full": ("the map of 80 seats, half of them sold", _Read("seats")),
    "read-compact": ("the same map in its compact form", _Read("availability")),
}


def paired(names: str, before: Path) -> list[Case]:
    """The cases of these names, separated by commas, or all: each compares this checkout with the one at `before`.

    Raises CannotMeasure for a name that no case has.
    """
    cases = [
        Case(name, about, partial(_sides, load, before), (Faster(NOW, BEFORE, AT_LEAST),))
        for name, (about, load) in _LOADS.items()
    ]
    return chosen_from(cases, names)


def _sides(load: _Sold | _Read, before: Path, stage: Stage) -> Sequence[Side]:
    return [
        Side(BEFORE, load.run(stage, before), refused=_refused(load)),
        Side(NOW, load.run(stage, ROOT), BEFORE, _refused(load)),
    ]


def _refused(load: _Sold | _Read) -> float:
    return load.refused if isinstance(load, _Sold) else 0.0
