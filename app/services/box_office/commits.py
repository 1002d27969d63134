"""Finds out whether a batch was committed: the answer to a COMMIT can get lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from app.db.box_office import reading as db
from app.db.box_office.reading import Proof
from app.db.connections import LOST, OfficeConnection
from app.domain.seat_finding.floor import Floor
from app.services.box_office.answers import Answer
from app.services.news import News


@dataclass(slots=True)
class Served:
    """The outcome of a batch: an answer or an exception for each command, map versions, and the news of changes.

    `map_versions` has every screening of an answer, even of a replay, which changes nothing: the process that has made
    the change may have died before it announced it. `floors` are what is free after the batch, in screenings where a
    command asked.
    """

    answers: list[Answer | Exception]
    map_versions: dict[int, int] = field(default_factory=dict)
    news: dict[int, News] = field(default_factory=dict)
    floors: dict[int, Floor] = field(default_factory=dict)


Shifts = Mapping[int, int]
"""By screening: how many versions higher the change was written than it was decided."""


@dataclass(slots=True, eq=False)
class CommitBroke(Exception):
    """The connection was lost during COMMIT.

    If it happened, the `proofs` are in the database, and `served` is the outcome.
    """

    screening_ids: Sequence[int]
    proofs: Sequence[Proof]
    served: Callable[[Shifts], Served]


async def happened(connection: OfficeConnection, broke: CommitBroke) -> Served | None:
    """The outcome of a batch whose COMMIT broke, if it was committed; else None.

    None is final: a statement that is still under way finds that the screenings were edited, and writes nothing.
    """
    if not broke.proofs:
        return None
    async with connection.transaction():
        await db.lock(connection, broke.screening_ids)
        if shifts := await db.written(connection, broke.proofs):
            return broke.served(shifts)
        await db.fence(connection, broke.screening_ids)
        return None


class Unclear(Exception):
    """PostgreSQL did not say whether a COMMIT happened."""


async def commit(connection: OfficeConnection) -> None:
    """COMMIT. Raises Unclear unless PostgreSQL clearly said what happened."""
    try:
        said = await connection.execute("COMMIT")
    except asyncpg.TransactionRollbackError:
        raise
    except Exception as broken:
        raise Unclear from broken
    if said != "COMMIT":
        raise asyncpg.TransactionRollbackError("the transaction had been rolled back")


async def roll_back(connection: OfficeConnection) -> None:
    """Roll back, or close the connection: PostgreSQL rolls back then."""
    try:
        await connection.execute("ROLLBACK")
    except (asyncpg.PostgresError, *LOST):
        connection.terminate()
