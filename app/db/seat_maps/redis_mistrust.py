"""A warning to all processes that Redis has missed a change: until it is over, nobody trusts it. Rarely written."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SPREAD = text("""
INSERT INTO redis_mistrust (until) VALUES (clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (is_the_only_one) DO UPDATE SET until = greatest(redis_mistrust.until, excluded.until)
""")
_READ = text("SELECT EXISTS (SELECT FROM redis_mistrust WHERE until > clock_timestamp()), clock_timestamp()")


async def spread(connection: AsyncConnection, seconds: float) -> None:
    """Warn all processes for these seconds."""
    await connection.execute(_SPREAD, {"seconds": seconds})


async def read(connection: AsyncConnection) -> tuple[bool, datetime]:
    """Whether a warning is in force, and PostgreSQL's time (UTC)."""
    row = (await connection.execute(_READ)).one()
    return row[0], row[1]
