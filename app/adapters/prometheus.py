"""The figures of all workers of a service, in Prometheus' text format.

Each worker writes its own figures into a file from time to time, and whoever is asked adds up what it finds there. Its
own figures are always those of this moment. The counters of a worker that has ended go on counting, its gauges do not.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIServer

import orjson
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app import __version__
from app.services.running.loops import every
from app.services.running.measures import Histogram, Labels, Measures

MEDIA_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
WRITE_SECONDS: Final = 0.25

_COUNTERS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "usher_http_requests": ("requests", "Answered requests.", ("method", "route", "status")),
    "usher_commands": ("commands", "Commands of the box office that have their answer.", ("command", "outcome")),
    "usher_cache_reads": ("cache_reads", "Seat maps, by where they came from.", ("result",)),
    "usher_payments": ("payments", "Payments that a provider has decided.", ("provider", "outcome")),
    "usher_holds_expired": ("holds_expired", "Holds that ran out and were swept.", ()),
}
_HISTOGRAMS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "usher_http_request_duration_seconds": ("request_seconds", "Until an answer began.", ("method", "route")),
    "usher_batch_size": ("batch_size", "Commands in a batch.", ()),
    "usher_batch_duration_seconds": ("batch_seconds", "From the start of a batch to its commit.", ()),
    "usher_queue_wait_seconds": ("queue_seconds", "From the arrival of a command to the start of its batch.", ()),
    "usher_live_lag_seconds": ("live_seconds", "From a commit until its listeners were told.", ()),
    "usher_sweeper_lag_seconds": ("sweeper_seconds", "From the end of a hold until it was swept.", ()),
}
_GAUGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "usher_queue_length": ("Commands that wait for a batch.", ()),
    "usher_connections": ("Open connections, live or not.", ()),
    "usher_live_listeners": ("Live connections.", ("door",)),
    "usher_database_connections": ("Connections of the pool to PostgreSQL.", ("state",)),
    "usher_outbox_backlog": ("What is to be carried out and is not yet.", ("kind",)),
}

_OF_ALL: Final = ("usher_outbox_backlog",)
"""What every worker counts for the whole installation: the highest counts, not the sum."""

Snapshot = dict[str, Any]


class Figures(Collector):
    """One per process. `directory`: where the workers of the service write theirs; None: there is only this one.

    `address`: a host and a port on which one of the workers serves the page, besides everything else.
    """

    def __init__(self, measures: Measures, directory: Path | None, address: tuple[str, int] | None = None) -> None:
        self._measures = measures
        self._directory = directory
        self._address = address
        self._server: tuple[WSGIServer, Thread] | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def page(self) -> bytes:
        """All figures, for Prometheus."""
        return generate_latest(self._registry)

    async def run(self) -> None:
        """Write what others are to add up, and serve the page at its own address, until cancelled."""
        if self._directory is None and self._address is None:
            await asyncio.get_running_loop().create_future()
        try:
            await every(WRITE_SECONDS, self._go_on, "write the figures of this worker")
        finally:
            self._write()
            if self._server is not None:
                server, thread = self._server
                server.shutdown()
                server.server_close()
                thread.join()

    def collect(self) -> Iterator[Metric]:
        """The sums, as prometheus_client wants them."""
        snapshots = [_taken(self._measures), *self._others()]
        for name, (key, about, labels) in _COUNTERS.items():
            counter = CounterMetricFamily(name, about, labels=labels)
            for values, count in _sums(snapshots, key).items():
                counter.add_metric(values, count)
            yield counter
        for name, (key, about, labels) in _HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, about, labels=labels)
            for values, (bounds, counts, total) in _sums_of_histograms(snapshots, key).items():
                histogram.add_metric(values, _cumulated(bounds, counts), total)
            yield histogram
        for name, (about, labels) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, about, labels=labels)
            found = _highest(snapshots, name) if name in _OF_ALL else _sums(snapshots, name)
            for values, value in found.items():
                gauge.add_metric(values, value)
            yield gauge
        build = GaugeMetricFamily("usher_build_info", "The version that runs.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build

    def _others(self) -> Iterator[Snapshot]:
        if self._directory is None:
            return
        for file in sorted(self._directory.glob("*.json")):
            if file.stem == str(os.getpid()):
                continue
            with suppress(OSError, orjson.JSONDecodeError):
                snapshot: Snapshot = orjson.loads(file.read_bytes())
                yield snapshot if _lives(int(file.stem)) else snapshot | {name: [] for name in _GAUGES}

    async def _go_on(self) -> None:
        self._write()
        if self._address is not None and self._server is None:
            with suppress(OSError):  # another worker has it; when that ends, this one may
                host, port = self._address
                self._server = start_http_server(port, host, self._registry)

    def _write(self) -> None:
        if self._directory is None:
            return
        file = self._directory / f"{os.getpid()}.json"
        written = file.with_suffix(".new")
        written.write_bytes(orjson.dumps(_taken(self._measures)))
        written.replace(file)


def _taken(measures: Measures) -> Snapshot:
    """The figures of this moment: lists of labels with values."""
    taken: Snapshot = {name: [] for name in _GAUGES}
    for key, _, _ in _COUNTERS.values():
        found = getattr(measures, key)
        taken[key] = [[[], found]] if isinstance(found, int) else [[list(each), count] for each, count in found.items()]
    for key, _, _ in _HISTOGRAMS.values():
        found = getattr(measures, key)
        by_labels: Mapping[Labels, Histogram] = {(): found} if isinstance(found, Histogram) else found
        taken[key] = [[list(each), [one.bounds, one.counts, one.total]] for each, one in by_labels.items()]
    for name, labels, value in measures.gauges():
        taken[name].append([list(labels), value])
    return taken


def _sums(snapshots: Iterable[Snapshot], key: str) -> dict[Labels, float]:
    sums: dict[Labels, float] = defaultdict(float)
    for snapshot in snapshots:
        for labels, value in snapshot.get(key, ()):
            sums[tuple(labels)] += value
    return sums


def _highest(snapshots: Iterable[Snapshot], key: str) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    for snapshot in snapshots:
        for labels, value in snapshot.get(key, ()):
            found[tuple(labels)] = max(value, found.get(tuple(labels), 0.0))
    return found


def _sums_of_histograms(snapshots: Iterable[Snapshot], key: str) -> dict[Labels, tuple[list[float], list[int], float]]:
    sums: dict[Labels, tuple[list[float], list[int], float]] = {}
    for snapshot in snapshots:
        for labels, (bounds, counts, total) in snapshot.get(key, ()):
            known = sums.get(tuple(labels))
            before, total_before = ([0] * len(counts), 0.0) if known is None else known[1:]
            sums[tuple(labels)] = (
                list(bounds),
                [one + other for one, other in zip(counts, before, strict=True)],
                total + total_before,
            )
    return sums


def _cumulated(bounds: list[float], counts: list[int]) -> list[tuple[str, float]]:
    """What Prometheus wants: how many were at most so large."""
    found: list[tuple[str, float]] = []
    so_far = 0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        so_far += count
        found.append((bound, so_far))
    return found


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
