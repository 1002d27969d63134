"""The README is true: its commands are run, its tour as somebody would type it, its tables held against the code."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import yaml
from fastapi.routing import APIRoute, iter_route_contexts

from app.__main__ import main
from app.domain.house.layouts import lay_out
from app.main import ROUTERS
from app.schemas.imports import read_layout_file
from app.settings import Settings
from tests.forking import Forker
from tests.order import edit
from tests.patience import PATIENT_ENVIRONMENT
from tests.places import copy_of, roomy_home, started

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    """What stands under a heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def blocks(text: str) -> list[str]:
    """The commands in a text, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without their heads."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    return [re.split(r" (?<!\\)\| ", line) for line in lines if line != lines[0]]


def clean(**settings: str) -> dict[str, str]:
    """The environment without a setting in it but these, and without a make around us."""
    names = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in names and not name.startswith("MAKE")}
    return kept | settings


# --- the tour --------------------------------------------------------------------------------------------------------


@contextmanager
def serving(home: Path, forker: Forker) -> Iterator[list[str]]:
    """Usher, as after `make run`, and the lines of its banner."""
    own = clean(USHER_HOME=str(home), PORT="0", **PATIENT_ENVIRONMENT)
    process = forker.start("serve", environment=own, complains_to=2)
    banner = []
    for line in process.stdout:
        banner.append(line)
        if line.startswith("  Stop"):
            break
    assert banner, "it did not start"
    try:
        yield banner
    finally:
        process.terminate()
        process.communicate()


async def let_days_pass(url: str, days: int) -> None:
    """Move all screenings of a PostgreSQL back."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await edit(connection, "starts_at = starts_at - make_interval(days => $1)", "true", days)
    finally:
        await connection.close()


@pytest.fixture(scope="module", params=["the first day", "the third day, after the banner's command"])
def tour(request: pytest.FixtureRequest, first_home: Path, forker: Forker) -> tuple[list[list[Any]], int]:
    """What each block of the tour prints, and how many seats were free before it."""
    is_first = request.param == "the first day"
    with roomy_home() if is_first else copy_of(first_home) as home:
        free = 80 if is_first else 79
        if not is_first:
            with started(home, valkey=False) as servers:
                asyncio.run(let_days_pass(servers.database_url or "", 3))
        with serving(home, forker) as banner:
            url = found[1] if (found := re.search(r"Usher is ready: (\S+)", "".join(banner))) else ""
            if not is_first:
                [hold] = [line.split("seat", 1)[1].strip() for line in banner if line.startswith("  Hold a seat")]
                held = subprocess.run(
                    ["bash", "-c", f"{hold} --silent"], env=clean(), check=True, capture_output=True, text=True
                )
                assert orjson.loads(held.stdout)["status"] == "held"
            told = play(url)
    return told, free


