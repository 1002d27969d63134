"""PostgreSQL is away, full, saturated or read-only: told apart from mistakes of ours by SQLSTATE, never by message."""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.refusals import Busy

_RETRY: Final = {
    "40001": "Two transactions got into each other's way.",
    "40P01": "Two transactions got into each other's way.",
    "55P03": "Somebody else was busy with the same rows for too long.",
    "57014": "The database took too long.",
    "25P03": "The database took too long.",
    "53300": "The database takes no more connections.",
    "53100": "The database's disk is full.",
    "25006": "The database takes no changes at the moment.",
}
_AWAY: Final = "The database is away."


def refusal_for(error: BaseException) -> Busy | None:
    """What to tell a caller whose request ended in this error, if trying again may help; None for any other error."""
    match error:
        case PoolTimeout():
            return Busy("All connections to the database are in use.")
        case DBAPIError():
            return Busy(_AWAY) if error.connection_invalidated else _by_state(getattr(error.orig, "sqlstate", None))
        case asyncpg.PostgresError():
            return _by_state(error.sqlstate)
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError():
            return Busy(_AWAY)
    return None


def is_away(error: BaseException) -> bool:
    """Did PostgreSQL not answer at all, as far as this error tells?"""
    told = refusal_for(error)
    return told is not None and told.why == _AWAY


def _by_state(state: str | None) -> Busy | None:
    """Classes 08 and 57P are connections that broke and servers that start or stop; 53 is want of something."""
    if state in _RETRY:
        return Busy(_RETRY[state])
    if state is None or state.startswith(("08", "57P", "53")):
        return Busy(_AWAY)
    return None
