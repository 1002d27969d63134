"""The revision of the database's schema, and whether the database can serve, asked over one connection."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db import fitness
from app.db.fitness import Fitness
from app.db.revisions import current, head, known


async def revision_and_fitness(engine: AsyncEngine) -> tuple[str | None, Fitness]:
    """The revision of the database (None: it has no schema), and its fitness. Raises what connecting raises."""
    async with engine.connect() as connection:
        return await connection.run_sync(current), await fitness.look(connection)


def revisions() -> tuple[str, frozenset[str]]:
    """The revision that this version of Usher needs, and all that it knows. It reads files: ask once, at start."""
    return head(), known()
