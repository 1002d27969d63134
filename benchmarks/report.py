"""What was measured, for people (a table) and for programs (JSON)."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cases import Aim, Bar, Case, Faster, Prompt, Side, Within
from benchmarks.load import Measured

ROOT: Final = Path(__file__).parents[1]
_PACKAGES: Final = (
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "uvloop",
    "httptools",
    "orjson",
    "asyncpg",
    "sqlalchemy",
    "redis",
)
_REFUSED_ODDLY: Final = 0.02


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bar; `met` is None where it does not apply."""

    text: str
    value: float
    met: bool | None


class Result:
    """A case and what its sides measured, round by round."""

    def __init__(self, case: Case, sides: Sequence[Side] = (), *, failed: str = "", skipped: str = "") -> None:
        self.case = case
        self.sides = {side.name: side for side in sides}
        self.rounds: dict[str, list[Measured]] = {side.name: [] for side in sides}
        self.failed = failed
        self.skipped = skipped

    def per_second(self, side: str) -> float:
        """The median of the rounds."""
        return median(each.per_second for each in self.rounds[side])

    def spread(self, side: str) -> float:
        """Half of what lies between the best and the worst round, as a share of the median."""
        all_of_them = [each.per_second for each in self.rounds[side]]
        return (max(all_of_them) - min(all_of_them)) / 2 / median(all_of_them)

    def p50(self, side: str) -> float:
        """The median of the rounds' median latencies, in milliseconds."""
        return median(each.p50 for each in self.rounds[side])

    def p99(self, side: str) -> float:
        """The median of the rounds' 99th percentiles, in milliseconds."""
        return median(each.p99 for each in self.rounds[side])

    def refused(self, side: str) -> float:
        """The share of answers that were refusals."""
        return sum(each.refused for each in self.rounds[side]) / max(
            1, sum(each.requests for each in self.rounds[side])
        )

    def ratio(self, side: str, of: str) -> float:
        """How many times the other. Taken in each round, where the two ran next to each other; then the median."""
        pairs = zip(self.rounds[side], self.rounds[of], strict=True)
        return median(one.per_second / other.per_second for one, other in pairs)

    def notes(self, side: str) -> dict[str, float]:
        """What else was seen: the median of each."""
        names = dict.fromkeys(name for each in self.rounds[side] for name in each.notes)
        return {name: median(each.notes.get(name, 0.0) for each in self.rounds[side]) for name in names}

    def oddities(self) -> list[str]:
        """Why a figure must not be believed: answers that should not have been refusals, or were none."""
        odd: list[str] = []
        for name, side in self.sides.items():
            if abs(self.refused(name) - side.refused) > _REFUSED_ODDLY:
                odd.append(f"{name}: {self.refused(name):.1%} refused instead of {side.refused:.0%}")
            if broken := sum(each.broken for each in self.rounds[name]):
                odd.append(f"{name}: {broken} requests without an answer")
        return odd

    def verdicts(self) -> list[Verdict]:
        """What became of the bars."""
        return [self._verdict(bar) for bar in self.case.bars]

    def _verdict(self, bar: Bar) -> Verdict:
        match bar:
            case Faster(side, of, at_least):
                value = self.ratio(side, of)
                return Verdict(f"{side} ≥ {at_least:.2f} x {of}", value, value >= at_least)
            case Aim(side, per_second, of, where):
                value = self.per_second(side)
                text = f"{side} ≥ {per_second:,.0f}/s where {of} makes more than {where:,.0f}/s"
                return Verdict(text, value, value >= per_second if self.per_second(of) > where else None)
            case Prompt(side, of, at_most):
                value = self.p50(side) / sum(map(self.p50, of))
                return Verdict(f"median of {side} ≤ {at_most:g} x ({' + '.join(of)})", value, value <= at_most)
            case Within(side, p99):
                value = self.p99(side)
                return Verdict(f"p99 of {side} ≤ {p99:,.0f} ms", value, value <= p99)


def table(result: Result) -> str:
    """A case for people."""
    lines = ["", f"{result.case.name}: {result.case.about}"]
    if reason := result.failed or result.skipped:
        return "\n".join([*lines, f"  not measured: {reason}"])
    lines.append(f"  {'':46} {'req/s':>8} {'spread':>7} {'p50 ms':>8} {'p99 ms':>8} {'refused':>8}  ratio")
    for name, side in result.sides.items():
        ratio = f"{result.ratio(name, side.of):.2f} x {side.of}" if side.of else ""
        lines.append(
            f"  {name:46} {result.per_second(name):8,.0f} {result.spread(name):6.0%}± {result.p50(name):8.2f} "
            f"{result.p99(name):8.2f} {result.refused(name):8.1%}  {ratio}".rstrip()
        )
        if notes := result.notes(name):
            lines.append(f"      {', '.join(f'{note}: {value:,.0f}' for note, value in notes.items())}")
    words = {True: "met", False: "NOT MET", None: "does not apply here"}
    lines += [f"  {words[each.met]:>8}  {each.text}: {each.value:,.2f}" for each in result.verdicts()]
    lines += [f"  ODD       {odd}" for odd in result.oddities()]
    return "\n".join(lines)


def write(file: Path, results: Sequence[Result], effort: Mapping[str, int], servers: Mapping[str, str]) -> None:
    """All of it for programs; replaced as a whole."""
    document = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}, **servers},
        "effort": dict(effort),
        "cases": [_written(result) for result in results],
    }
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    part.replace(file)


def commit() -> str:
    """What was measured, with a word if it was changed since; empty outside of a repository."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return said.stdout.strip()


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was with something else when the report was written."""
    model = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) // 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "processor": model[0] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mib": memory[0] if memory else None,
        "system": platform.platform(),
        "load_average": os.getloadavg()[0],
    }


def _lines(file: str) -> list[str]:
    path = Path(file)
    return path.read_text().splitlines() if path.exists() else []


def _written(result: Result) -> dict[str, Any]:
    if result.failed or result.skipped:
        return {
            "name": result.case.name,
            "about": result.case.about,
            "failed": result.failed,
            "skipped": result.skipped,
        }
    return {
        "name": result.case.name,
        "about": result.case.about,
        "sides": [
            {
                "name": name,
                "per_second": result.per_second(name),
                "spread": result.spread(name),
                "p50_ms": result.p50(name),
                "p99_ms": result.p99(name),
                "refused": result.refused(name),
                "of": side.of or None,
                "ratio": result.ratio(name, side.of) if side.of else None,
                "notes": result.notes(name),
                "rounds": [
                    {"per_second": each.per_second, "p50_ms": each.p50, "p99_ms": each.p99, "broken": each.broken}
                    for each in result.rounds[name]
                ],
            }
            for name, side in result.sides.items()
        ],
        "bars": [{"bar": each.text, "value": each.value, "met": each.met} for each in result.verdicts()],
        "odd": result.oddities(),
    }
