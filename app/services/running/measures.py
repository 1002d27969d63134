"""What is counted and timed in a process, for those who watch it (docs/api.md, section 11).

Everything is a plain number that costs next to nothing to raise: the page with the figures is made from them when
somebody asks (`adapters/prometheus.py`). Durations are in seconds.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

Labels: TypeAlias = tuple[str, ...]
Gauge: TypeAlias = Callable[[], Iterable[tuple[Labels, float]]]
"""The present values of a figure that goes up and down, by its labels."""

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
LAGS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)


class Histogram:
    """How often a value was at most so large: one count for each bound, and one for what is above all of them."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Measures:
    """One per process. A counter is a number by its labels, a histogram too."""

    def __init__(self) -> None:
        self.requests: dict[Labels, int] = defaultdict(int)
        """By method, route and status."""
        self.request_seconds: dict[Labels, Histogram] = defaultdict(lambda: Histogram(SECONDS))
        """By method and route: until the answer began."""
        self.commands: dict[Labels, int] = defaultdict(int)
        """By command and outcome: `done`, `replayed`, or the code of the refusal."""
        self.cache_reads: dict[Labels, int] = defaultdict(int)
        """By result: `memory`, `redis`, `changes` or `postgresql`: from where a map came."""
        self.payments: dict[Labels, int] = defaultdict(int)
        """By provider and outcome."""
        self.holds_expired = 0
        self.batch_size = Histogram(SIZES)
        self.batch_seconds = Histogram(SECONDS)
        self.queue_seconds = Histogram(SECONDS)
        self.live_seconds = Histogram(LAGS)
        self.sweeper_seconds = Histogram(LAGS)
        self._gauges: dict[str, Gauge] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer has begun."""
        self.requests[method, route, str(status)] += 1
        self.request_seconds[method, route].add(seconds)

    def command(self, name: str, outcome: str) -> None:
        """A command of the box office has its answer."""
        self.commands[name, outcome] += 1

    def watch(self, name: str, values: Gauge) -> None:
        """From now on this gauge has these values."""
        self._gauges[name] = values

    def gauges(self) -> Iterator[tuple[str, Labels, float]]:
        """Every gauge with its present values."""
        for name, values in self._gauges.items():
            for labels, value in values():
                yield name, labels, value
