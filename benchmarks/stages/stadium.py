"""A house of 40,000 seats: how long its import takes, and its compact map after a change."""

import time
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any, Final

from benchmarks.load import CannotMeasure, Measured
from benchmarks.stages.stage import Database, Stage, fetch

SECTIONS: Final = 40
ROWS: Final = 40
SEATS: Final = 25


def layout() -> dict[str, Any]:
    """Every seat with its place; the first row of each section is for wheelchair users and their company."""
    return {
        "sections": [
            {"name": f"Block {section}", "rows": [_row(section, number) for number in range(1, ROWS + 1)]}
            for section in range(1, SECTIONS + 1)
        ]
    }


def _row(section: int, number: int) -> dict[str, Any]:
    x, y = section % 8 * (SEATS + 5.5), section // 8 * (ROWS + 10.25) + number
    flags = ("companion", "accessible")
    seats = [
        {"number": seat, "x": x + seat, "y": y, **({flags[seat % 2]: True} if number == 1 else {})}
        for seat in range(1, SEATS + 1)
    ]
    return {"row": str(number), "seats": seats}


def imported(stage: Stage, database: Database, _: int) -> Measured:
    """`usher import-layout`, from the command to its end, once."""
    took = stage.seconds_to_import(database, layout())
    return _measured([took])


def anew(url: str, screening: int, seconds: int) -> Measured:
    """The compact map, each time after somebody has held a seat."""
    path, times = f"/api/v1/screenings/{screening}", list[float]()
    until = time.monotonic() + seconds
    while not times or time.monotonic() < until:
        status, body, _ = fetch(url, f"{path}/reservations", body={"best_available": {"count": 1}})
        if status != 201:
            raise CannotMeasure(f"A hold was answered with {status}: {body.decode()}")
        began = time.monotonic()
        fetch(url, f"{path}/availability")
        times.append(time.monotonic() - began)
    return _measured(times)


def _measured(times: Sequence[float]) -> Measured:
    slowest_but_one = quantiles(times, n=100)[-1] if len(times) > 100 else max(times)
    return Measured(len(times), sum(times), median(times) * 1e3, slowest_but_one * 1e3)
