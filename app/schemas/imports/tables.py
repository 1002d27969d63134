"""Tables with a line for each seat. The columns section, row and number are required, others are optional.

Cells are separated by commas, semicolons or tabs: what the first line has most of, or what a line `sep=;` before it
says. A workbook (`spreadsheets`) is read in the same way.
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from app.domain.house.layouts import MAX_SEATS
from app.schemas.house.layouts import LayoutIn
from app.schemas.imports.columns import Columns, columns_of, filled, number_them, seat_of
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, Loc, wrong_values

_SEPARATORS: Final = ",;\t"

MOST_LINES: Final = 2 * MAX_SEATS
MOST_COLUMNS: Final = 100
LONGEST_LINE: Final = 64 * 1024
"""Characters of a line of a table, and of all lines of a text in quotation marks: they are read in one go."""

Line = tuple[int, list[str]]
"""The number of a line (from 1), and its cells."""


def read_table(text: str) -> LayoutFile:
    """The layout in a CSV table. Raises FileWrong."""
    return read_lines(_lines(text))


def read_lines(lines: Iterable[Line]) -> LayoutFile:
    """The layout in the lines of a table. The seats of a row may be anywhere in it. Raises FileWrong."""
    columns: Columns | None = None
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    at: dict[tuple[str, str], list[int]] = {}
    wrong: list[Complaint] = []
    for read, (line, written) in enumerate(lines, 1):
        if read > MOST_LINES:
            raise FileWrong([Complaint(line, "", f"The table has more than {MOST_LINES} lines.")])
        if len(written) > MOST_COLUMNS:
            raise FileWrong([Complaint(line, "", f"This line has more than {MOST_COLUMNS} columns.")])
        cells = [cell.strip() for cell in written]
        if not filled(cells):
            continue
        if columns is None:
            columns = columns_of(line, cells)
            continue
        if filled(cells[len(columns.meanings) :]):
            said = f"This line has {len(cells)} cells, but there are only {len(columns.meanings)} columns."
            wrong.append(Complaint(line, "", said))
            continue
        by_name = {name: cell for name, cell in zip(columns.meanings, cells, strict=False) if name is not None}
        if (seat := seat_of(line, by_name, wrong)) is not None:
            section, row = seat.pop("section"), seat.pop("row")
            rows.setdefault(section, {}).setdefault(row, []).append(seat)
            at.setdefault((section, row), []).append(line)
    if not rows and not wrong:
        wrong.append(Complaint(None, "", "The table has no seats."))
    if wrong:
        raise FileWrong(wrong)
    return _file(rows, at, () if columns is None else columns.warnings)


def _file(
    rows: dict[str, dict[str, list[dict[str, Any]]]],
    at: dict[tuple[str, str], list[int]],
    warnings: tuple[Complaint, ...],
) -> LayoutFile:
    for its_rows in rows.values():
        for row, seats in its_rows.items():
            number_them(row, seats)
    sections = [
        {"name": section, "rows": [{"row": row, "seats": seats} for row, seats in its_rows.items()]}
        for section, its_rows in rows.items()
    ]
    in_order = [[at[section, row] for row in its_rows] for section, its_rows in rows.items()]

    def place_of(loc: Loc) -> tuple[int | None, str]:
        return _place(in_order, loc)

    try:
        return LayoutFile(LayoutIn.model_validate({"sections": sections}), place_of, warnings=warnings)
    except ValidationError as error:
        raise wrong_values(error, place_of) from None


def _lines(text: str) -> Iterator[Line]:
    """Raises FileWrong: it is no CSV table; an unclosed quotation mark is told where it opens."""
    separator, before = _separator_of(text)
    source = StringIO(text, newline="")
    list(islice(source, before))
    feed = _Feed(source, before)
    reader = csv.reader(feed, delimiter=separator, strict=True, skipinitialspace=separator != "\t")
    begun = before + 1
    try:
        for found in reader:
            feed.size = 0
            yield begun, found
            begun = before + reader.line_num + 1
    except csv.Error as error:
        opened = _opened(text, begun)
        if opened is not None:
            raise FileWrong([Complaint(opened, "", "A quotation mark opens here and is never closed.")]) from None
        line = before + reader.line_num
        raise FileWrong([Complaint(line, "", f"This is not a valid CSV table: {error}.")]) from None


class _Feed:
    """The lines of a text, one by one: so others get the interpreter between them, which the reader of tables keeps."""

    def __init__(self, lines: Iterator[str], before: int) -> None:
        self._lines = enumerate(lines, before + 1)
        self.size = 0
        """Of all that came since the reader gave a line of the table."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Raises FileWrong if a line of the table is too long."""
        number, line = next(self._lines)
        self.size += len(line)
        if self.size > LONGEST_LINE:
            said = f"This line has more than {LONGEST_LINE} characters. Is a quotation mark never closed?"
            raise FileWrong([Complaint(number, "", said)])
        return line


def _separator_of(text: str) -> tuple[str, int]:
    """What separates the cells, and how many lines come before the table."""
    lines = [line[:LONGEST_LINE] for line in islice(StringIO(text, newline="\n"), 200)]
    at = next((at for at, line in enumerate(lines) if line.strip()), 0)
    first = lines[at].strip("\r\n")
    said = first.strip(" ").lower()
    said = said[1:-1] if len(said) > 2 and said[0] == said[-1] == '"' else said  # as a cell with a separator in it
    if said.startswith("sep=") and len(said) == len("sep=") + 1:
        return said[-1], at + 1
    return max(_SEPARATORS, key=first.count), 0


def _opened(text: str, begun: int) -> int | None:
    """From this line on, the first one with a quotation mark that is not closed in it; None if there is none."""
    lines = islice(StringIO(text, newline="\n"), begun - 1, None)
    return next((at for at, line in enumerate(lines, begun) if line.count('"') % 2), None)


def _place(lines: list[list[list[int]]], loc: Loc) -> tuple[int | None, str]:
    """The line of a path into the layout, and its column; for a section or a row, the line of its first seat."""
    numbers = [step for step in loc if isinstance(step, int)]
    names = [step for step in loc if isinstance(step, str)]
    if not numbers:
        return None, ""
    section, row, seat = (*numbers, 0, 0)[:3]
    field = {"name": "section", "sections": "section", "rows": "row", "seats": "number"}.get(names[-1], names[-1])
    return lines[section][row][seat], field
