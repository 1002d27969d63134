"""Connections to PostgreSQL: a pool for everything, and one connection of its own for the box office.

Every connection has timeouts for statements, locks and idle transactions. Usher does not start on a server that can
lose acknowledged commits.

With STATEMENT_CACHE_SIZE=0 there may be a pooler in transaction mode (app/db/cluster/pooled.py). What a command does
besides serving is little, so its connections always go by way of one, should there be one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import asyncpg
from sqlalchemy import ExceptionContext, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from app.db.cluster import nodes
from app.db.cluster.pooled import pooled
from app.db.connecting import OfficeConnection as OfficeConnection
from app.db.connecting import connect
from app.settings import Settings

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""The connection is lost, or could not be made. A statement sent while PostgreSQL stops can raise InternalClientError:
it counts as lost too.
"""

SATURATED = (
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""PostgreSQL cannot serve it now: 53xxx (connections, disk), 57014, 25P03, 25006. A lock timeout is 55P03."""

_DIALECT: Final = "postgresql+asyncpg://"
"""All that SQLAlchemy is told: it reads URLs in a way of its own."""

ANSWERS_WITHIN_SECONDS: Final = 10.0
"""So long a command waits for a connection, or for an answer: it says so instead of hanging."""


class NotDurable(Exception):
    """The server, or one of its nodes, can lose acknowledged commits in a crash, because `setting` is off."""

    def __init__(self, setting: str, node: str | None = None) -> None:
        where = f" on the node {node}" if node else ""
        super().__init__(
            f"PostgreSQL runs with {setting} = off{where}, so a crash can lose acknowledged bookings. "
            f"Usher does not start: set {setting} = on."
        )


def open_engine(settings: Settings) -> AsyncEngine:
    """The connection pool. It opens connections only when they are needed."""
    how = {
        "async_creator_fn": partial(connect, _url(settings)),
        "seconds": settings.postgresql_connect_seconds,
        "command_timeout": _patience(settings),
        "prepared_statement_cache_size": settings.statement_cache_size,
        **_way(settings, _server_settings(settings)),
    }
    engine = create_async_engine(
        _DIALECT,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        hide_parameters=True,  # never in a log
        pool_timeout=settings.postgresql_connect_seconds,
        pool_pre_ping=False,
        connect_args=how,
    )
    event.listen(engine.sync_engine, "handle_error", _give_up_connection)
    return engine


def open_for_command(url: str, *, seconds: float | None = ANSWERS_WITHIN_SECONDS, **settings: str) -> AsyncEngine:
    """Connections for what a command does besides serving: each for one use, by whatever way the URL leads.

    Args:
        url: of PostgreSQL, in any form that `app/urls/postgresql.py` reads.
        seconds: how long an answer may take; None: however long.
        settings: of PostgreSQL, for each transaction.
    """
    how = {
        "async_creator_fn": partial(connect, url),
        "seconds": ANSWERS_WITHIN_SECONDS,
        "command_timeout": seconds,
        "prepared_statement_cache_size": 0,
        **_pooled({"timezone": "UTC", **settings}),
    }
    return create_async_engine(_DIALECT, poolclass=NullPool, hide_parameters=True, connect_args=how)


def connection_counts(engine: AsyncEngine) -> list[tuple[tuple[str], float]]:
    """How many connections of the pool are in use, and how many wait to be."""
    pool = engine.sync_engine.pool
    if not isinstance(pool, QueuePool):
        return []
    return [(("in_use",), float(pool.checkedout())), (("idle",), float(pool.checkedin()))]


@asynccontextmanager
async def office_connection(settings: Settings) -> AsyncIterator[OfficeConnection]:
    """An asyncpg connection for the box office, without SQLAlchemy in between. It is open as long as the block.

    Plans are generic: a batch of one and a batch of two hundred run the same statements. They use indexes even if made
    while the tables are empty, because a sequential scan would be kept while the table grows (*measured*: from 1,894 to
    960 holds/s within 9 s). In the tables that may become empty again, statements leave them one index to use. A
    PostgreSQL of many nodes must see the screening before it knows the node: with BATCH_PER_SCREENING each statement is
    planned for its parameters.
    """
    async with call(
        settings,
        plan_cache_mode="force_custom_plan" if settings.batch_per_screening else "force_generic_plan",
        enable_seqscan="off",
        enable_hashjoin="off",
        enable_mergejoin="off",
    ) as connection:
        yield connection


@asynccontextmanager
async def call(
    settings: Settings, seconds: float | None = None, **server_settings: str
) -> AsyncIterator[OfficeConnection]:
    """A connection of its own, closed when the block ends. Raises one of `LOST` if it cannot be opened in `seconds`, by
    default POSTGRESQL_CONNECT_SECONDS.
    """
    connection = await connect(
        _url(settings),
        seconds=settings.postgresql_connect_seconds if seconds is None else seconds,
        command_timeout=_patience(settings),
        **_way(settings, _server_settings(settings) | server_settings),
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def must_be_durable(engine: AsyncEngine) -> None:
    """Raises NotDurable if a crash of the server, or of one of its nodes, can lose acknowledged commits.

    A node that does not answer is not asked: its screenings cannot be sold meanwhile.
    """
    async with engine.connect() as connection:
        for setting in nodes.DURABLE:
            value = await connection.scalar(text("SELECT current_setting(:setting)"), {"setting": setting})
            if value == "off":
                raise NotDurable(setting)
    for node in await nodes.ask_all(engine):
        for setting in nodes.DURABLE if node.settings else ():
            if node.settings and node.settings[setting] == "off":
                raise NotDurable(setting, str(node.address))


def _url(settings: Settings) -> str:
    if settings.database_url is None:
        raise ValueError("DATABASE_URL is not set")
    return settings.database_url


def _patience(settings: Settings) -> float:
    """The client's timeout of a statement, in seconds: a little longer than PostgreSQL's own, for dead connections."""
    return settings.statement_timeout_ms / 1000 + 1


def _give_up_connection(context: ExceptionContext) -> None:
    """Keep a connection out of the pool after a timeout, or if its server is read-only."""
    error = context.original_exception
    is_read_only = getattr(error, "sqlstate", None) == asyncpg.ReadOnlySQLTransactionError.sqlstate
    is_broken = isinstance(error.__cause__ or error, (TimeoutError, asyncpg.InternalClientError))
    if is_read_only or is_broken:
        context.is_disconnect = True


def _way(settings: Settings, server_settings: dict[str, str]) -> dict[str, Any]:
    """How to connect: with these settings of PostgreSQL for the session, or for each transaction."""
    if not settings.statement_cache_size:
        return _pooled(server_settings)
    return {"statement_cache_size": settings.statement_cache_size, "server_settings": server_settings}


def _pooled(server_settings: dict[str, str]) -> dict[str, Any]:
    return {"statement_cache_size": 0, "connection_class": pooled(server_settings), "server_settings": {}}


def _server_settings(settings: Settings) -> dict[str, str]:
    return {
        "jit": "off",
        "timezone": "UTC",
        "statement_timeout": str(settings.statement_timeout_ms),
        "lock_timeout": str(settings.lock_timeout_ms),
        "idle_in_transaction_session_timeout": str(settings.statement_timeout_ms),
    }
