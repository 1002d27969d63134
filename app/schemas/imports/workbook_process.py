"""Reads the first sheet with lines of a workbook (.xlsx): bytes on standard input, lines as JSON on standard output.

`spreadsheets` runs this file as a program. A workbook is unpacked by libraries that keep the interpreter for long, and
may unpack to far more than it looks: here it has a process of its own, with bounds, and nobody waits for it. So this
file needs nothing of Usher. Its exit code says what became of it.
"""

import json
import resource
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import IO, Any, Final

BROKEN: Final = 3
TOO_LARGE: Final = 4
EMPTY: Final = 5

_LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a workbook when it is unpacked."""
_MOST_FILES: Final = 1_000
_MOST_TAGS: Final = 6_000_000
"""In all: 50,000 seats with all that may be said of each have half as many, each with the tag that closes it."""
_MOST_IN_ROW: Final = 50_000
"""Between two rows. What reads a sheet makes an object of each of them, and keeps it until the row is over."""
_PORTION: Final = 64 * 1024
_ENTRY: Final = b"PK\x01\x02"


class _Unreadable(Exception):
    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code


def main(megabytes: int, seconds: int, most_columns: int) -> int:
    """Read with at most so many megabytes of memory and seconds of processor time. What becomes of it is returned."""
    with suppress(OSError, ValueError):  # some systems bound no memory
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    try:
        content = sys.stdin.buffer.read()
        _must_be_bounded(content)
        for cells in _rows(content, most_columns):
            sys.stdout.write(json.dumps(cells) + "\n")
        sys.stdout.flush()
    except _Unreadable as unreadable:
        return unreadable.exit_code
    except MemoryError:
        return TOO_LARGE
    except Exception:  # noqa: BLE001 - whatever a broken file makes of the libraries
        return BROKEN
    return 0


def _must_be_bounded(content: bytes) -> None:
    """Raises _Unreadable if it is far larger than it looks. Empty cells, packed, take next to nothing."""
    if content.count(_ENTRY) > _MOST_FILES:
        raise _Unreadable(TOO_LARGE)
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > _LARGEST:
                raise _Unreadable(TOO_LARGE)
            tags = 0
            for each in packed.infolist():
                if each.filename.endswith((".xml", ".rels")):
                    with packed.open(each) as unpacked:
                        tags = _count_tags(unpacked, tags)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError):
        raise _Unreadable(BROKEN) from None


def _count_tags(unpacked: IO[bytes], tags: int) -> int:
    """How many there are with those before it. Raises _Unreadable if that is too many, in all or in a row."""
    in_row = 0
    while portion := unpacked.read(_PORTION):
        found = portion.count(b"<")
        last = max(portion.rfind(b"</row"), portion.rfind(b"</si>"))
        tags, in_row = tags + found, in_row + found if last < 0 else portion.count(b"<", last)
        is_one_text = len(portion) == _PORTION and not found  # no cell has room for half of it
        if tags > _MOST_TAGS or in_row > _MOST_IN_ROW or is_one_text:
            raise _Unreadable(TOO_LARGE)
    return tags


def _rows(content: bytes, most_columns: int) -> Iterator[list[str]]:
    import openpyxl

    workbook = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True)
    sheet = next((each for each in workbook.worksheets if (each.max_row or 2) > 1), None)
    if sheet is None:
        raise _Unreadable(EMPTY)
    for cells in sheet.iter_rows(values_only=True, max_col=most_columns):
        yield [_written(cell) for cell in cells]


def _written(cell: Any) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer():
            return str(int(cell))
        case _:
            return str(cell)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
