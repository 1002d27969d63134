"""Errors that PostgreSQL's state explains (not reachable, full, overloaded, read-only), known by SQLSTATE.

Everything else is a mistake of ours. Messages are never looked at: they are translated, and change.
"""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.refusals import Busy
from app.schemas.problems import reasons

_RETRY: Final = {
    "40001": reasons.CONFLICT,
    "40P01": reasons.CONFLICT,
    "55P03": reasons.ROWS_LOCKED,
    "57014": reasons.DATABASE_TIMEOUT,
    "25P03": reasons.DATABASE_TIMEOUT,
    "53300": reasons.DATABASE_OVERLOADED,
    "53100": reasons.DATABASE_FULL,
    "25006": reasons.DATABASE_READ_ONLY,
}


def refusal_for(error: BaseException) -> Busy | None:
    """The refusal for a request that ended in this error, if a retry may help; None for any other error."""
    match error:
        case PoolTimeout():
            return Busy(reasons.CONNECTIONS_IN_USE)
        case DBAPIError(connection_invalidated=True):
            return Busy(reasons.DATABASE_NOT_REACHABLE)
        case DBAPIError():
            return _by_state(_state_of(error))
        case asyncpg.PostgresError():
            return _by_state(error.sqlstate)
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError():
            return Busy(reasons.DATABASE_NOT_REACHABLE)
    return None


def is_away(error: BaseException) -> bool:
    """Does this error say that PostgreSQL is not reachable?"""
    told = refusal_for(error)
    return told is not None and told.why == reasons.DATABASE_NOT_REACHABLE


def is_of_a_node(error: BaseException) -> bool:
    """Was it another machine that could not be reached, behind a PostgreSQL that answers?"""
    if not isinstance(error, DBAPIError) or error.connection_invalidated or _state_of(error) is None:
        return False
    return is_away(error)


def _state_of(error: DBAPIError) -> str | None:
    """What PostgreSQL said; None: it said nothing, and the client saw that the connection is of no use."""
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _by_state(state: str | None) -> Busy | None:
    """Classes: 08 is a broken connection, 57P a server that starts or stops, 53 a lack of resources."""
    if state in _RETRY:
        return Busy(_RETRY[state])
    if state is None or state.startswith(("08", "57P", "53")):
        return Busy(reasons.DATABASE_NOT_REACHABLE)
    return None
