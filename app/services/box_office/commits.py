"""Whether a batch came about: the answer to a COMMIT may be lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from app.db.box_office import reading as db
from app.db.box_office.reading import Proof
from app.db.connections import LOST, OfficeConnection
from app.services.box_office.answers import Answer
from app.services.news import News


@dataclass(slots=True)
class Served:
    """What came of a batch: an answer or a reason for each command; the map version of each screening that somebody got
    an answer from; and the news of those that changed.

    A repeat changes nothing, and its screening is told all the same: whoever did it first may have died before telling.
    """

    answers: list[Answer | Exception]
    map_versions: dict[int, int] = field(default_factory=dict)
    news: dict[int, News] = field(default_factory=dict)


Shifts = Mapping[int, int]
"""By screening, how much higher the versions are that were written than those that were decided on."""


@dataclass(slots=True, eq=False)
class CommitBroke(Exception):
    """The connection was lost during COMMIT: it may have happened, and then `proofs` are there.

    `served` says what came of the batch if it did.
    """

    screening_ids: Sequence[int]
    proofs: Sequence[Proof]
    served: Callable[[Shifts], Served]


async def happened(connection: OfficeConnection, broke: CommitBroke) -> Served | None:
    """What came of the batch of a broken COMMIT, if that had happened.

    If not, it never will: whoever still has it to say finds the screenings edited.
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
    """PostgreSQL did not say what became of a COMMIT."""


async def commit(connection: OfficeConnection) -> None:
    """Raises Unclear unless PostgreSQL said in so many words what became of it."""
    try:
        said = await connection.execute("COMMIT")
    except asyncpg.TransactionRollbackError:
        raise
    except Exception as broken:
        raise Unclear from broken
    if said != "COMMIT":
        raise asyncpg.TransactionRollbackError("the transaction had been rolled back")


async def roll_back(connection: OfficeConnection) -> None:
    """Leave the connection clean, or not at all: hung up, PostgreSQL rolls back by itself."""
    try:
        await connection.execute("ROLLBACK")
    except (asyncpg.PostgresError, *LOST):
        connection.terminate()
