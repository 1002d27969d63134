"""A statement as people read it: clauses and subqueries on lines of their own. Only white space changes."""

import re
from collections.abc import Iterator
from textwrap import wrap
from typing import Final

WIDTH: Final = 120
INDENT: Final = 4
SHORT: Final = 48
"""A subquery that is no longer stays in its line."""

_CLAUSE: Final = re.compile(
    r"(SELECT|(?<!DELETE )FROM|WHERE|JOIN|LATERAL|SET|USING|RETURNING|ORDER BY|FOR NO KEY|OFFSET|LIMIT)\b"
)
_MEMBER: Final = re.compile(r"(ARRAY\(|\w+ AS (MATERIALIZED )?\()")
"""What gets a line of its own in a list."""
_FURTHER_IN: Final = ("ARRAY", "LATERAL")
_QUERY: Final = re.compile(r"\((?=SELECT|INSERT|UPDATE|DELETE)")
_MAY_BREAK: Final = re.compile(r"(?<=,) | (?=(?:AND|OR|WHEN|THEN|END)\b)")
_LITERAL: Final = re.compile(r"'[^']*'")
_BLANK: Final = "\0"


def laid_out(statement: str) -> str:
    """The statement, in lines."""
    sql = _LITERAL.sub(lambda literal: literal[0].replace(" ", _BLANK), " ".join(statement.split()))
    sql = sql.replace("( ", "(").replace(" )", ")")
    return "\n".join(_query(sql, 0)).replace(_BLANK, " ")


def _query(sql: str, indent: int) -> list[str]:
    lines: list[str] = []
    for clause in _clauses(sql):
        lines += _clause(clause, indent + INDENT if clause.startswith(_FURTHER_IN) else indent)
    return lines


def _clauses(sql: str) -> Iterator[str]:
    """Parts of a query that begin with a clause, or with a long member of a list."""
    start = depth = 0
    for at, character in enumerate(sql):
        depth += (character == "(") - (character == ")")
        if depth == 0 and character == " ":
            ends_here = _CLAUSE.match(sql, at + 1) or (sql[at - 1] == "," and _MEMBER.match(sql, at + 1))
            if ends_here and sql[start:at] != "WITH":
                yield sql[start:at]
                start = at + 1
    yield sql[start:]


def _clause(sql: str, indent: int) -> list[str]:
    """A clause, its first long subquery on lines of its own, and what follows that."""
    for opening in _QUERY.finditer(sql):
        closing = _closing(sql, opening.start())
        inner = sql[opening.end() : closing]
        if len(inner) > SHORT:
            head = _lines(sql[: opening.end()], indent)
            return [*head, *_query(inner, indent + INDENT), *_clause(sql[closing:], indent)]
    return _lines(sql, indent)


def _closing(sql: str, opening: int) -> int:
    """Where the parenthesis that opens there is closed."""
    depth = 0
    for at in range(opening, len(sql)):
        depth += (sql[at] == "(") - (sql[at] == ")")
        if depth == 0:
            return at
    raise ValueError("a parenthesis is not closed")


def _lines(sql: str, indent: int) -> list[str]:
    """No wider than a page, and broken only after a comma or before a word that goes on."""
    pieces = [piece.replace(" ", _BLANK) for piece in _MAY_BREAK.split(sql)]
    return wrap(
        " ".join(pieces),
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + INDENT),
        break_long_words=False,
        break_on_hyphens=False,
    )
