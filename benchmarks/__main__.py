"""`python -m benchmarks`: measure the cases that were asked for, all sides by turns; print it and write it down."""

import argparse
import sys
from pathlib import Path

from app.adapters.embedded import EmbeddedError
from benchmarks.cases import Case, chosen
from benchmarks.load import CannotMeasure, NotThere, wrk
from benchmarks.pairs import paired
from benchmarks.report import Result, machine, table, write
from benchmarks.stages.stage import Effort, Ground, ground


def main() -> int:
    """Measure; 0 when every case that Usher has could be measured, whatever became of its bars."""
    arguments = _arguments()
    effort = Effort(arguments.rounds, arguments.seconds)
    try:
        cases = paired(arguments.cases, arguments.against.resolve()) if arguments.against else chosen(arguments.cases)
        wrk()
        print(f"{machine()['processor']}, {machine()['cores']} cores, load average {machine()['load_average']:.1f}")
        results: list[Result] = []
        with ground() as made:
            for case in cases:
                results.append(measure(case, made, effort))
                print(table(results[-1]), flush=True)
                write(arguments.output, results, {"rounds": effort.rounds, "seconds": effort.seconds}, made.versions())
    except (CannotMeasure, EmbeddedError) as reason:
        print(reason, file=sys.stderr)
        return 1
    print(f"\nAlso in {arguments.output}")
    return 1 if any(result.failed for result in results) else 0


def measure(case: Case, made: Ground, effort: Effort) -> Result:
    """All rounds of a case: A B C, A B C, so that what disturbs the machine disturbs all sides alike."""
    with made.stage(effort) as stage:
        try:
            _say(f"{case.name}: preparing")
            sides = case.sides(stage)
            result = Result(case, sides)
            for side in sides:
                if side.warms_up:
                    _say(f"{case.name}: warming up, {side.name}")
                    side.run(effort.warm_up)
            rounds = min(effort.rounds, case.rounds)
            for number in range(1, rounds + 1):
                for side in sides:
                    _say(f"{case.name}: round {number} of {rounds}, {side.name}")
                    result.rounds[side.name].append(side.run(effort.seconds))
        except NotThere as reason:
            return Result(case, skipped=str(reason))
        except CannotMeasure as reason:
            return Result(case, failed=str(reason))
        finally:
            _say("")
    return result


def _say(text: str) -> None:
    """What is going on, for somebody who waits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description="How fast Usher is, next to what this machine can do."
    )
    parser.add_argument("--cases", default="", help="names separated by commas; not given: all")
    parser.add_argument("--rounds", type=_positive, default=5, help="how often each side runs")
    parser.add_argument("--seconds", type=_positive, default=2, help="how long each run takes")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"), help="where the JSON goes")
    parser.add_argument(
        "--against", type=Path, help="another checkout of Usher with its .venv: compare this one with it, in pairs"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
