"""Workbooks of Excel (.xlsx): the first sheet with lines is read as a table. It takes openpyxl, an optional extra."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from app.domain.layouts import MAX_SEATS
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile
from app.schemas.imports.tables import Line, read_lines

_ZIP: Final = b"PK\x03\x04"
_OLD: Final = b"\xd0\xcf\x11\xe0"
_LARGEST: Final = 200 * 1024 * 1024
"""Bytes of a workbook when it is unpacked."""
_MOST_COLUMNS: Final = 100
_MOST_LINES: Final = 2 * MAX_SEATS

_HOW_TO_SAVE: Final = "In the spreadsheet choose Save As, CSV UTF-8, and import that file."


def is_workbook(content: bytes) -> bool:
    """Whether these are the bytes of a workbook, of this or of an older kind."""
    return content.startswith((_ZIP, _OLD))


def read_workbook(content: bytes) -> LayoutFile:
    """The layout in a workbook. Raises FileWrong, also if openpyxl is not installed."""
    if content.startswith(_OLD):
        raise FileWrong([Complaint(None, "", f"Workbooks of this old kind (.xls) cannot be read. {_HOW_TO_SAVE}")])
    try:
        import openpyxl
    except ImportError:
        said = f"Workbooks need openpyxl (pip install openpyxl). Or: {_HOW_TO_SAVE[0].lower()}{_HOW_TO_SAVE[1:]}"
        raise FileWrong([Complaint(None, "", said)]) from None
    _must_be_bounded(content)
    try:
        workbook = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True)
    except Exception:  # noqa: BLE001 - whatever a broken file makes of the library
        raise FileWrong([Complaint(None, "", f"This is not a workbook that can be read. {_HOW_TO_SAVE}")]) from None
    try:
        sheet = next((each for each in workbook.worksheets if (each.max_row or 2) > 1), None)
        if sheet is None:
            raise FileWrong([Complaint(None, "", "The workbook has no seats.")])
        return read_lines(_lines(sheet))
    finally:
        workbook.close()


def _must_be_bounded(content: bytes) -> None:
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            size = sum(each.file_size for each in packed.infolist())
    except zipfile.BadZipFile:
        raise FileWrong([Complaint(None, "", f"This is not a workbook that can be read. {_HOW_TO_SAVE}")]) from None
    if size > _LARGEST:
        raise FileWrong([Complaint(None, "", "The workbook is too large when it is unpacked.")])


def _lines(sheet: Any) -> Iterator[Line]:
    rows = sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS)
    for line, cells in enumerate(rows, 1):
        if line > _MOST_LINES:
            raise FileWrong([Complaint(line, "", f"The sheet has more than {_MOST_LINES} lines.")])
        yield line, [_written(cell) for cell in cells]


def _written(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer():
            return str(int(cell))
        case _:
            return str(cell)
