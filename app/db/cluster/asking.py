"""Asks about many screenings at once; with a node away, about one after the other, leaving out those of the node."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.errors import is_of_a_node


class Answers(NamedTuple):
    """The rows of the screenings that could be asked about, and which could not."""

    rows: list[Any]
    unknown: list[int]


class Question(NamedTuple):
    """The same question about many screenings and about one: `{of_them}` in the SQL says which."""

    of_many: TextClause
    of_one: TextClause


def question(sql: str) -> Question:
    """`{of_them}` in the SQL is a condition on `s.screening_id`."""
    return Question(
        text(sql.replace("{of_them}", "s.screening_id = ANY(CAST(:ids AS bigint[]))")),
        text(sql.replace("{of_them}", "s.screening_id = CAST(:id AS bigint)")),
    )


async def ask(connection: AsyncConnection, asked: Question, screening_ids: Sequence[int]) -> Answers:
    """The answers. The connection must be in AUTOCOMMIT, because a question that fails ends a transaction."""
    if not screening_ids:
        return Answers([], [])
    try:
        return Answers(list(await connection.execute(asked.of_many, {"ids": list(screening_ids)})), [])
    except DBAPIError as error:
        if not is_of_a_node(error):
            raise
    answers = Answers([], [])
    for screening_id in screening_ids:
        try:
            answers.rows.extend(await connection.execute(asked.of_one, {"id": screening_id}))
        except DBAPIError as error:
            if not is_of_a_node(error):
                raise
            answers.unknown.append(screening_id)
    return answers
