"""Forcing an order: a rival keeps what others want, they are seen to wait for it, and then time goes on."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeAlias

import asyncpg

from tests.patience import PATIENCE_SECONDS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def locked(rival: Connection, *screening_ids: int) -> AsyncIterator[None]:
    """Until the block ends nobody else changes these screenings. What the rival writes meanwhile is committed then."""
    async with rival.transaction():
        ids = "screening_id = ANY($1::bigint[]) ORDER BY screening_id"
        await rival.execute(f"SELECT FROM screening_states WHERE {ids} FOR UPDATE", screening_ids)
        yield


async def until(connection: Connection, condition: str, *values: Any) -> None:
    """Wait until a condition is true in PostgreSQL."""

    async def is_true() -> bool:
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        return bool(await connection.fetchval(f"SELECT {condition}", *values))

    await until_so(connection, is_true, f"never true: {condition}")


async def until_so(connection: Connection, is_so: Callable[[], Awaitable[bool]], otherwise: str = "never so") -> None:
    """Wait until something is so outside PostgreSQL; time passes inside. A test for which it never is fails."""
    end = monotonic() + PATIENCE_SECONDS
    while not await is_so():
        assert monotonic() < end, otherwise
        await connection.execute("SELECT pg_sleep(0.01)")


async def until_waiting(connection: Connection, count: int = 1) -> None:
    """Wait until so many of Usher's transactions wait for a lock in this database."""
    waiting = """(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'usher' AND wait_event_type = 'Lock')"""
    await until(connection, f"{waiting} >= $1", count)


async def until_run_out(connection: Connection, screening_id: int = 1) -> None:
    """Wait until every hold of a screening is over by PostgreSQL's clock."""
    over = "coalesce(max(expires_at) <= clock_timestamp(), true) FROM reservations WHERE screening_id = $1"
    await until(connection, over, screening_id)


async def let_run_out(connection: Connection, *screening_ids: int) -> None:
    """Every hold of these screenings, or of all, ends now."""
    for table in ("reservations", "seat_claims"):
        change = f"UPDATE {table} SET expires_at = clock_timestamp() WHERE expires_at > clock_timestamp()"  # noqa: S608
        await connection.execute(
            f"{change} AND ($1::bigint[] = '{{}}' OR screening_id = ANY($1::bigint[]))", screening_ids
        )


def of_both(assignments: str, where: str = "true") -> tuple[str, str]:
    """The two statements that edit screenings as organizers do: the plan, and the state that decides."""
    its = re.sub(r"\bid\b", "screening_id", where)
    return (
        f"UPDATE screenings SET {assignments} WHERE {where}",  # noqa: S608 - our own words
        f"UPDATE screening_states SET {assignments} WHERE {its}",  # noqa: S608
    )


async def edit(connection: Connection, assignments: str, where: str = "true", *values: Any) -> None:
    """Edit screenings behind the service's back: times that are moved, limits that are set."""
    async with connection.transaction():
        for statement in of_both(assignments, where)[::-1]:
            await connection.execute(statement, *values)
