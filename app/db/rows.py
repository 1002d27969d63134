"""Rows with names: a type says once which columns it has, SQL asks for just these, and what comes is made one."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

Row = TypeVar("Row", bound=tuple[Any, ...])


def columns(row: type[NamedTuple], table: str, **instead: str) -> str:
    """The columns of a row type as SQL, each of this table, or what is to be asked for `instead` under its name."""
    return ", ".join(instead.get(name, f"{table}.{name}") for name in row._fields)


def maker(row: type[Row]) -> Callable[[Iterable[Any]], Row]:
    """Makes rows of a type from tuples, or records, of just its columns: as `_make`, in a third of the time."""
    return cast("Callable[[Iterable[Any]], Row]", partial(tuple.__new__, row))
