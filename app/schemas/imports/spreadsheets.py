"""Workbooks of Excel (.xlsx): the first sheet with lines is read as a table. It takes openpyxl, an optional extra."""

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from time import sleep
from typing import IO, Any, Final

from app.schemas.imports.files import Complaint, FileWrong, LayoutFile
from app.schemas.imports.tables import MOST_COLUMNS, Line, read_lines

_ZIP: Final = b"PK\x03\x04"
_OLD: Final = b"\xd0\xcf\x11\xe0"
_LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a workbook when it is unpacked."""
_MOST_FILES: Final = 1_000
_MOST_TAGS: Final = 6_000_000
"""In all: 50,000 seats with all that may be said of each have half as many, each with the tag that closes it."""
_MOST_IN_ROW: Final = 50_000
"""Between two rows. What reads a sheet makes an object of each of them, and keeps it until the row is over."""
_PORTION: Final = 64 * 1024
_ROWS: Final = 50
"""So many rows are read between two pauses."""
_PAUSE_SECONDS: Final = 0.0002

_ENTRY: Final = b"PK\x01\x02"
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
        workbook = openpyxl.load_workbook(_Pausing(content), read_only=True, data_only=True)
    except Exception:  # noqa: BLE001 - whatever a broken file makes of the library
        raise FileWrong([Complaint(None, "", f"This is not a workbook that can be read. {_HOW_TO_SAVE}")]) from None
    try:
        sheet = next((each for each in workbook.worksheets if (each.max_row or 2) > 1), None)
        if sheet is None:
            raise FileWrong([Complaint(None, "", "The workbook has no seats.")])
        return read_lines(_lines(sheet))
    finally:
        workbook.close()


class _Pausing(BytesIO):
    """Bytes whose reader gives the interpreter away now and then.

    Unpacking gives it up for a moment, piece by piece, and takes it back before anybody else has woken up: so whoever
    waits for it would wait for the whole workbook, however short the pieces are.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """As everywhere, after a pause."""
        sleep(_PAUSE_SECONDS)
        return super().read(size)


def _must_be_bounded(content: bytes) -> None:
    """Raises FileWrong if it is far larger than it looks. Empty cells, packed, take next to nothing."""
    try:
        if content.count(_ENTRY) > _MOST_FILES:
            raise _too_large()
        with zipfile.ZipFile(BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > _LARGEST:
                raise _too_large()
            tags = 0
            for each in packed.infolist():
                if each.filename.endswith((".xml", ".rels")):
                    with packed.open(each) as unpacked:
                        tags = _count_tags(unpacked, tags)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError):
        raise FileWrong([Complaint(None, "", f"This is not a workbook that can be read. {_HOW_TO_SAVE}")]) from None


def _too_large() -> FileWrong:
    return FileWrong([Complaint(None, "", f"The workbook is too large when it is unpacked. {_HOW_TO_SAVE}")])


def _count_tags(unpacked: IO[bytes], tags: int) -> int:
    """How many there are with those before it. Raises FileWrong if that is too many, in all or in a row."""
    in_row = 0
    while portion := unpacked.read(_PORTION):
        sleep(_PAUSE_SECONDS)
        found = portion.count(b"<")
        last = max(portion.rfind(b"</row"), portion.rfind(b"</si>"))
        tags, in_row = tags + found, in_row + found if last < 0 else portion.count(b"<", last)
        is_one_text = len(portion) == _PORTION and not found  # no cell has room for half of it
        if tags > _MOST_TAGS or in_row > _MOST_IN_ROW or is_one_text:
            raise _too_large()
    return tags


def _lines(sheet: Any) -> Iterator[Line]:
    rows = sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS)
    for line, cells in enumerate(rows, 1):
        if line % _ROWS == 0:
            sleep(_PAUSE_SECONDS)
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
