"""A CSV table with a line for each seat, for spreadsheets: UTF-8 with a byte order mark, and no cell is a formula."""

import csv
from io import StringIO

from app.domain.seats import Layout
from app.schemas.imports.columns import READERS

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "'")


def table(layout: Layout) -> bytes:
    """The layout in this form. It does not say where people look."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(READERS)
    writer.writerows([cell(getattr(seat, name)) for name in READERS] for seat in layout.seats)
    return text.getvalue().encode("utf-8-sig")


def cell(value: object) -> str:
    """A value as it stands in a table. What would be a formula stands behind an apostrophe; a number is one."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case str() if value.startswith(_FORMULAS):
            return f"'{value}"
        case float():
            return f"{value:.9f}".rstrip("0").rstrip(".")
        case _:
            return str(value)
