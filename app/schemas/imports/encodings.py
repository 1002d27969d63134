"""The text in a file, in the encodings that editors and spreadsheets write."""

import codecs
import re
from typing import Final

from app.schemas.imports.files import Complaint, FileWrong

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WINDOWS: Final = "windows-1252"
_DECLARED: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "utf-16": "utf-16",
    **dict.fromkeys(("windows-1252", "cp1252", "iso-8859-1", "latin1"), _WINDOWS),
}
# No text has them: neither a table that Windows wrote, nor any other.
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_IS_JSON: Final = re.compile(rb"\s*[{\[]")
_PORTION: Final = 64 * 1024
"""So much is looked at, or read from Windows-1252, in one go: others get the interpreter in between."""


def text_of(content: bytes, declared: str | None = None) -> tuple[str, tuple[Complaint, ...]]:
    """The text of a file, without a byte order mark, and warnings: a table that is not Unicode is read as Windows-1252.

    `declared` is the encoding that the sender names, if any. Raises FileWrong: it is no text, has NULs, or is empty.
    """
    text, warnings = _decoded(content, declared)
    if (nul := text.find("\x00")) >= 0:
        raise FileWrong([Complaint(text.count("\n", 0, nul) + 1, "", "There is a NUL character. Remove it.")])
    if not text.strip():
        raise FileWrong([Complaint(None, "", "The file is empty.")])
    return text, warnings


def _decoded(content: bytes, declared: str | None) -> tuple[str, tuple[Complaint, ...]]:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _read(content[len(mark) :], encoding), ()
    if declared is not None:
        known = _DECLARED.get(declared.lower())
        if known is None:
            raise FileWrong([Complaint(None, "", f"The encoding {declared[:40]} is unknown. Save the file as UTF-8.")])
        return _read(content, known), ()
    if (halved := _utf_16_of(content)) is not None:
        return _read(content, halved), ()
    try:
        return content.decode(), ()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _windows(content, line)


def _windows(content: bytes, line: int) -> tuple[str, tuple[Complaint, ...]]:
    """As a spreadsheet on Windows writes it. Raises FileWrong if it cannot be that either."""
    try:
        text = "".join(content[at : at + _PORTION].decode(_WINDOWS) for at in range(0, len(content), _PORTION))
    except UnicodeDecodeError:
        text = "\x00"
    if _IS_JSON.match(content) or any(_NO_TEXT.search(text, at, at + _PORTION) for at in range(0, len(text), _PORTION)):
        raise FileWrong([Complaint(line, "", "This is not UTF-8. Save the file as UTF-8.")])
    said = "The file is not UTF-8. It was read as Windows-1252: check letters such as ä and é, or save it as UTF-8."
    return text, (Complaint(line, "", said),)


def _utf_16_of(content: bytes) -> str | None:
    """Half of what is written in English or German are NULs then."""
    start = content[:200]
    if len(start) < 4 or len(content) % 2:
        return None
    first, second = start[::2].count(0), start[1::2].count(0)
    enough = len(start) // 4
    if second >= enough and not first:
        return "utf-16-le"
    return "utf-16-be" if first >= enough and not second else None


def _read(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileWrong([Complaint(line, "", f"This is not {encoding.upper()}. Save the file as UTF-8.")]) from None
