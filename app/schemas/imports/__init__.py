"""Layouts from files: our own JSON, tables of spreadsheets, and seating plans of pretix.

Mistakes are reported with their line, and so is what an author should know (warnings).
"""

from dataclasses import replace

from app.schemas.imports.encodings import text_of
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, at_one_place, told
from app.schemas.imports.lines import parse
from app.schemas.imports.own import read_own
from app.schemas.imports.pretix import is_pretix, read_pretix
from app.schemas.imports.spreadsheets import is_workbook, read_workbook
from app.schemas.imports.tables import read_table

__all__ = ["Complaint", "FileWrong", "LayoutFile", "read_layout_file"]


def read_layout_file(content: bytes, *, encoding: str | None = None, strict: bool = False) -> LayoutFile:
    """The layout in a file. A text that begins with { or [ is JSON, every other text is a table.

    `encoding` is what the sender says that it is, if anything. If it is read `strict`, warnings are mistakes.

    Raises:
        FileWrong: it has no valid layout.
    """
    file = _read(content, encoding)
    same = tuple(told(at_one_place(file.layout, file.place_of)))
    file = replace(file, warnings=(*file.warnings, *same))
    if strict and file.warnings:
        raise FileWrong(file.warnings)
    return file


def _read(content: bytes, encoding: str | None) -> LayoutFile:
    if is_workbook(content):
        return read_workbook(content)
    text, warnings = text_of(content, encoding)
    file = _of_text(text)
    return replace(file, warnings=(*warnings, *file.warnings))


def _of_text(text: str) -> LayoutFile:
    if not text.lstrip().startswith(("{", "[")):
        return read_table(text)
    content = parse(text)
    return read_pretix(text, content) if is_pretix(content) else read_own(text, content)
