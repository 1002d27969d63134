"""What makes the load: wrk for HTTP, pgbench for PostgreSQL; compiled, bounded in time, on this machine."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Final

from app.adapters.embedded.account import server_account
from app.adapters.embedded.process import die_with_parent
from app.adapters.embedded.programs import postgresql_programs
from benchmarks.stages.houses import Sale

LUA: Final = Path(__file__).with_name("lua")
_SAMPLED: Final = 0.05  # of the transactions of many clients: writing down all would be part of what is measured


class CannotMeasure(Exception):
    """Why not, in words for whoever started it."""


class NotThere(CannotMeasure):
    """Usher does not have it yet."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one side. Times are in milliseconds; `refused` were answered with 4xx or 5xx, `broken` not at all."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int = 0
    broken: int = 0
    next: int = 0
    notes: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Answers a second, refusals included."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Load:
    """A script that wrk runs against a server, with its options; `sale` says which seats are next."""

    url: str
    script: str
    options: Mapping[str, str | int] = field(default_factory=dict)
    sale: Sale | None = None
    connections: int = 64

    def run(self, seconds: int) -> Measured:
        """Let it run for so long. Raises CannotMeasure when seats ran out or wrk failed."""
        with self.start(seconds) as process:
            return self.end(process)

    def start(self, seconds: int) -> "subprocess.Popen[str]":
        """Start it in the background; `end` waits for it."""
        options = dict(self.options) | (self.sale.options() if self.sale else {})
        command = [
            *(wrk(), "--threads", "1", "--connections", str(self.connections), "--duration", f"{seconds}s"),
            *("--timeout", "10s", "--script", f"{self.script}.lua", self.url, "--"),
            *(f"{name}={value}" for name, value in options.items()),
        ]
        return start(command, cwd=LUA)

    def end(self, process: "subprocess.Popen[str]") -> Measured:
        """What a load that was started has measured."""
        measured = parse(said_by(process))
        if self.sale is not None:
            self.sale.taken = measured.next
            if self.sale.is_sold_out and not {"rivals", "cycle"} & self.options.keys():
                raise CannotMeasure(f"Seats ran out after {measured.next}: this machine needs larger houses.")
        return measured


def wrk() -> str:
    """Where wrk is. Raises CannotMeasure when it is missing."""
    found = shutil.which("wrk")
    if found is None:
        raise CannotMeasure(
            "wrk is not here; it makes the load. Debian, Ubuntu: apt-get install wrk. macOS: brew install wrk. "
            "Elsewhere: build it from https://github.com/wg/wrk"
        )
    return found


def parse(said: str) -> Measured:
    """What wrk measured, of all that it said: the line that lua/common.lua wrote. Raises CannotMeasure without one."""
    found = re.search(r"^BENCH (\{.*\})$", said, re.MULTILINE)
    if found is None:
        raise CannotMeasure(f"wrk ended without figures: {' '.join(said.split()[-40:])}")
    figures = json.loads(found[1])
    return Measured(
        requests=figures["requests"],
        seconds=figures["microseconds"] / 1e6,
        p50=figures["p50"] / 1000,
        p99=figures["p99"] / 1000,
        refused=figures["refused"],
        broken=figures["broken"],
        next=figures["next"],
    )


def pgbench(url: str, clients: int, directory: Path, seconds: int) -> Measured:
    """Durable one-row transactions, as fast as PostgreSQL can. Its log goes to `directory` and is removed."""
    command = [
        *(_pgbench_program(), "--no-vacuum", "--protocol=prepared", f"--client={clients}", "--jobs=1"),
        *(f"--time={seconds}", f"--file={LUA / 'update.sql'}", "--log", "--log-prefix=pgbench"),
        *(() if clients == 1 else (f"--sampling-rate={_SAMPLED}",)),
        url.replace("+asyncpg", ""),
    ]
    with start(command, cwd=directory) as process:
        said = said_by(process)
    logs = list(directory.glob("pgbench.*"))
    milliseconds = [int(line.split()[2]) / 1000 for log in logs for line in log.read_text().splitlines()]
    for log in logs:
        log.unlink()
    return parse_pgbench(said, milliseconds)


def parse_pgbench(said: str, milliseconds: Sequence[float]) -> Measured:
    """What pgbench measured: its own report, and the times of the transactions that it wrote down."""
    rate = re.search(r"^tps = ([\d.]+)", said, re.MULTILINE)
    count = re.search(r"^number of transactions actually processed: (\d+)", said, re.MULTILINE)
    if rate is None or count is None or len(milliseconds) < 2:
        raise CannotMeasure(f"pgbench ended without figures: {' '.join(said.split()[-40:])}")
    percentiles = quantiles(milliseconds, n=100)
    return Measured(int(count[1]), int(count[1]) / float(rate[1]), percentiles[49], percentiles[98])


def start(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None, log: Path | None = None
) -> "subprocess.Popen[str]":
    """Start a program that ends when we end, however we end. What it says goes to the log, or `said_by` reads it."""
    with log.open("ab") if log else nullcontext(subprocess.PIPE) as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=partial(die_with_parent, signal.SIGTERM, os.getpid()),
        )


def said_by(process: "subprocess.Popen[str]") -> str:
    """Wait for a program's end; all that it said. Raises CannotMeasure when it failed."""
    said, _ = process.communicate()
    if process.returncode != 0:
        raise CannotMeasure(f"{process.args!r} failed: {' '.join(said.split()[-60:])}")
    return said


def _pgbench_program() -> str:
    beside = postgresql_programs(server_account()).directory / "pgbench"
    found = str(beside) if beside.exists() else shutil.which("pgbench")
    if found is None:
        raise CannotMeasure("pgbench is not here. It comes with PostgreSQL; Debian: apt-get install postgresql")
    return found