def play(url: str) -> list[list[Any]]:
    """What each block of the tour prints: JSON, or lines of text where there is none."""
    mark = "--- next block ---"
    script = f"\necho; echo '{mark}'\n".join(blocks(section("A tour")))
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8000", url)],
        env=clean(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    # Curl ends without a new line: answers follow each other closely.
    return [parts(part) for part in ended.stdout.split(f"\n{mark}\n")]


@pytest.fixture
def told(tour: tuple[list[list[Any]], int]) -> list[list[Any]]:
    """What each block of the tour prints."""
    return tour[0]


@pytest.fixture
def free(tour: tuple[list[list[Any]], int]) -> int:
    """How many seats were free before the tour."""
    return tour[1]


def parts(text: str) -> list[Any]:
    """The JSON in a text, and what else is in it line by line."""
    lines = re.sub(r"\}\{", "}\n{", text).splitlines()
    return [orjson.loads(line) if line.startswith("{") else line for line in lines if line]


def test_the_tour_shows_what_seats_cost(told: list[list[Any]], free: int) -> None:
    [seats] = told[0]

    assert seats["counts"]["available"] == free
    assert {seat["row"] for seat in seats["seats"]} == {"A"}
    assert seats["seats"][0]["price"] == {"amount_minor": 4500, "currency": "EUR"}


def test_the_tour_holds_two_seats_once(told: list[list[Any]]) -> None:
    [held] = told[1]
    *headers, again = told[2]

    assert ([seat["label"] for seat in held["seats"]], held["expires_in_seconds"]) == (["A1", "A2"], 300)
    assert "idempotent-replayed: true" in [line.lower() for line in headers]
    assert again == held


def test_the_tour_shows_that_they_are_mine_and_nobody_elses(told: list[list[Any]]) -> None:
    mine, refused = told[3]

    assert [seat["label"] for seat in mine["seats"]] == ["A1", "A2"]
    assert (refused["code"], [seat["label"] for seat in refused["seats"]]) == ("seats-unavailable", ["A2"])
    assert refused["available_seats"][0] == "A3"


def test_the_tour_books_once(told: list[list[Any]]) -> None:
    [booking] = told[4]
    again, refused = told[5]

    assert (booking["status"], booking["total"]["amount_minor"]) == ("confirmed", 9000)
    assert again == booking
    assert (refused["status"], refused["code"]) == (409, "seats-unavailable")


def test_the_tour_exchanges_a_seat(told: list[list[Any]]) -> None:
    [exchanged] = told[6]

    assert [seat["label"] for seat in exchanged["seats"]] == ["A1", "C2"]
    assert (exchanged["total"]["amount_minor"], exchanged["payment"]["status"]) == (7000, "refund_pending")


def test_the_tour_cancels(told: list[list[Any]], free: int) -> None:
    part, whole, availability = told[7]

    assert ([seat["label"] for seat in part["seats"]], part["status"]) == (["C2"], "confirmed")
    assert whole["status"] == "cancelled"
    assert availability["counts"]["available"] == free
    assert len(availability["taken"]) == 80 - free


def test_the_tour_lets_an_organizer_take_a_seat_off_sale(told: list[list[Any]]) -> None:
    blocked, history = told[8]

    assert blocked["items"] == [{"seat_id": 80, "label": "D20", "outcome": "blocked"}]
    assert [(one["to"], one["cause"]) for one in history["items"]] == [("blocked", "staff")]


def test_the_tour_finds_four_seats_side_by_side_and_says_what_would_be_next(told: list[list[Any]]) -> None:
    held, found = told[9]

    assert (held["status"], held["adjacent"], len(held["seats"])) == ("held", True, 4)
    assert (found["adjacent"], [seat["section"] for seat in found["seats"]]) == (True, ["C", "C"])


def test_the_tour_hands_a_seat_over(told: list[list[Any]]) -> None:
    offer, taken, given = told[11]

    assert (offer["status"], [seat["label"] for seat in offer["seats"]]) == ("offered", ["D19"])
    assert ([seat["label"] for seat in taken["seats"]], taken["payment"]["amount"]["amount_minor"]) == (["D19"], 1500)
    assert [seat["label"] for seat in given["seats"]] == ["D18"]
    assert taken["payment"] == given["payment"]


def test_the_tour_leaves_no_seat_alone(told: list[list[Any]]) -> None:
    strict, checked, off = told[10]

    assert (strict["orphan_rule"], off["orphan_rule"]) == ("strict", "off")
    assert (checked["ok"], checked["problem"]["code"]) == (False, "leaves-single-seat")
    assert checked["problem"]["stranded"] == ["D1"]
    assert all(len(block) == 2 for block in checked["problem"]["suggestions"])
    assert checked["problem"]["suggestions"]


# --- every other command ---------------------------------------------------------------------------------------------


def commands() -> list[str]:
    """The commands outside the tour, one to a line, and those within sentences that begin with make."""
    others = README.replace(section("A tour"), "")
    in_blocks = [line for block in blocks(others) for line in block.splitlines() if line]
    return [*in_blocks, *re.findall(r"`((?:[A-Z_]+=\S+ )?make [a-z ]+|(?:python -m app|\./usher) [^`|]+)`", README)]


@pytest.mark.parametrize("command", commands())
def test_a_command_can_be_typed_as_it_stands(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S+", word)]
    given = {word.partition("=")[0] for word in shlex.split(command) if re.fullmatch(r"[A-Z_]+=\S+", word)}

    assert given <= {name.upper() for name in Settings.model_fields}
    match words:
        case ["make", target]:
            planned = subprocess.run(
                ["make", "-n", target], cwd=ROOT, env=clean(), check=True, capture_output=True, text=True
            )
            assert {"run": "-m app serve", "test": "-m pytest"}.get(target, "") in planned.stdout
        case ["docker", "compose", *what]:
            compose_must_know(what)
        case ["cp", source, ".env"]:
            assert (ROOT / source).exists()
        case ["./usher", *what]:
            program_must_know(what)
        case _:
            assert command.startswith("export "), command
            expanded = clean(HOME="/")
            subprocess.run(["bash", "-eu", "-c", command], env=expanded, check=True, capture_output=True)


def compose_must_know(what: list[str]) -> None:
    """The command is one of a compose file with this service, and what runs in there is a command of ours."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    match what:
        case ["up", *options]:
            assert set(options) <= {"--build", "--detach"}
        case ["exec", service, "./usher", *rest]:
            assert service in services
            assert " usher ./" in (ROOT / "Dockerfile").read_text()
            program_must_know(rest)
        case _:
            raise AssertionError(what)


def test_a_layout_is_the_same_house_in_each_of_its_examples() -> None:
    examples = re.findall(r"^```(?:csv|json)\n(.*?)^```$", section("Layouts"), re.DOTALL | re.MULTILINE)

    table, own = (lay_out(read_layout_file(example.encode()).layout.plan()) for example in examples)

    assert [(each.label, each.category, each.accessible) for each in table] == [
        ("A1", "standard", True),
        ("A2", "standard", False),
        ("B1", "premium", False),
    ]
    assert table == tuple(replace(each, loc=mine.loc) for each, mine in zip(own, table, strict=True))


def test_usher_runs_from_any_directory_in_the_environment_that_make_creates(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "a project", tmp_path / "elsewhere"
    project.mkdir()
    (elsewhere / "app").mkdir(parents=True)  # somebody else's, and in the way
    for name in ("usher", "app"):
        (project / name).symlink_to(ROOT / name)

    before = subprocess.run([project / "usher", "doctor"], check=False, cwd=elsewhere, capture_output=True, text=True)
    (project / ".venv").symlink_to(sys.prefix)
    after = subprocess.run(
        [project / "usher", "doctor"], check=False, cwd=elsewhere, env=clean(), capture_output=True, text=True
    )

    assert (before.returncode, before.stdout) == (1, "")
    assert before.stderr == f"Usher is not installed here yet. Type: make -C '{project}' install\n"
    assert (after.returncode, after.stderr) == (0, "")
    assert after.stdout.startswith("ok")


def program_must_know(what: list[str]) -> None:
    """Our program has this command."""
    asked = what if what == ["--help"] else [*what, "--help"]
    with pytest.raises(SystemExit) as ended:
        main(asked)
    assert ended.value.code == 0


# --- tables and names ------------------------------------------------------------------------------------------------


def setting_rows() -> Iterator[str]:
    """Every setting as a row of the table."""
    for name, field in Settings.model_fields.items():
        default = 900 if name == "max_hold_seconds" else field.get_default()
        yield f"| `{name.upper()}` | {written(default)} | {field.description} |"


def written(default: object) -> str:
    """A default as somebody would write it."""
    match default:
        case None | () | "":
            return ""
        case bool():
            return "`on`" if default else "`off`"
        case Enum():
            return f"`{default.value}`"
        case _:
            return f"`{default}`"


def test_the_table_lists_every_setting_with_its_default_and_meaning() -> None:
    assert re.findall(r"^\| `.*$", section("Configuration"), re.MULTILINE) == list(setting_rows())


def test_every_test_that_is_named_exists() -> None:
    tests = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_\w+)`", section("The promise, and how it is kept"))

    assert named
    for name in named:
        assert [path for path, text in tests.items() if re.search(rf"def {name}\(", text)], name


def test_every_file_that_is_named_exists() -> None:
    linked = re.findall(r"\]\((?!http)([^)]+)\)", README)
    named = re.findall(r"`((?:tests|app)/[\w/.]+)`", README)

    assert [path for path in linked + named if not (ROOT / path).exists()] == []


def test_every_call_of_existing_clients_exists() -> None:
    found = [route for router in ROUTERS for route in iter_route_contexts(router.routes)]
    routes = [route for route in found if isinstance(route.original_route, APIRoute)]
    known = {
        f"{method} {re.sub(r'{[^}]*}', '{}', route.path or '')}" for route in routes for method in route.methods or ()
    }

    for call, _ in rows(section("Existing clients")):
        for method, path in re.findall(r"`(GET|POST|DELETE) (/[^`?\[ ]*)", call):
            canonical = path if path.startswith(("/api/v1", "/health")) else f"/api/v1{path}"
            assert f"{method} {re.sub(r'{[^}]*}', '{}', canonical)}" in known, call


def test_it_is_what_it_says_in_five_lines() -> None:
    first = README.split("\n## ")[0].splitlines()[2:]

    assert len([line for line in first if line]) <= 6
