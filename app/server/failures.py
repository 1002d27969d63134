"""What an operator is told of a command that fails. Loaded when one does: a command that does not ask PostgreSQL has
not loaded what its errors are.
"""

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from app.adapters.embedded import EmbeddedError
from app.db.cluster.distribution import NoCluster
from app.db.connections import NotDurable
from app.db.fitness import NotFit
from app.db.migrations import CannotMigrate
from app.server.advice import with_advice
from app.settings import EXIT_BAD_SETTING


def failure(error: Exception) -> tuple[str, int] | None:
    """The reason, with what to do about it, and the exit code; None: nobody expected this error."""
    match error:
        case EmbeddedError() | CannotMigrate() | NoCluster() | NotDurable():
            return str(error), 1
        case NotFit():
            return str(error), EXIT_BAD_SETTING
        case OSError() | SQLAlchemyError() | asyncpg.PostgresError():
            return f"PostgreSQL cannot be used: {with_advice(error)}", 1
    return None
