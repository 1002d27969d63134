"""Which version of the schema the database has: the cheapest question that shows that it answers at all."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import migrations


async def revision(engine: AsyncEngine) -> str | None:
    """The database's revision, None for an empty one. Raises what connecting raises."""
    async with engine.connect() as connection:
        return await connection.run_sync(migrations.current)


def newest_revision() -> str | None:
    """The revision that this program was made for. Reads files: ask once, at start."""
    return migrations.head()
