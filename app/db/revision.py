"""The revision of the database's schema: the cheapest question whose answer shows that PostgreSQL works."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import migrations


async def revision(engine: AsyncEngine) -> str | None:
    """The revision of the database; None if it has no schema. Raises what connecting raises."""
    async with engine.connect() as connection:
        return await connection.run_sync(migrations.current)


def revisions() -> tuple[str | None, frozenset[str]]:
    """The revision that this version of Usher needs, and all that it knows. It reads files: ask once, at start."""
    return migrations.head(), migrations.known()
