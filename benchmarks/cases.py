"""What is measured, and the bars that it should clear. A case prepares its stage and names its sides; see `CASES`."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from benchmarks import cpu
from benchmarks.listening import Storm, told
from benchmarks.load import CannotMeasure, Load, Measured
from benchmarks.stages import houses, stadium
from benchmarks.stages.houses import Sale
from benchmarks.stages.past import give_past, let_run_out, not_swept, sell_pairs
from benchmarks.stages.stage import Stage, fetch

ARENA: Final = 40_000
HALL: Final = 1_222
STUDIO: Final = 80

ECHO: Final = "bare FastAPI echo"
PGBENCH: Final = "pgbench, one row"

_SWEPT_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Side:
    """One thing that is measured: run it for so many seconds. Its ratio is that to the side called `of`.

    `refused`: the share of answers that is expected to be a refusal.
    """

    name: str
    run: Callable[[int], Measured]
    of: str = ""
    refused: float = 0.0
    warms_up: bool = True


@dataclass(frozen=True, slots=True)
class Faster:
    """A bar: the side makes at least so many times the requests of the other."""

    side: str
    of: str
    at_least: float


@dataclass(frozen=True, slots=True)
class Aim:
    """A bar: the side makes so many requests a second, on a machine whose other side makes more than `where`."""

    side: str
    per_second: float
    of: str
    where: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """A bar: the side's median latency is at most so many times the sum of the others'."""

    side: str
    of: tuple[str, ...]
    at_most: float


@dataclass(frozen=True, slots=True)
class Within:
    """A bar: of a hundred of the side, the slowest but one takes at most so many milliseconds."""

    side: str
    p99: float


Bar = Faster | Aim | Prompt | Within


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared in one go: `sides` prepares the stage, and is asked once; there are at most so many `rounds`."""

    name: str
    about: str
    sides: Callable[[Stage], Sequence[Side]]
    bars: tuple[Bar, ...] = ()
    rounds: int = 1_000


def hold(stage: Stage) -> list[Side]:
    """Seats that nobody else wants, over few and over many screenings."""
    database = stage.database()
    needed = {at_once: houses.screenings_for(stage.effort.holds, ARENA, at_once) for at_once in (1, 20, 500)}
    house = stage.house(database, ARENA, sum(needed.values()))
    one = stage.sale(house, 1, screenings=needed[1])
    twenty = stage.sale(house, 20, after=needed[1], screenings=needed[20])
    many = stage.sale(house, 500, after=needed[1] + needed[20])
    echo, usher = stage.references(database), stage.usher(database)
    return [
        Side(ECHO, stage.echo(echo, one).run),
        Side(PGBENCH, partial(stage.pgbench, database, 32)),
        Side("hold, 1 screening", Load(usher, "hold", sale=one).run, ECHO),
        Side("hold, 20 screenings", Load(usher, "hold", sale=twenty).run, ECHO),
        Side("hold, 500 screenings", Load(usher, "hold", sale=many).run, ECHO),
    ]


def alone(stage: Stage) -> list[Side]:
    """One buyer, while nobody else is there: how long an answer takes."""
    database = stage.database()
    sale = stage.new_sale(database, ARENA, 1)
    echo, usher = stage.references(database), stage.usher(database)
    return [
        Side(ECHO, stage.echo(echo, sale, connections=1).run),
        Side(PGBENCH, partial(stage.pgbench, database, 1)),
        Side("hold", Load(usher, "hold", sale=sale, connections=1).run, ECHO),
    ]


def _against_echo(
    stage: Stage, name: str, script: str, options: dict[str, str | int], refused: float = 0.0
) -> list[Side]:
    database = stage.database()
    sale = stage.new_sale(database, ARENA, 1)
    echo, usher = stage.references(database), stage.usher(database)
    return [
        Side(ECHO, stage.echo(echo, sale).run),
        Side(name, Load(usher, script, options, sale).run, ECHO, refused),
    ]


def confirm(stage: Stage) -> list[Side]:
    """Hold and confirm, counted in requests."""
    return _against_echo(stage, "hold and confirm", "confirm", {})


def rush(stage: Stage) -> list[Side]:
    """Twenty buyers want each seat: 19 of 20 are refused."""
    return _against_echo(stage, "losers of a rush", "rush", {"rivals": 20}, refused=0.95)


def replay(stage: Stage) -> list[Side]:
    """Holds that were answered before, repeated with their keys."""
    return _against_echo(stage, "replays", "replay", {"cycle": 1_000})


def toggle(stage: Stage) -> list[Side]:
    """Seats taken and given back by turns."""
    return _against_echo(stage, "toggle", "toggle", {"cycle": 5_000})


_PAIR: Final = json.dumps({"best_available": {"count": 2}}, separators=(",", ":"))


