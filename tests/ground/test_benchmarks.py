"""The benchmarks can be read and their figures understood. No load here: `make bench` measures."""

import asyncio
from pathlib import Path

import pytest

from app.adapters.embedded import EmbeddedServers
from benchmarks.cases import CASES, Aim, Faster, Prompt, Side, chosen
from benchmarks.load import LUA, CannotMeasure, Measured, parse, parse_pgbench
from benchmarks.plans import NOT_SOLD, explain_all
from benchmarks.report import Result
from benchmarks.stages import houses
from benchmarks.stages.houses import House
from benchmarks.stages.past import give_past
from tests.conftest import EMPTY, MakeDatabase

ROOT = Path(__file__).parents[2]

SAID_BY_WRK = """\
Running 2s test @ http://127.0.0.1:8000
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    12.95ms    3.00ms  66.63ms   90.00%
    Req/Sec     4.07k   200.00     4.50k    70.00%
  8134 requests in 2.00s, 3.95MB read
  Non-2xx or 3xx responses: 7
Requests/sec:   4067.00
Transfer/sec:      1.98MB
BENCH {"requests": 8134, "microseconds": 2000000, "bytes": 4141875, "p50": 12950, "p99": 66630, "refused": 7, \
"broken": 1, "next": 8200}
"""

SAID_BY_PGBENCH = """\
pgbench (18.1)
number of transactions actually processed: 14408
number of failed transactions: 0 (0.000%)
latency average = 4.442 ms
tps = 7204.000000 (without initial connection time)
"""


def test_what_wrk_says_is_understood() -> None:
    measured = parse(SAID_BY_WRK)

    assert measured == Measured(requests=8134, seconds=2.0, p50=12.95, p99=66.63, refused=7, broken=1, next=8200)
    assert measured.per_second == 4067


def test_what_pgbench_says_is_understood() -> None:
    measured = parse_pgbench(SAID_BY_PGBENCH, [float(each) for each in range(1, 100)])

    assert (measured.requests, measured.seconds) == (14408, 2.0)
    assert (measured.p50, measured.p99) == (50.0, 99.0)


@pytest.mark.parametrize("said", ["", "unable to connect to 127.0.0.1:8000 Connection refused\n"])
def test_a_load_that_says_nothing_is_no_measurement(said: str) -> None:
    with pytest.raises(CannotMeasure):
        parse(said)
    with pytest.raises(CannotMeasure):
        parse_pgbench(said, [])


def test_every_case_that_was_asked_for_is_there() -> None:
    assert [case.name for case in CASES] == [
        "hold",
        "alone",
        "confirm",
        "rush",
        "replay",
        "toggle",
        "best",
        "availability-80",
        "availability-1222",
        "availability-40000",
        "large-house",
        "sweep",
        "workers",
        "forms-1",
        "forms-20",
        "forms-500",
        "logged",
        "growth-past",
        "growth-seats",
        "live-told",
        "live-cost",
    ]


def test_cases_are_chosen_by_name_or_by_the_beginning_of_it() -> None:
    assert [case.name for case in chosen("replay, growth")] == ["replay", "growth-past", "growth-seats"]
    assert chosen("") == list(CASES)
    with pytest.raises(CannotMeasure, match="hodl"):
        chosen("hodl")


def test_the_readme_names_every_case() -> None:
    readme = (ROOT / "benchmarks/README.md").read_text()

    for case in CASES:
        shown = "availability-…" if case.name.startswith("availability") else case.name
        assert f"`{shown}`" in readme


def test_the_scripts_are_there() -> None:
    scripts = {path.stem for path in LUA.glob("*.lua")}

    assert scripts == {"common", "confirm", "hold", "read", "replay", "rush", "steady", "toggle"}


def test_a_ratio_is_taken_round_by_round_and_a_bar_is_met_or_not() -> None:
    case = CASES[0]
    sides = [Side(name, lambda _: Measured(1, 1, 1, 1)) for name in _sides_of(case.bars)]
    result = Result(case, sides)
    for per_second in (1_000, 2_000, 9_000):  # a machine that is disturbed less and less
        for side in sides:
            share = 1.0 if "echo" in side.name else 0.7 if side.name == "hold, 1 screening" else 0.5
            result.rounds[side.name].append(Measured(int(per_second * share), 1, 1, 1))

    assert [(each.value, each.met) for each in result.verdicts()] == [
        (0.7, True),
        (0.5, False),
        (0.5, False),
        (1_000, None),
    ]


@pytest.fixture
async def sold(servers: EmbeddedServers, make_database: MakeDatabase) -> House:
    """Three screenings with a past of 30 bookings each, in a database where nobody reads a table that has an index."""
    url = (servers.database_url or "").replace("/usher?", f"/{(name := await make_database(EMPTY))}?")

    def build() -> House:
        houses.execute(url, f"ALTER DATABASE {name} SET enable_seqscan = off")
        house = houses.build(url, houses.invite(url), seats=30 + NOT_SOLD, screenings=3)
        give_past(house, 90)
        return house

    return await asyncio.to_thread(build)


async def test_every_hot_statement_is_explained_and_has_an_index(sold: House) -> None:
    plans = await explain_all(sold, sold=30)

    told = {plan.about: plan for plan in plans}
    for about in ("32 holds", "32 confirmed", "32 released", "the map", "my bookings", "where a key was used"):
        assert "(actual time=" in told[about].text
    assert [plan for plan in plans if "Seq Scan" in plan.text] == []
    assert "Index Cond: (expires_at <= (statement_timestamp() + " in told["the holds that have run out"].text
    assert "Trigger for constraint" in told["32 confirmed"].text


async def test_what_is_explained_is_taken_back(sold: House) -> None:
    def old_events() -> str:
        return houses.ask(sold.database_url, "SELECT count(*) FROM seat_events WHERE at < now() - interval '19 hours'")

    before = await asyncio.to_thread(old_events)
    plans = await explain_all(sold, sold=30)

    deleting = [plan for plan in plans if plan.about == "old events" and plan.statement.startswith("DELETE")]
    assert f"rows={before}.00" in deleting[-1].text
    assert await asyncio.to_thread(old_events) == before != "0"


def _sides_of(bars: tuple[object, ...]) -> list[str]:
    names: dict[str, None] = {}
    for bar in bars:
        assert isinstance(bar, (Faster, Aim, Prompt))
        names |= dict.fromkeys((bar.side, *((bar.of,) if isinstance(bar.of, str) else bar.of)))
    return list(names)
