"""Layouts from files: our own JSON, CSV tables, and seating plans of pretix. Mistakes are reported with their line."""

from app.schemas.imports.files import Complaint, FileWrong, LayoutFile, text_of
from app.schemas.imports.own import read_own
from app.schemas.imports.pretix import is_pretix, read_pretix
from app.schemas.imports.tables import read_table

__all__ = ["Complaint", "FileWrong", "LayoutFile", "read_layout_file"]


def read_layout_file(content: bytes) -> LayoutFile:
    """The layout in a file. A text that begins with { or [ is JSON, everything else a table. Raises FileWrong."""
    text = text_of(content)
    if not text.lstrip().startswith(("{", "[")):
        return read_table(text)
    return read_pretix(text) if is_pretix(text) else read_own(text)
