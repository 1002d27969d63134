"""How a connection to PostgreSQL is made: the same way for every one, whoever asks (`app/urls/postgresql.py`).

Of several hosts the first that may be written to is taken, in their order. One that does not answer holds nobody up:
the next is tried after a moment, beside it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import asyncpg

from app.urls.parts import Host
from app.urls.postgresql import PostgreSQLUrl, read

OfficeConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

HEAD_START_SECONDS: Final = 0.2
"""So long a host is waited for before the next one is tried, too."""

NAME: Final = "usher"
"""What PostgreSQL's lists call a connection, unless the URL says otherwise."""

_KEPT: Final = 16


async def connect(url: str, *, seconds: float | None, server_settings: dict[str, str], **how: Any) -> OfficeConnection:
    """A connection to the database of this URL.

    Args:
        url: of PostgreSQL, in any form that `app/urls/postgresql.py` reads.
        seconds: the timeout; that of the URL counts if it is shorter.
        server_settings: PostgreSQL's, for the session; they count more than those of the URL's `options`.
        how: whatever else `asyncpg.connect` takes.

    Raises:
        ValueError: the URL is none.
        OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: as `asyncpg.connect`.
    """
    where = _read(url)
    how["timeout"] = min((each for each in (seconds, where.connect_seconds) if each is not None), default=None)
    how["server_settings"] = {"application_name": NAME, **where.server_settings, **server_settings}
    if len(where.hosts) > 1:
        return await _first_of(where, how)
    return await _connect(where, where.hosts[0] if where.hosts else None, how)


async def _connect(where: PostgreSQLUrl, host: Host | None, how: Mapping[str, Any]) -> OfficeConnection:
    try:
        return await asyncpg.connect(**how, **where.for_asyncpg(host))
    except asyncpg.TargetServerAttributeNotMatched as another:
        raise ConnectionRefusedError(f"no server is there that is {where.target} (target_session_attrs)") from another


async def _first_of(where: PostgreSQLUrl, how: Mapping[str, Any]) -> OfficeConnection:
    """A connection to the first host that has one for us. If none has, raises what one of them raised."""
    waiting = list(where.hosts)
    tasks: list[asyncio.Task[OfficeConnection]] = []
    chosen: asyncio.Task[OfficeConnection] | None = None
    try:
        while chosen is None:
            if waiting:
                tasks.append(asyncio.create_task(_connect(where, waiting.pop(0), how)))
            pending = [task for task in tasks if not task.done()]
            if not pending and not waiting:
                raise _worst(task.exception() for task in tasks)
            if pending:
                await asyncio.wait(
                    pending,
                    timeout=HEAD_START_SECONDS if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            chosen = next((task for task in tasks if task.done() and task.exception() is None), None)
        return chosen.result()
    finally:
        for task in tasks:
            if task is not chosen:
                task.cancel()
                task.add_done_callback(_hang_up)


def _worst(errors: Iterable[BaseException | None]) -> BaseException:
    """What a server has said, rather than that another one is not there or not the one to write to."""
    raised = [error for error in errors if error is not None]
    return next((error for error in raised if isinstance(error, asyncpg.PostgresError)), raised[-1])


def _hang_up(late: "asyncio.Task[OfficeConnection]") -> None:
    """Nobody needs this one any more."""
    if not late.cancelled() and late.exception() is None:
        late.result().terminate()


@lru_cache(_KEPT)
def _read(url: str) -> PostgreSQLUrl:
    return read(url)
