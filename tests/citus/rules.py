"""What a statement must be like so that Citus carries it out, and on one node: a small rule for each thing it refused.

Each was seen on Citus 15 over PostgreSQL 18 (docs/scale.md). What is only slow there is a rule too: a statement that
asks all nodes is an exception that gives its reason (exceptions.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pglast import ast
from pglast.enums import A_Expr_Kind

from app.db import schema
from tests.citus.reading import parsed
from tests.citus.statement import Query, Source, Statement, needing_a_pin, value_of

IMMUTABLE = frozenset({"abs", "convert_to", "decode", "encode", "length", "lower", "lpad", "repeat", "to_hex", "upper"})
"""Functions that may stand in a CASE or COALESCE of a change. Any other counts as one that may not."""

VOLATILE = frozenset(
    {"clock_timestamp", "gen_random_uuid", "nextval", "random", "setval", "timeofday", "uuidv4", "uuidv7"}
)
OF_THE_PLACE = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
"""Columns that say where a row lies, on its node."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, and what it finds in a statement: the things that break it."""

    name: str
    sentence: str
    broken_by: Callable[[Statement], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that is broken, and by what."""

    rule: Rule
    what: str

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.what}. {self.rule.sentence}"


RULES: list[Rule] = []


def _rule(sentence: str) -> Callable[[Callable[[Statement], Iterator[str]]], Callable[[Statement], Iterator[str]]]:
    def take(broken_by: Callable[[Statement], Iterator[str]]) -> Callable[[Statement], Iterator[str]]:
        RULES.append(Rule(broken_by.__name__.replace("_", " "), sentence, broken_by))
        return broken_by

    return take


def violations(sql: str) -> list[Violation]:
    """What is wrong with a statement. Nothing is, if it names no distributed table."""
    statement = parsed(sql)
    if not statement.is_distributed:
        return []
    return [Violation(rule, what) for rule in RULES for what in dict.fromkeys(rule.broken_by(statement))]


@_rule(
    "Every distributed table says `screening_id = $n`, all of them the same parameter: a value from JSON, an array or"
    " another row does not tell Citus which node is meant, and all of them are asked"
)
def each_table_names_the_screening(statement: Statement) -> Iterator[str]:
    numbers = {}
    for query in statement.queries:
        for source in needing_a_pin(query):
            number = query.pins.get(source.name)
            if number is None:
                yield f"{_named(source)} does not"
            else:
                numbers[number] = source
    if len(numbers) > 1:
        yield " and ".join(f"{_named(source)} says {number}" for number, source in sorted(numbers.items()))


@_rule("A ROW that is read needs a type, ROW(...)::its_type: an anonymous one cannot travel from a node")
def rows_have_types(statement: Statement) -> Iterator[str]:
    for query in statement.queries:
        for node, path in query.nodes("select list", "returned"):
            if isinstance(node, ast.RowExpr) and not _has_type(path) and not _is_compared(path):
                yield "ROW(...) without a type"


@_rule(
    "A LATERAL subquery has no LIMIT and no OFFSET, unless every table of the statement names the screening: it cannot"
    " be pushed down"
)
def lateral_without_limits(statement: Statement) -> Iterator[str]:
    if statement.is_of_one_screening:
        return
    for query in statement.queries:
        has_limit = query.place == "lateral" and (query.node.limitCount or query.node.limitOffset)
        if has_limit and any(each.distributed for each in query.all()):
            yield f"LATERAL ... {query.name}"


@_rule("A change has no CASE and no COALESCE around a subquery or a function that is not IMMUTABLE")
def conditions_are_immutable(statement: Statement) -> Iterator[str]:
    for query in _changes(statement):
        for node, _ in query.nodes("changes", "conditions"):
            if isinstance(node, ast.CaseExpr | ast.CoalesceExpr) and (found := _not_immutable(node)):
                yield f"{type(node).__name__.removesuffix('Expr').upper()} around {found}"


@_rule("A change calls no VOLATILE function: the time is a parameter, or statement_timestamp()")
def changes_are_not_volatile(statement: Statement) -> Iterator[str]:
    for query in _changes(statement):
        for node, _ in query.nodes("changes", "conditions"):
            if isinstance(node, ast.FuncCall) and _function(node) in VOLATILE:
                yield f"{_function(node)}()"


@_rule("No statement says where a row lies (ctid, xmin): that means nothing on another node")
def no_place_of_a_row(statement: Statement) -> Iterator[str]:
    for query in statement.queries:
        for node, _ in query.nodes() if query.distributed else ():
            if isinstance(node, ast.ColumnRef) and getattr(node.fields[-1], "sval", None) in OF_THE_PLACE:
                yield node.fields[-1].sval


@_rule("The VALUES of an INSERT have no subquery: what they need is read first")
def values_without_subquery(statement: Statement) -> Iterator[str]:
    for query, select in _inserts(statement):
        if select.node.valuesLists and select.children:
            yield f"VALUES for {query.sources[0].table}"


@_rule("An INSERT ... VALUES gives the screening as a parameter")
def values_name_the_screening(statement: Statement) -> Iterator[str]:
    for query, select in _inserts(statement):
        for row in select.node.valuesLists or ():
            at = _column_of_the_screening(query)
            if at is None or at >= len(row) or value_of(row[at]) is None:
                yield f"VALUES for {query.sources[0].table}"


@_rule(
    "An INSERT ... SELECT selects its screening from a distributed table that names it: else the rows take the way over"
    " the coordinator, and a duplicate key is XX000 instead of 23505"
)
def inserts_select_where_they_go(statement: Statement) -> Iterator[str]:
    for query, select in _inserts(statement):
        if select.node.valuesLists:
            continue
        at = _column_of_the_screening(query)
        values = select.node.targetList or ()
        value = values[at].val if at is not None and at < len(values) else None
        fields = [each.sval for each in value.fields] if isinstance(value, ast.ColumnRef) else []
        of_a_table = [source for source in select.distributed if source.name in select.pins]
        if not any(fields == [source.name, "screening_id"] for source in of_a_table):
            yield f"INSERT INTO {query.sources[0].table}"


@_rule("FOR UPDATE and FOR SHARE lock the rows of one screening only, which is named")
def locks_are_of_one_screening(statement: Statement) -> Iterator[str]:
    for query in statement.queries:
        if isinstance(query.node, ast.SelectStmt) and query.node.lockingClause:
            for source in query.distributed:
                if source.name not in query.pins:
                    yield _named(source)


@_rule("A distributed table is not joined with one that is whole on the coordinator, by a correlated subquery neither")
def no_join_with_a_local_table(statement: Statement) -> Iterator[str]:
    for unit in statement.units():
        sources = [source for query in unit for source in query.sources]
        there, here = [each for each in sources if each.is_distributed], [each for each in sources if each.is_local]
        if there and here:
            yield f"{_named(there[0])} and {_named(here[0])}"


@_rule("Distributed tables that are read together are joined by screening_id, or each of them names the same screening")
def joined_by_screening(statement: Statement) -> Iterator[str]:
    for unit in statement.units():
        loose = [each for query in unit for each in needing_a_pin(query) if each.name not in query.pins]
        all_of_them = [each for query in unit for each in needing_a_pin(query)]
        if len(all_of_them) < 2 or not loose:
            continue
        together = {loose[0].name}
        pairs = [pair for query in unit for pair in query.equal_screenings]
        for _ in pairs:
            together |= {name for pair in pairs if together & set(pair) for name in pair}
        for each in all_of_them:
            if each.name not in together:
                yield f"{_named(each)} and {_named(loose[0])}"


@_rule(
    "Parts of a WITH come in the order of their foreign keys: with an INSERT among them, each is a statement of its own"
)
def parts_in_order(statement: Statement) -> Iterator[str]:
    made = [
        query.target.table for query in statement.queries if isinstance(query.node, ast.InsertStmt) and query.target
    ]
    for number, table in enumerate(made):
        for later in made[number + 1 :]:
            if later != table and later in _referred_to_by(table):
                yield f"{table} comes before {later}"


def _named(source: Source) -> str:
    return f"{source.table}" if source.name == source.table else f"{source.table} {source.name}"


def _changes(statement: Statement) -> Iterator[Query]:
    for query in statement.queries:
        is_change = isinstance(query.node, ast.UpdateStmt | ast.DeleteStmt)
        if is_change and query.target is not None and query.target.is_distributed:
            yield query


def _inserts(statement: Statement) -> Iterator[tuple[Query, Query]]:
    """Each INSERT into a distributed table, and what it inserts."""
    for query in statement.queries:
        if isinstance(query.node, ast.InsertStmt) and query.sources[0].is_distributed:
            yield from ((query, child) for child in query.children if child.place == "insert")


def _column_of_the_screening(query: Query) -> int | None:
    names = [column.name for column in query.node.cols or ()]
    return names.index("screening_id") if "screening_id" in names else None


def _has_type(path: tuple[ast.Node, ...]) -> bool:
    """Is it cast, or a member of a ROW that is?"""
    return bool(path) and (
        isinstance(path[-1], ast.TypeCast) or (isinstance(path[-1], ast.RowExpr) and _has_type(path[:-1]))
    )


def _is_compared(path: tuple[ast.Node, ...]) -> bool:
    return bool(path) and isinstance(path[-1], ast.A_Expr) and path[-1].kind == A_Expr_Kind.AEXPR_OP


def _not_immutable(node: ast.Node) -> str | None:
    inner = Query(node, parts={"all": [node]})
    for each, _ in inner.nodes():
        if isinstance(each, ast.SubLink):
            return "a subquery"
        if isinstance(each, ast.SQLValueFunction):
            return "the time"
        if isinstance(each, ast.FuncCall) and _function(each) not in IMMUTABLE:
            return f"{_function(each)}()"
    return None


def _function(node: ast.FuncCall) -> str:
    return str(node.funcname[-1].sval)


def _referred_to_by(table: str | None) -> set[str]:
    its = schema.metadata.tables.get(table or "")
    return set() if its is None else {key.column.table.name for key in its.foreign_keys}
