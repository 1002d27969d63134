"""The revisions of the schema: those that this release has, and the one that a database is at.

A revision is the number that the name of its file begins with. Alembic reads the files themselves, but to load it takes
longer than most commands, and only those who migrate need it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FILES: Final = Path(__file__).parents[2] / "migrations/versions"


def head() -> str:
    """The newest revision that this release has."""
    return max(known())


def known() -> frozenset[str]:
    """All revisions that this release has. One that is not among them is of a newer release."""
    return frozenset(file.name.partition("_")[0] for file in _FILES.glob("[0-9]*_*.py"))


def current(connection: "Connection") -> str | None:
    """The revision of the database of this connection; None: it has no schema."""
    if connection.exec_driver_sql("SELECT to_regclass('alembic_version') IS NULL").scalar():
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found
