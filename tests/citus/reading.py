"""Reads a statement with PostgreSQL's own parser."""

from collections.abc import Mapping

import pglast
from pglast import ast
from pglast.enums import BoolExprType, SetOperation

from app.db.cluster.distribution import SCREENING
from tests.citus.statement import Query, Source, Statement, flat


class NoQuery(Exception):
    """BEGIN, SET, CREATE TABLE and the like: the rules are not about them."""


def parsed(sql: str) -> Statement:
    """Raises NoQuery, and pglast.parser.ParseError for what is no SQL."""
    [raw] = pglast.parse_sql(sql)
    if not isinstance(raw.stmt, ast.SelectStmt | ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt):
        raise NoQuery(type(raw.stmt).__name__)
    return Statement(_read(raw.stmt, Query(raw.stmt), frozenset()))


def _read(node: ast.Node, query: Query, outer: frozenset[str]) -> Query:
    with_names = outer
    if node.withClause:
        for each in node.withClause.ctes:
            with_names |= {each.ctename} if node.withClause.recursive else frozenset()
            query.children.append(_read(each.ctequery, Query(each.ctequery, "with", query, each.ctename), with_names))
            with_names |= {each.ctename}
    match node:
        case ast.SelectStmt() if node.op != SetOperation.SETOP_NONE:
            query.children += [_read(arm, Query(arm, "arm", query), with_names) for arm in (node.larg, node.rarg)]
            _take(query, with_names, {"rest": [node.sortClause, node.limitCount, node.limitOffset]})
        case ast.SelectStmt():
            query.sources += _sources(node.fromClause, query, with_names)
            clauses = [node.sortClause, node.groupClause, node.havingClause, node.distinctClause, node.valuesLists]
            rest = [*clauses, node.limitCount, node.limitOffset, node.windowClause]
            _where(query, node.whereClause)
            _take(query, with_names, {"select list": [node.targetList], "conditions": query.conditions, "rest": rest})
        case ast.InsertStmt():
            query.sources.append(_table(node.relation, frozenset(), is_target=True))
            if node.selectStmt is not None:
                query.children.append(_read(node.selectStmt, Query(node.selectStmt, "insert", query), with_names))
            given = {"rest": [node.onConflictClause], "returned": [node.returningClause]}
            _take(query, with_names, given)
        case ast.UpdateStmt() | ast.DeleteStmt():
            query.sources.append(_table(node.relation, frozenset(), is_target=True))
            is_update = isinstance(node, ast.UpdateStmt)
            query.sources += _sources(node.fromClause if is_update else node.usingClause, query, with_names)
            _where(query, node.whereClause)
            changes = [node.targetList] if is_update else []
            given = {"changes": changes, "conditions": query.conditions, "returned": [node.returningClause]}
            _take(query, with_names, given)
    return query


def _take(query: Query, with_names: frozenset[str], parts: Mapping[str, list[ast.Node]]) -> None:
    """The parts become those of the query, and the queries in them its children."""
    for part, nodes in parts.items():
        query.parts.setdefault(part, []).extend(flat(nodes))
    for part in query.parts:
        place = "select list" if part == "select list" else "condition"
        for node, _ in list(query.nodes(part)):
            if isinstance(node, ast.SubLink):
                child = Query(node.subselect, place, query)
                query.children.append(_read(node.subselect, child, with_names))


def _where(query: Query, condition: ast.Node | None) -> None:
    query.conditions += _conjuncts(condition)


def _conjuncts(condition: ast.Node | None) -> list[ast.Node]:
    if isinstance(condition, ast.BoolExpr) and condition.boolop == BoolExprType.AND_EXPR:
        return [each for argument in condition.args for each in _conjuncts(argument)]
    return [] if condition is None else [condition]


def _sources(clause: tuple[ast.Node, ...] | None, query: Query, with_names: frozenset[str]) -> list[Source]:
    found: list[Source] = []
    for item in clause or ():
        match item:
            case ast.RangeVar():
                found.append(_table(item, with_names))
            case ast.RangeSubselect():
                name = item.alias.aliasname if item.alias else ""
                place = "lateral" if item.lateral else "from"
                child = Query(item.subquery, place, query, name)
                query.children.append(_read(item.subquery, child, with_names))
                found.append(Source(name, None))
            case ast.RangeFunction():
                query.parts.setdefault("functions", []).extend(flat(item.functions))
                found.append(Source(item.alias.aliasname if item.alias else "", None))
            case ast.JoinExpr():
                sides = [_sources((side,), query, with_names) for side in (item.larg, item.rarg)]
                query.conditions += _conjuncts(item.quals)
                if SCREENING in {each.sval for each in item.usingClause or ()}:
                    query.equal_by_using += [(one.name, other.name) for one in sides[0] for other in sides[1]]
                found += [*sides[0], *sides[1]]
            case _:
                found.append(Source("", None))
    return found


def _table(node: ast.RangeVar, with_names: frozenset[str], *, is_target: bool = False) -> Source:
    name = node.alias.aliasname if node.alias else node.relname
    is_table = node.schemaname is not None or node.relname not in with_names
    return Source(name, node.relname if is_table else None, is_target)
