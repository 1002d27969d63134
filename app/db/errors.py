"""Errors that PostgreSQL's state explains (not reachable, full, overloaded, read-only), known by SQLSTATE.

Everything else is a mistake of ours. Messages are never looked at: they are translated, and change.
"""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.refusals import Busy

_RETRY: Final = {
    "40001": "The request conflicted with another one.",
    "40P01": "The request conflicted with another one.",
    "55P03": "Another request locked the same seats for too long.",
    "57014": "The database did not answer in time.",
    "25P03": "The database did not answer in time.",
    "53300": "The database accepts no more connections.",
    "53100": "The disk of the database is full.",
    "25006": "The database is read-only.",
}
_AWAY: Final = "The database is not reachable."


def refusal_for(error: BaseException) -> Busy | None:
    """The refusal for a request that ended in this error, if a retry may help; None for any other error."""
    match error:
        case PoolTimeout():
            return Busy("All database connections are in use.")
        case DBAPIError():
            return Busy(_AWAY) if error.connection_invalidated else _by_state(getattr(error.orig, "sqlstate", None))
        case asyncpg.PostgresError():
            return _by_state(error.sqlstate)
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError():
            return Busy(_AWAY)
    return None


def is_away(error: BaseException) -> bool:
    """Does this error say that PostgreSQL is not reachable?"""
    told = refusal_for(error)
    return told is not None and told.why == _AWAY


def _by_state(state: str | None) -> Busy | None:
    """Classes: 08 is a broken connection, 57P a server that starts or stops, 53 a lack of resources."""
    if state in _RETRY:
        return Busy(_RETRY[state])
    if state is None or state.startswith(("08", "57P", "53")):
        return Busy(_AWAY)
    return None