def best(stage: Stage) -> list[Side]:
    """Two seats together, chosen by Usher, next to two that are named: in two houses, empty and nearly full."""
    database = stage.database()
    sales: list[tuple[str, Sale, Sale]] = []
    for name, seats in (("hall", HALL), ("stadium", ARENA)):
        for state, left in (("empty", seats), ("95 % sold", seats // 20)):
            places = left * 4 // 10  # pairs; some seats are left over
            each = houses.screenings_for(stage.effort.holds // 2, places, 20)
            house = stage.house(database, seats, 2 * each)
            named = stage.sale(house, 20, screenings=each, skipped=seats - left, seats=places)
            chosen = stage.sale(house, 20, after=each, screenings=each, seats=places)
            if left < seats:
                sell_pairs(house, each, left)
            sales.append((f"{name}, {state}", named, chosen))
    usher = stage.usher(database)
    sides: list[Side] = []
    for name, named, chosen in sales:
        sides += [
            Side(f"hold, {name}", Load(usher, "hold", {"each": 2}, named).run),
            Side(f"best available, {name}", Load(usher, "hold", {"body": _PAIR}, chosen).run, f"hold, {name}"),
        ]
    return sides


def availability(seats: int, stage: Stage) -> list[Side]:
    """The map of a half-sold house: whole, compact and unchanged; quiet, and while its other half changes hands."""
    database = stage.database()
    house = stage.house(database, seats, 1)
    give_past(house, seats // 2)
    changing = stage.sale(house, 1, skipped=seats // 2)
    echo, usher = stage.references(database), stage.usher(database)
    changes: dict[str, str | int] = {"pace": 200, "cycle": min(400, seats // 2)}
    background = Load(usher, "steady", changes, changing, connections=16)

    def while_changing(path: str, seconds: int) -> Measured:
        process = background.start(seconds + 1)
        time.sleep(0.5)  # so that readers come while changes are under way, from the first to the last
        measured = Load(usher, "read", {"path": path}).run(seconds)
        changed = background.end(process)
        return replace(measured, notes={"changes a second": changed.per_second, "changes refused": changed.refused})

    sides: list[Side] = []
    for name, last in (("full", "seats"), ("compact", "availability")):
        path = f"/api/v1/screenings/{house.first_screening}/{last}"
        _, body, _ = fetch(usher, path)
        reference = f"Redis GET, {name}"
        sides += [
            Side(reference, partial(_kept, echo, stage.keep(database, name, body), len(body))),
            Side(name, Load(usher, "read", {"path": path}).run, reference),
            Side(f"{name}, 200 changes/s", partial(while_changing, path), name),
        ]
    sides.insert(-1, Side("304", partial(_unchanged, usher, path), reference))
    return sides


def _kept(url: str, path: str, size: int, seconds: int) -> Measured:
    return replace(Load(url, "read", {"path": path}).run(seconds), notes={"bytes of an answer": size})


def _unchanged(url: str, path: str, seconds: int) -> Measured:
    """Asked with the tag of this round: what goes on between the rounds changes it."""
    tag = fetch(url, path)[2]
    if fetch(url, path, {"If-None-Match": tag})[0] != 304:
        raise CannotMeasure(f"{path} is not answered with 304.")
    return Load(url, "read", {"path": path, "tag": tag}).run(seconds)


def large_house(stage: Stage) -> list[Side]:
    """A house of 40,000 seats: its import, and its compact map, made anew and as it is kept."""
    database = stage.database()
    house = stage.house(database, ARENA, 1)
    usher = stage.usher(database)
    path = f"/api/v1/screenings/{house.first_screening}/availability"
    return [
        Side("import", partial(stadium.imported, stage, database), warms_up=False),
        Side("compact after a change", partial(stadium.anew, usher, house.first_screening)),
        Side("compact as it is kept", Load(usher, "read", {"path": path}, connections=1).run),
    ]


def sweep(stage: Stage) -> list[Side]:
    """Selling seats of twenty screenings, while 100,000 run-out holds of the same screenings are tidied up."""
    screenings, run_out = 20, 100_000
    database = stage.database()
    house = stage.house(database, ARENA, screenings)
    sale = stage.sale(house, screenings, seats=ARENA - run_out // screenings)
    usher = stage.usher(database)
    load = Load(usher, "hold", sale=sale)

    def while_sweeping(seconds: int) -> Measured:
        let_run_out(house, screenings, run_out)
        began = time.monotonic()
        measured = load.run(seconds)
        left = not_swept(house)
        while not_swept(house):
            if time.monotonic() - began > _SWEPT_SECONDS:
                raise CannotMeasure(f"{run_out:,} run-out holds were not swept in {_SWEPT_SECONDS} s.")
            time.sleep(0.2)
        return replace(measured, notes={"left after the round": left, "seconds to sweep": time.monotonic() - began})

    quiet = "hold, nothing to sweep"
    return [Side(quiet, load.run), Side("hold, 100,000 to sweep", while_sweeping, quiet, warms_up=False)]


def workers(stage: Stage) -> list[Side]:
    """One worker process and two, each against as many of the echo."""
    sides: list[Side] = []
    for count, name in ((1, "1 worker"), (2, "2 workers")):
        database = stage.database()
        sale = stage.new_sale(database, ARENA, 20)
        echo, usher = stage.references(database, count), stage.usher(database, count)
        sides += [
            Side(f"{ECHO}, {name}", stage.echo(echo, sale).run),
            Side(f"hold, {name}", Load(usher, "hold", sale=sale).run, f"{ECHO}, {name}"),
        ]
    return sides


def with_cpu(stage: Stage, url: str, load: Load) -> Callable[[int], Measured]:
    """What a run has measured, and the processor time that Usher and PostgreSQL spent on an answer."""

    def run(seconds: int) -> Measured:
        if not cpu.is_counted():
            return load.run(seconds)
        before = stage.cpu_seconds(url)
        measured = load.run(seconds)
        spent = stage.cpu_seconds(url) - before
        return replace(measured, notes={"CPU µs an answer": 1e6 * spent / max(measured.requests, 1)})

    return run


_ONE_FORM: Final = "hold, batches of any screenings"
_ONE_EACH: Final = "hold, a batch for each screening"


def forms(at_once: int, stage: Stage) -> list[Side]:
    """The two ways to speak to PostgreSQL: about all screenings of a batch, and about one as a parameter everywhere."""
    sides: list[Side] = []
    for name, is_on in ((_ONE_FORM, "off"), (_ONE_EACH, "on")):
        database = stage.database()
        sale = stage.new_sale(database, ARENA, at_once)
        usher = stage.usher(database, BATCH_PER_SCREENING=is_on)
        run = with_cpu(stage, usher, Load(usher, "hold", sale=sale))
        sides.append(Side(name, run, sides[0].name if sides else ""))
    return sides


_QUIET, _LOGGED = "hold, no line", "hold, a line for each request"


def logged(stage: Stage) -> list[Side]:
    """The same holds with a line in the log for each, and without."""
    sides: list[Side] = []
    for name, is_on in ((_QUIET, "off"), (_LOGGED, "on")):
        database = stage.database()
        sale = stage.new_sale(database, ARENA, 1)
        usher = stage.usher(database, LOG_LEVEL="info", LOG_REQUESTS=is_on)
        run = with_cpu(stage, usher, Load(usher, "hold", sale=sale))
        sides.append(Side(name, run, sides[0].name if sides else ""))
    return sides


def long_past(stage: Stage) -> list[Side]:
    """A house that has just opened, and one with a long past and many screenings. Ten screenings are sold in both."""
    sides: list[Side] = []
    for screenings, bookings in ((10, 1_000), (10_000, 1_000_000)):
        database = stage.database()
        house = stage.house(database, ARENA, screenings)
        give_past(house, bookings)
        sale = stage.sale(house, 10, skipped=bookings // screenings)
        name = f"hold, {screenings:,} screenings, {bookings:,} bookings"
        sides.append(Side(name, Load(stage.usher(database), "hold", sale=sale).run, sides[0].name if sides else ""))
    return sides


def house_sizes(stage: Stage) -> list[Side]:
    """Small and large houses; a hundred screenings of each are on sale side by side."""
    database = stage.database()
    sales = {f"hold, {size:,} seats": stage.new_sale(database, size, 100) for size in (STUDIO, HALL, ARENA)}
    usher = stage.usher(database)
    first = next(iter(sales))
    return [
        Side(name, Load(usher, "hold", sale=sale).run, "" if name == first else first) for name, sale in sales.items()
    ]


def listeners(_: Stage) -> list[Side]:
    """How long until the last of many listeners is told; each side starts an Usher of its own."""
    counts = (1_000, 5_000, 10_000)
    return [Side(f"10 holds/s, {count:,} listeners", partial(_told, count), warms_up=False) for count in counts]


def _told(count: int, seconds: int) -> Measured:
    return told(count, 4 * seconds)  # ten holds a second are few


def storm(_: Stage) -> list[Side]:
    """What listeners cost those who change seats."""
    changes = Storm(1_000)
    quiet = "toggle, no listeners"
    return [
        Side(quiet, changes.without, warms_up=False),
        Side("toggle, 1,000 listeners", changes.during, quiet, warms_up=False),
    ]


def _availability_case(size: int, *, has_bars: bool) -> Case:
    return Case(
        f"availability-{size}",
        f"the map of a house of {size:,} seats, half of them sold",
        partial(availability, size),
        (
            Faster("full", "Redis GET, full", 0.90),
            Faster("compact", "Redis GET, compact", 0.90),
            Faster("304", "Redis GET, compact", 1.00),
            Faster("full, 200 changes/s", "full", 0.60),
            Faster("compact, 200 changes/s", "compact", 0.60),
        )
        if has_bars
        else (),
    )


CASES: Final = (
    Case(
        "hold",
        "distinct seats, 64 connections, one worker",
        hold,
        (
            Faster("hold, 1 screening", ECHO, 0.70),
            Faster("hold, 20 screenings", ECHO, 0.70),
            Faster("hold, 500 screenings", ECHO, 0.70),
            Aim("hold, 20 screenings", 5_000, ECHO, 7_000),
        ),
    ),
    Case("alone", "one connection", alone, (Prompt("hold", (ECHO, PGBENCH), 4.0),)),
    Case("confirm", "hold and confirm, counted in requests", confirm, (Faster("hold and confirm", ECHO, 0.60),)),
    Case("rush", "20 buyers for each seat", rush, (Faster("losers of a rush", ECHO, 0.70),)),
    Case("replay", "the same holds with the same keys", replay, (Faster("replays", ECHO, 0.70),)),
    Case("toggle", "seats taken and given back by turns", toggle),
    Case(
        "best",
        "two seats together, chosen by Usher, next to two that are named, over 20 screenings",
        best,
        (
            Faster("best available, hall, empty", "hold, hall, empty", 0.80),
            Faster("best available, hall, 95 % sold", "hold, hall, 95 % sold", 0.80),
            Faster("best available, stadium, empty", "hold, stadium, empty", 0.50),
            Faster("best available, stadium, 95 % sold", "hold, stadium, 95 % sold", 0.50),
        ),
    ),
    _availability_case(STUDIO, has_bars=True),
    _availability_case(HALL, has_bars=True),
    _availability_case(ARENA, has_bars=False),
    Case(
        "large-house",
        "40,000 seats: an import, and the compact map for one reader",
        large_house,
        (
            Within("import", 10_000),
            Within("compact after a change", 150),
            Within("compact as it is kept", 25),
        ),
        rounds=3,
    ),
    Case(
        "sweep",
        "selling while 100,000 run-out holds are tidied up",
        sweep,
        (Faster("hold, 100,000 to sweep", "hold, nothing to sweep", 0.70),),
    ),
    Case(
        "workers",
        "distinct seats over 20 screenings, one worker and two",
        workers,
        (Faster("hold, 2 workers", "hold, 1 worker", 1.10),),
    ),
    *(
        Case(
            f"forms-{at_once}",
            f"both ways to speak to PostgreSQL, {at_once} screenings",
            partial(forms, at_once),
            (Faster(_ONE_EACH, _ONE_FORM, 0.97),),
        )
        for at_once in (1, 20, 500)
    ),
    Case("logged", "a line in the log for each request, and none", logged, (Faster(_LOGGED, _QUIET, 0.98),)),
    Case(
        "growth-past",
        "the same holds after a short and after a long past",
        long_past,
        (Faster("hold, 10,000 screenings, 1,000,000 bookings", "hold, 10 screenings, 1,000 bookings", 1 / 1.25),),
    ),
    Case(
        "growth-seats",
        "the same holds in small and in large houses",
        house_sizes,
        (
            Faster("hold, 1,222 seats", "hold, 80 seats", 1 / 1.25),
            Faster("hold, 40,000 seats", "hold, 80 seats", 1 / 1.25),
        ),
    ),
    Case(
        "live-told",
        "ten holds a second, until the last listener is told",
        listeners,
        (
            Within("10 holds/s, 1,000 listeners", 250),
            Within("10 holds/s, 5,000 listeners", 500),
            Within("10 holds/s, 10,000 listeners", 500),
        ),
        rounds=1,
    ),
    Case(
        "live-cost",
        "changes while nobody listens, and while many do",
        storm,
        (Faster("toggle, 1,000 listeners", "toggle, no listeners", 0.80),),
        rounds=1,
    ),
)


def chosen(names: str) -> list[Case]:
    """The cases of these names, separated by commas; "growth" means every growth-...; nothing means all.

    Raises CannotMeasure for a name that no case has.
    """
    return chosen_from(CASES, names)


def chosen_from(cases: Sequence[Case], names: str) -> list[Case]:
    """As `chosen`, from cases of one's own."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if not any(_means(name, case) for case in cases)]
    if unknown:
        raise CannotMeasure(
            f"There is no case {', '.join(unknown)}; there are {', '.join(case.name for case in cases)}."
        )
    return [case for case in cases if not wanted or any(_means(name, case) for name in wanted)]


def _means(name: str, case: Case) -> bool:
    return case.name == name or case.name.startswith(f"{name}-")
