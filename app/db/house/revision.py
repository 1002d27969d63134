"""The revision of the database's schema, and whether the database can serve, asked over one connection."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import fitness, migrations
from app.db.fitness import Fitness


async def revision_and_fitness(engine: AsyncEngine) -> tuple[str | None, Fitness]:
    """The revision of the database (None: it has no schema), and its fitness. Raises what connecting raises."""
    async with engine.connect() as connection:
        return await connection.run_sync(migrations.current), await fitness.look(connection)


def revisions() -> tuple[str | None, frozenset[str]]:
    """The revision that this version of Usher needs, and all that it knows. It reads files: ask once, at start."""
    return migrations.head(), migrations.known()
