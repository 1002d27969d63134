"""Asks about many screenings at once; with a node away, about one after the other, leaving out those of the node."""

from collections.abc import Mapping, Sequence
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
    """The same question about many screenings and about one."""

    of_many: TextClause
    of_one: TextClause


# A hold lasts for seven days at most, and is made while the screening is on sale.
_ON_SALE_LATELY = text("""
SELECT id FROM screenings WHERE greatest(starts_at, sales_close_at) > now() - interval '8 days' ORDER BY id
""")


def question(sql: str) -> Question:
    """`{of_them}` in the SQL is a condition on `s.screening_id`."""
    return Question(
        text(sql.replace("{of_them}", "s.screening_id = ANY(CAST(:ids AS bigint[]))")),
        text(sql.replace("{of_them}", "s.screening_id = CAST(:id AS bigint)")),
    )


def question_to_all(sql: str) -> Question:
    """The same, about all screenings there are."""
    return Question(text(sql.replace("{of_them}", "true")), question(sql).of_one)


async def ask(connection: AsyncConnection, asked: Question, screening_ids: Sequence[int]) -> Answers:
    """The answers. The connection must be in AUTOCOMMIT, because a question that fails ends a transaction."""
    if not screening_ids:
        return Answers([], [])
    try:
        return Answers(list(await connection.execute(asked.of_many, {"ids": list(screening_ids)})), [])
    except DBAPIError as error:
        if not is_of_a_node(error):
            raise
    return await _one_by_one(connection, asked.of_one, screening_ids, {})


async def ask_all(connection: AsyncConnection, asked: Question, given: Mapping[str, object]) -> list[Any]:
    """The rows of all screenings; with a node away, of those that are on sale, or were a week ago, on other nodes.

    The connection must be in AUTOCOMMIT, as for `ask`.
    """
    try:
        return list(await connection.execute(asked.of_many, given))
    except DBAPIError as error:
        if not is_of_a_node(error):
            raise
    return (await _one_by_one(connection, asked.of_one, await on_sale_lately(connection), given)).rows


async def on_sale_lately(connection: AsyncConnection) -> list[int]:
    """The screenings in which there may be holds."""
    return list(await connection.scalars(_ON_SALE_LATELY))


async def _one_by_one(
    connection: AsyncConnection, of_one: TextClause, screening_ids: Sequence[int], given: Mapping[str, object]
) -> Answers:
    answers = Answers([], [])
    for screening_id in screening_ids:
        try:
            answers.rows.extend(await connection.execute(of_one, {**given, "id": screening_id}))
        except DBAPIError as error:
            if not is_of_a_node(error):
                raise
            answers.unknown.append(screening_id)
    return answers
