"""`usher distribute`: distributes the tables over the nodes of a Citus cluster, and says what is missing."""

import asyncio

from app.db.cluster import distribution
from app.db.connections import open_for_command
from app.settings import Settings


def report(url: str, settings: Settings, *, apply: bool) -> int:
    """Print what is well or missing; with `apply`, do it before.

    Returns the exit code: 1 if something is missing. Raises NoCluster where there is none.
    """
    cluster = asyncio.run(_look(url, apply=apply))
    missing = cluster.missing
    if not settings.batch_per_screening:
        missing.append("BATCH_PER_SCREENING is off: no node can serve a batch of several screenings")
    if not missing:
        print(f"ok       Citus {cluster.version}, {cluster.nodes} nodes with shards, everything is in its place")
    for line in missing:
        print(f"problem  {line}")
    return 1 if missing else 0


async def _look(url: str, *, apply: bool) -> distribution.Cluster:
    # What a role is given holds from its next connection on, so each is new.
    engine = open_for_command(url, seconds=None)
    if apply:
        async with engine.begin() as connection:
            await distribution.distribute(connection)
    async with engine.connect() as connection:
        return await distribution.look(connection)
