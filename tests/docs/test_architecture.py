"""What the documents say about the tree is so: files, names, arrows, layers, and links to each other."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reading import DOCUMENTS, GUIDES, ROOT, codes, names_in, rows_under, section, tables, text_of

ARCHITECTURE = text_of("architecture.md")
SERVICES = ROOT / "app/services"
LAYERS = ("routers", "services", "domain", "db", "schemas")
STORIES = (
    "desk",
    "cashier",
    "sweeper",
    "closing",
    "payments",
    "reservations",
    "bookings",
    "transfers",
    "health",
)
WITHIN = {"callers": "stories", "running": "shared"}
"""Folders that are drawn as part of something else."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def places(cell: str) -> Iterator[tuple[str, str]]:
    """The files in a cell, each with one of the names that it is said to define; "" for the file itself."""
    path = ""
    for code in codes(cell):
        if "/" in code:
            path = code
            yield path, ""
        else:
            yield path, code


def in_the_code() -> Iterator[tuple[str, str]]:
    """Every place that a table or a decision names."""
    for document in DOCUMENTS:
        text = document.read_text()
        for table in tables(text):
            if table.head[-1] == "in the code":
                for row in table.rows:
                    yield from places(row[-1])
        for cell in re.findall(r"^- \*\*In the code:\*\* (.*(?:\n  .*)*)", text, re.MULTILINE):
            yield from places(cell)


@pytest.mark.parametrize(("path", "name"), sorted(set(in_the_code())))
def test_a_file_is_there_and_defines_the_name(path: str, name: str) -> None:
    assert (ROOT / path).exists()
    if name:
        assert name in names_in(ROOT / path)


@pytest.mark.parametrize("document", [*DOCUMENTS, *GUIDES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_and_link_of_a_document_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    paths = re.findall(r"`((?:app|tests|docs|migrations|benchmarks)/[\w./-]+)`", text)
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
    for path, anchor in links:
        target = (document.parent / path) if path else document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), anchor


def anchors(document: Path) -> set[str]:
    """The headings of a document as links name them."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


# --- the rooms and the wings -----------------------------------------------------------------------------------------


def test_every_room_is_in_the_table() -> None:
    named = {codes(room)[0] for room, _ in rows_under(ARCHITECTURE, "room", "what is in it")}
    rooms = {f"app/{path.name}{'/' if path.is_dir() else ''}" for path in (ROOT / "app").iterdir()}

    assert named == rooms - {"app/__init__.py", "app/__pycache__/"}


def test_a_noun_keeps_its_name_in_every_layer() -> None:
    assert all(
        (ROOT / "app" / layer / f"{noun}.py").exists() for layer in LAYERS for noun in ("reservations", "bookings")
    )
    for layer in ("services", "domain", "db"):
        assert all((ROOT / "app" / layer / folder).is_dir() for folder in ("box_office", "seat_maps"))


def test_the_layers_are_those_that_are_checked() -> None:
    [written] = re.findall(r"^    (__main__ → .*)$", ARCHITECTURE, re.MULTILINE)
    layers = written.split(" → ")
    [contract] = [
        each
        for each in PROJECT["tool"]["importlinter"]["contracts"]
        if each["type"] == "layers" and "containers" not in each
    ]

    assert [layer.strip("()").removeprefix("app.") for layer in contract["layers"]] == layers
    for layer in layers:
        assert (ROOT / "app" / layer).is_dir() or (ROOT / f"app/{layer}.py").is_file()


def test_the_wings_that_do_not_know_each_other_are_those_that_are_checked() -> None:
    [contract] = [each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["type"] == "independence"]
    wings = {module.removeprefix("app.services.") for module in contract["modules"]}
    drawn = drawn_arrows()

    assert wings <= set(codes(section(ARCHITECTURE, "The wings")))
    assert not {(one, other) for one, other in drawn if one in wings and other in wings}


def drawn_arrows() -> set[tuple[str, str]]:
    """Who imports whom in the drawing of the wings."""
    return set(re.findall(r"^ +(\w+) --> (\w+)$", ARCHITECTURE, re.MULTILINE))


def part_of(module: str) -> str:
    """The part of the drawing that a module of app.services belongs to."""
    first, _, _ = module.partition(".")
    if first in WITHIN:
        return WITHIN[first]
    if (SERVICES / first).is_dir():
        return first
    return "stories" if first in STORIES else "shared"


def test_the_arrows_between_the_wings_are_the_imports() -> None:
    arrows: set[tuple[str, str]] = set()
    for path in SERVICES.rglob("*.py"):
        importer = part_of(".".join(path.relative_to(SERVICES).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.services"):
                within = (node.module or "").removeprefix("app.services").strip(".")
                names = [within] if within else [alias.name for alias in node.names]
                arrows |= {(importer, part_of(name)) for name in names}

    assert drawn_arrows() == {(one, other) for one, other in arrows if one != other}


def test_the_drawing_names_every_part() -> None:
    rooms = {path.name for path in SERVICES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    wings = rooms - WITHIN.keys()

    assert rooms >= WITHIN.keys()
    assert set(re.findall(r"^    (\w+)\[", ARCHITECTURE, re.MULTILINE)) == {*wings, "stories", "shared"}
    assert ", ".join(STORIES) in ARCHITECTURE
    assert all((SERVICES / f"{story}.py").exists() for story in STORIES)


# --- where is it, words, decisions -----------------------------------------------------------------------------------


def test_twenty_questions_and_more_have_an_answer() -> None:
    questions = rows_under(section(ARCHITECTURE, "Where is it?"), "I want to change ...", "in the code")

    assert len({question for question, _ in questions}) == len(questions) >= 20
    assert all(list(places(answer)) for _, answer in questions)


def test_each_word_has_one_meaning_and_is_in_the_code() -> None:
    rows = rows_under(text_of("glossary.md"), "word", "means", "in the code")

    assert len({word for word, _, _ in rows}) == len(rows) > 40
    assert all(list(places(place)) for _, _, place in rows)


@pytest.mark.parametrize("decision", sorted((ROOT / "docs/decisions").iterdir()), ids=lambda path: path.stem)
def test_a_decision_has_its_parts_and_is_listed(decision: Path) -> None:
    title, *_ = decision.read_text().splitlines()
    parts = re.findall(r"^- \*\*([\w ]+):\*\*", decision.read_text(), re.MULTILINE)

    assert parts == ["Decided", "Why", "Measured", "Costs", "Think again when", "In the code"]
    assert title.startswith(f"# {decision.name[:4]} ")
    assert f"- [{title[2:]}](decisions/{decision.name})" in ARCHITECTURE


# --- what the code says of the documents -----------------------------------------------------------------------------

REFERENCE = re.compile(r"([\w/]*?)\b(api|architecture|glossary|design|style)\.md((?:, sections? \d+(?: and \d+)?)?)")


def test_every_reference_in_the_code_leads_to_a_document_and_its_section() -> None:
    files = [ROOT / "pyproject.toml", *(ROOT / "app").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    found = [
        (path, *reference)
        for path in files
        if path.parent != Path(__file__).parent
        for reference in REFERENCE.findall(path.read_text())
    ]

    assert len(found) > 30
    for path, folder, name, rest in found:
        assert folder == "docs/", path
        headings = re.findall(r"^## (\d+)\.", text_of(f"{name}.md"), re.MULTILINE)
        assert set(re.findall(r"\d+", rest)) <= set(headings), path
