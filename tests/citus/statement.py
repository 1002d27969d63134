"""One SQL statement: its queries, what each reads from, and how they hang together.

A query is a SELECT, INSERT, UPDATE or DELETE, wherever in the statement it stands. Its conditions are those of its
WHERE and its ON, taken apart at each AND.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pglast import ast
from pglast.enums import A_Expr_Kind

from app.db import schema
from app.db.cluster.distribution import DISTRIBUTED, SCREENING

COLUMNS = {table.name: frozenset(column.name for column in table.columns) for table in schema.metadata.sorted_tables}
"""The columns of each table of the schema."""

_DISTRIBUTED = frozenset(table.rpartition(".")[2] for table in DISTRIBUTED)


Path = tuple[ast.Node, ...]
"""The nodes above a node within its query, the nearest last."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a query reads from or changes, under the name that it has there; `table` is None for all but a table."""

    name: str
    table: str | None
    is_target: bool = False

    @property
    def is_distributed(self) -> bool:
        return self.table in _DISTRIBUTED

    @property
    def is_local(self) -> bool:
        """A table of ours that is whole on the coordinator."""
        return self.table in COLUMNS and not self.is_distributed


@dataclass(eq=False)
class Query:
    """One query. `place`: where it stands in its parent (with, from, lateral, select list, condition, insert, arm)."""

    node: ast.Node
    place: str = "top"
    parent: "Query | None" = None
    name: str = ""
    sources: list[Source] = field(default_factory=list)
    conditions: list[ast.Node] = field(default_factory=list)
    equal_by_using: list[tuple[str, ...]] = field(default_factory=list)
    children: list["Query"] = field(default_factory=list)
    parts: dict[str, list[ast.Node]] = field(default_factory=dict)

    def all(self) -> Iterator["Query"]:
        """This one and all that it holds."""
        yield self
        for child in self.children:
            yield from child.all()

    def nodes(self, *parts: str) -> Iterator[tuple[ast.Node, Path]]:
        """The nodes of this query alone, of some of its parts or of all, without the queries in it."""
        for part in parts or tuple(self.parts):
            for node in self.parts.get(part, ()):
                yield from _nodes(node, ())

    @property
    def target(self) -> Source | None:
        """The table that it changes, if it changes one."""
        return next((source for source in self.sources if source.is_target), None)

    @property
    def distributed(self) -> list[Source]:
        return [source for source in self.sources if source.is_distributed]

    @cached_property
    def pins(self) -> dict[str, str]:
        """By the names of its tables: the parameter that the screening is said to be equal to."""
        found = {}
        for condition in self.conditions:
            for one, other in _equal(condition):
                parameter, name = value_of(other), self._whose_screening(one)
                if parameter is not None and name is not None:
                    found[name] = parameter
        return found

    @cached_property
    def equal_screenings(self) -> list[tuple[str, ...]]:
        """Pairs of names whose screenings are said to be equal to each other's, here or outside."""
        pairs = list(self.equal_by_using)
        for condition in self.conditions:
            pairs += [
                (one.fields[0].sval, other.fields[0].sval)
                for one, other in _equal(condition)
                if _is_screening(one) and _is_screening(other) and len(one.fields) == len(other.fields) == 2
            ]
        return pairs

    def _whose_screening(self, node: ast.Node) -> str | None:
        if not _is_screening(node):
            return None
        if len(node.fields) == 2:
            return str(node.fields[0].sval)
        return self.distributed[0].name if len(self.distributed) == 1 else None

    @cached_property
    def is_correlated(self) -> bool:
        """Does it look at a row of a query around it?"""
        return any(
            isinstance(node, ast.ColumnRef) and not query._finds(node, within=self)
            for query in self.all()
            for node, _ in query.nodes()
        )

    def _finds(self, column: ast.ColumnRef, within: "Query") -> bool:
        """Is the column one of this query, or of a query around it that is not outside of `within`?"""
        names = [each.sval for each in column.fields if isinstance(each, ast.String)]
        query: Query | None = self
        while query is not None:
            if query._has(names):
                return True
            query = None if query is within else query.parent
        return False

    def _has(self, names: list[str]) -> bool:
        if not names or (len(names) == 1 and not self.sources):
            return not names or names[0] in self._labels
        if any(source.name == names[0] for source in self.sources) or names[0] == "excluded":
            return True
        if len(names) > 1:
            return False
        unknown = any(source.table not in COLUMNS for source in self.sources)
        known = any(names[0] in COLUMNS.get(source.table or "", ()) for source in self.sources)
        return unknown or known or names[0] in self._labels

    @cached_property
    def _labels(self) -> set[str]:
        return {
            node.name for node in self.parts.get("select list", ()) if isinstance(node, ast.ResTarget) and node.name
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, with all of its queries."""

    top: Query

    @property
    def queries(self) -> list[Query]:
        return list(self.top.all())

    @property
    def is_distributed(self) -> bool:
        return any(query.distributed for query in self.queries)

    @property
    def is_of_one_screening(self) -> bool:
        """Does every table that it reads or changes name the screening, by one and the same parameter?"""
        pins = [query.pins.get(source.name) for query in self.queries for source in needing_a_pin(query)]
        return None not in pins and len(set(pins)) <= 1

    def units(self) -> list[list[Query]]:
        """Queries that are answered together: one with those in it that look at its rows, or that are its columns."""
        units: list[list[Query]] = []
        for query in self.queries:
            unit = next((unit for unit in units if query.parent in unit and _is_of_its_parent(query)), None)
            if unit is None:
                units.append([query])
            else:
                unit.append(query)
        return units


def needing_a_pin(query: Query) -> list[Source]:
    """The tables whose rows it looks for: all but that which an INSERT is about."""
    is_insert = isinstance(query.node, ast.InsertStmt)
    return [source for source in query.distributed if not (is_insert and source.is_target)]


def _is_of_its_parent(query: Query) -> bool:
    if query.place in ("with", "insert", "arm"):
        return False
    if query.place == "select list" and query.parent is not None and not query.parent.sources:
        return True
    return query.is_correlated


def flat(value: object) -> list[ast.Node]:
    if isinstance(value, list | tuple):
        return [node for each in value for node in flat(each)]
    return [value] if isinstance(value, ast.Node) else []


def _nodes(node: ast.Node, path: Path) -> Iterator[tuple[ast.Node, Path]]:
    yield node, path
    for member in node:
        if isinstance(node, ast.SubLink) and member == "subselect":
            continue
        for child in flat(getattr(node, member)):
            yield from _nodes(child, (*path, node))


def _equal(condition: ast.Node) -> list[tuple[ast.Node, ast.Node]]:
    """Both sides of `a = b`, and both sides of `b = a`."""
    if not isinstance(condition, ast.A_Expr) or condition.kind != A_Expr_Kind.AEXPR_OP:
        return []
    if condition.name[-1].sval != "=":
        return []
    return [(condition.lexpr, condition.rexpr), (condition.rexpr, condition.lexpr)]


def _is_screening(node: ast.Node) -> bool:
    return isinstance(node, ast.ColumnRef) and getattr(node.fields[-1], "sval", None) == SCREENING


def value_of(node: ast.Node) -> str | None:
    """`$1`, also of `$1::bigint`, or a number; what is known before a row is looked at."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
        return str(node.val.ival)
    return f"${node.number}" if isinstance(node, ast.ParamRef) else None
