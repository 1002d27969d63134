"""CSV tables with a line for each seat. The columns section, row and number are required, others are optional.

Columns are separated by commas or by semicolons; with semicolons, decimal commas are allowed.
"""

import csv
import re
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, Final

from pydantic import ValidationError

from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, Loc, complaints
from app.schemas.layouts import LayoutIn

_NEEDED: Final = ("section", "row", "number")
_TRUE: Final = {"1", "yes", "y", "true", "x"}
_FALSE: Final = {"", "0", "no", "n", "false"}
_WHOLE: Final = re.compile(r"\d{1,9}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?\d{1,9}(\.\d{1,9})?", re.ASCII)


def _whole(cell: str) -> int:
    if not _WHOLE.fullmatch(cell):
        raise ValueError("This should be a whole number.")
    return int(cell)


def _decimal(cell: str) -> float:
    if not _DECIMAL.fullmatch(cell):
        raise ValueError("This should be a number.")
    return float(cell)


def _yes_or_no(cell: str) -> bool:
    if cell.lower() not in _TRUE | _FALSE:
        raise ValueError("This should be yes or no.")
    return cell.lower() in _TRUE


_COLUMNS: Final[dict[str, Callable[[str], Any]]] = {
    "section": str,
    "row": str,
    "number": _whole,
    "label": str,
    "category": str,
    "accessible": _yes_or_no,
    "companion": _yes_or_no,
    "restricted_view": _yes_or_no,
    "x": _decimal,
    "y": _decimal,
    "aisle_after": _yes_or_no,
}


def read_table(text: str) -> LayoutFile:
    """The layout in a table. The seats of a row may be anywhere in it. Raises FileWrong."""
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    lines: dict[tuple[str, str], list[int]] = {}
    wrong: list[Complaint] = []
    for line, cells in _lines(text):
        seat = _seat(line, cells, wrong)
        if seat is not None:
            section, row = seat.pop("section"), seat.pop("row")
            rows.setdefault(section, {}).setdefault(row, []).append(seat)
            lines.setdefault((section, row), []).append(line)
    if not rows and not wrong:
        wrong.append(Complaint(None, "", "The table has no seats."))
    if wrong:
        raise FileWrong(wrong)
    sections = [
        {"name": section, "rows": [{"row": row, "seats": seats} for row, seats in its_rows.items()]}
        for section, its_rows in rows.items()
    ]
    in_order = [[lines[section, row] for row in its_rows] for section, its_rows in rows.items()]

    def place_of(loc: Loc) -> tuple[int | None, str]:
        return _place(in_order, loc)

    try:
        return LayoutFile(LayoutIn.model_validate({"sections": sections}), place_of)
    except ValidationError as error:
        raise FileWrong(complaints(error.errors(), place_of)) from None


def _lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each seat's line number, with its cells by column. Raises FileWrong."""
    first = text.lstrip().partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    columns: list[str] = []
    try:
        for found in reader:
            cells = [cell.strip() for cell in found]
            if not any(cells):
                continue
            if not columns:
                columns = [cell.lower() for cell in cells]
                _must_be_known(reader.line_num, columns)
                continue
            if len(cells) > len(columns):
                message = f"This line has {len(cells)} cells, but there are only {len(columns)} columns."
                raise FileWrong([Complaint(reader.line_num, "", message)])
            by_column = dict(zip(columns, cells, strict=False))
            if delimiter == ";":
                by_column |= {axis: by_column[axis].replace(",", ".") for axis in ("x", "y") if axis in by_column}
            yield reader.line_num, by_column
    except csv.Error as error:
        raise FileWrong([Complaint(reader.line_num, "", f"This is not a valid CSV table: {error}.")]) from None


def _must_be_known(line: int, columns: list[str]) -> None:
    """Raises FileWrong unless the first line names the columns."""
    wrong = [Complaint(line, name, "This column is unknown.") for name in columns if name not in _COLUMNS]
    wrong += [Complaint(line, name, "This column is missing.") for name in _NEEDED if name not in columns]
    wrong += [
        Complaint(line, name, "This column is there more than once.") for name in {*columns} if columns.count(name) > 1
    ]
    if wrong:
        raise FileWrong([*wrong, Complaint(None, "", f"The columns are {', '.join(_COLUMNS)}.")])


def _seat(line: int, cells: dict[str, str], wrong: list[Complaint]) -> dict[str, Any] | None:
    """A seat from its cells; None if it has mistakes, which go into `wrong`. An empty cell counts as left out."""
    seat: dict[str, Any] = {}
    before = len(wrong)
    wrong.extend(Complaint(line, name, "This value is missing.") for name in _NEEDED if not cells.get(name))
    for name, cell in cells.items():
        try:
            if cell:
                seat[name] = _COLUMNS[name](cell)
        except ValueError as error:
            wrong.append(Complaint(line, name, str(error)))
    return seat if len(wrong) == before else None


def _place(lines: list[list[list[int]]], loc: Loc) -> tuple[int | None, str]:
    """The line of a path into the layout, and its column; for a section or a row, the line of its first seat."""
    numbers = [step for step in loc if isinstance(step, int)]
    names = [step for step in loc if isinstance(step, str)]
    if not numbers:
        return None, ""
    section, row, seat = (*numbers, 0, 0)[:3]
    field = {"name": "section", "sections": "section", "rows": "row", "seats": "number"}.get(names[-1], names[-1])
    return lines[section][row][seat], field
