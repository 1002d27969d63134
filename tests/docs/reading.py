"""How the tests of this room read a document, and how they look a name up in the tree."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"]


@dataclass(frozen=True, slots=True)
class Table:
    """The names of the columns and the cells of each row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def text_of(name: str) -> str:
    """A document of docs/."""
    return (ROOT / "docs" / name).read_text()


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level that begins so."""
    found = re.search(rf"^## {re.escape(title)}.*?$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, title
    return found[1]


def tables(text: str) -> list[Table]:
    """The tables in a text."""
    return [_table(found) for found in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)]


def rows_under(text: str, *head: str) -> list[tuple[str, ...]]:
    """The rows of all tables whose columns have these names."""
    return [row for table in tables(text) if table.head == head for row in table.rows]


def codes(cell: str) -> list[str]:
    """What is set as code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def _table(lines: str) -> Table:
    head, _, *rows = [tuple(cell.strip() for cell in line[1:-1].split("|")) for line in lines.splitlines()]
    return Table(head, tuple(rows))


@cache
def names_in(path: Path) -> frozenset[str]:
    """What a module defines: functions, classes and their members (`Settings.port`), and constants."""
    return frozenset(_names(ast.parse(path.read_text()).body))


def _names(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield within + name
            case ast.ClassDef(name=name, body=members):
                yield within + name
                yield from _names(members, f"{name}.")
            case ast.Assign(targets=targets):
                yield from (within + target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield within + name
            case _:
                pass
