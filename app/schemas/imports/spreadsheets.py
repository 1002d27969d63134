"""Workbooks of Excel (.xlsx): the first sheet with lines is read as a table. It takes openpyxl, an optional extra."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, Final, cast

from app.schemas.imports import workbook_process
from app.schemas.imports.files import Complaint, FileWrong, LayoutFile
from app.schemas.imports.tables import LONGEST_LINE, MOST_COLUMNS, Line, read_lines

_ZIP: Final = b"PK\x03\x04"
_OLD: Final = b"\xd0\xcf\x11\xe0"
MEGABYTES: Final = 1024
SECONDS: Final = 60
"""Of memory and of processor time for a workbook: the largest house takes a tenth."""
_OWN_PROCESS: Final = [sys.executable, "-P", str(Path(workbook_process.__file__))]
"""-P: none of the modules beside it is taken for one of Python's own."""
_LONGEST: Final = 12 * LONGEST_LINE
"""Bytes of a line: none of its characters takes more in JSON."""
_HOW_TO_SAVE: Final = "In the spreadsheet choose Save As, CSV UTF-8, and import that file."
_WRONG: Final = {
    workbook_process.BROKEN: f"This is not a workbook that can be read. {_HOW_TO_SAVE}",
    workbook_process.EMPTY: "The workbook has no seats.",
}
_TOO_LARGE: Final = f"The workbook is too large when it is unpacked. {_HOW_TO_SAVE}"


def is_workbook(content: bytes) -> bool:
    """Whether these are the bytes of a workbook, of this or of an older kind."""
    return content.startswith((_ZIP, _OLD))


def read_workbook(content: bytes, *, megabytes: int = MEGABYTES, seconds: int = SECONDS) -> LayoutFile:
    """The layout in a workbook, which is unpacked by a process of its own within these bounds.

    Raises FileWrong, also if openpyxl is not installed.
    """
    if content.startswith(_OLD):
        raise _wrong(f"Workbooks of this old kind (.xls) cannot be read. {_HOW_TO_SAVE}")
    if find_spec("openpyxl") is None:
        raise _wrong(f"Workbooks need openpyxl (pip install openpyxl). Or: {_HOW_TO_SAVE[0].lower()}{_HOW_TO_SAVE[1:]}")
    bounds = [str(each) for each in (megabytes, seconds, MOST_COLUMNS)]
    with Popen(  # noqa: S603 - our own command line, no shell
        [*_OWN_PROCESS, *bounds],
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,  # Ctrl-C reaches only us, and we answer what has begun
    ) as reader:
        to_it, from_it = cast("IO[bytes]", reader.stdin), cast("IO[bytes]", reader.stdout)
        try:
            with suppress(BrokenPipeError), to_it:
                to_it.write(content)
            return read_lines(_lines(reader, from_it))
        finally:
            reader.kill()  # of a file that is wrong not every line is read


def _lines(reader: Popen[bytes], written: IO[bytes]) -> Iterator[Line]:
    """Raises FileWrong if they are not all there, or one is too long."""
    line = 1
    while (found := written.readline(_LONGEST)).endswith(b"\n"):
        yield line, json.loads(found)
        line += 1
    if len(found) == _LONGEST:
        raise FileWrong([Complaint(line, "", f"This line has more than {LONGEST_LINE} characters.")])
    if exit_code := reader.wait():
        raise _wrong(_WRONG.get(exit_code, _TOO_LARGE))


def _wrong(said: str) -> FileWrong:
    return FileWrong([Complaint(None, "", said)])
