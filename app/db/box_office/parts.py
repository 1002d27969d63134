"""From a kind of row to the statement that writes all rows of it: the row's type says what its columns are.

Rows travel as JSON, one parameter for each part: a third of the work that arrays take here, where all of a batch is
written by one thread, and a little more in PostgreSQL, which has others (*measured*: 0.6 instead of 3.6 microseconds
for a row of twelve columns). What there takes the time is understanding them (*measured*: a third of it): so nothing
is said twice that is the same for all.

Each part has two forms from one source. A batch of many screenings says in each row which one it is of. A batch of one
screening has that in $2, and every table is asked for its rows alone: so a PostgreSQL of many nodes (Citus) sees which
node is meant, whereas JSON is no name. There each part is a statement of its own, carried out in the order in which
they are written; rows are inserted from the state of the screening, so that the node that has it inserts them itself,
and says it when there is such a row already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_type_hints
from uuid import UUID

Row = TypeVar("Row", bound=Mapping[str, Any])

NOW: Final = "$1::timestamptz"
"""The time of the batch."""

SCREENING: Final = "screening_id"
"""The member of a row that says which screening it is of."""


@dataclass(frozen=True, slots=True)
class Sql:
    """The type in which a member of a row travels, and what of it is stored; None: it is only about the others."""

    type: str
    stored: str | None = "w.{name}"


Int = Annotated[int, Sql("int")]
BigInt = Annotated[int, Sql("bigint")]
BigInts = Annotated[Sequence[int], Sql("bigint[]")]
Bool = Annotated[bool, Sql("bool")]
Text = Annotated[str, Sql("text")]
Uuid = Annotated[UUID, Sql("uuid")]
Moment = Annotated[datetime, Sql("timestamptz")]
Since = Annotated[datetime, Sql("timestamptz", f"coalesce(w.{{name}}, {NOW})")]
"""None is the time of the batch."""
Bytes = Annotated[bytes, Sql("text", "decode(w.{name}, 'hex')")]
"""JSON has no bytes: they go as hexadecimal digits."""
Version = Annotated[int, Sql("bigint", "w.{name} + {shift}")]
"""A version that was decided on; so much higher is the one that is handed out."""
VersionIfAsRead = Annotated[
    int, Sql("bigint", "w.{name} + {shift} + CASE WHEN t.version = w.version_before THEN 0 END")
]
"""The same, if what is changed still has its `version_before`; else nothing is written: no version can be null."""
Body = Annotated[str, Sql("text", "convert_to(concat(w.{name}, w.version + {shift}, w.tail), 'UTF8')")]
"""JSON as far as its version; the row's `version` and `tail` follow. Without a version it is all of it."""
ItsVersion = Annotated[int, Sql("bigint", None)]
Tail = Annotated[str, Sql("text", None)]
Json = Annotated[dict[str, Any], Sql("jsonb")]
StatusIfAsRead = Annotated[str, Sql("text", "CASE WHEN t.{name} = w.{name}_before THEN w.{name} END")]
"""A status, if what is changed still has the one that it had; else nothing is written: no status can be null."""
StatusBefore = Annotated[str, Sql("text", None)]
More = Annotated[int, Sql("bigint", "t.{name} + w.{name}")]
"""So much more than there is."""
Ordinal = Annotated[int, Sql("int", None)]
"""Which of the batch's screenings a row belongs to, from 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Part(Generic[Row]):
    """One kind of row to write, and the SQL that writes it: of many screenings, and of one, which is $2.

    In the SQL `{parameter}` stands for the parameter that has the rows, and `{shift}` for how much further on the
    screening of a row was than its version said (0: nobody came between). `{moved}` is where the shift of the one
    screening is to be had.
    """

    name: str
    row: type[Row]
    sql: str
    of_one: str


def part(name: str, row: type[Row], sql: str, of_one: str) -> Part[Row]:
    """`{rows}` in the two are the rows, named w."""
    return Part(name, row, sql.replace("{rows}", _rows(members_of(row))), of_one.replace("{rows}", _rows_of_one(row)))


def insert(name: str, table: str, row: type[Row], on_conflict: str = "", **others: str) -> Part[Row]:
    """Make rows of a table. `others`: columns that no row says, as expressions. `on_conflict`: what then, and what is
    returned."""
    stored = _stored(row) | others
    columns, values = ", ".join(stored), ", ".join(stored.values())
    of_one = ", ".join((stored | {SCREENING: f"s.{SCREENING}"}).values())
    return part(
        name,
        row,
        f"INSERT INTO {table} ({columns}) SELECT {values} FROM {{rows}}{on_conflict}",  # noqa: S608 - our own names
        f"INSERT INTO {table} ({columns}) SELECT {of_one} FROM screening_states s, {_moved(values)}{{rows}}"  # noqa: S608
        f" WHERE s.{SCREENING} = $2{on_conflict}",
    )


def change(name: str, table: str, row: type[Row], *key: str) -> Part[Row]:
    """Change those rows of a table that have the same `key`: all else that a row says."""
    changes = ", ".join(f"{column} = {value}" for column, value in _stored(row).items() if column not in key)
    change = f"UPDATE {table} t SET {changes} FROM "  # noqa: S608 - our own names
    of_one = f"{change}{_moved(changes)}{{rows}} WHERE {_same_of_one(*key)}"
    return part(name, row, f"{change}{{rows}} WHERE {_same(*key)}", of_one)


def delete(name: str, table: str, row: type[Row]) -> Part[Row]:
    """Delete the rows of a table that are the same in all that a row says."""
    key, delete = _stored(row), f"DELETE FROM {table} t USING {{rows}} WHERE "  # noqa: S608
    return part(name, row, delete + _same(*key), delete + _same_of_one(*key))


def members_of(row: type[Mapping[str, Any]]) -> dict[str, Sql]:
    """The members of a row's type by name, in order, and how each of them travels."""
    return {name: _sql(hint) for name, hint in get_type_hints(row, include_extras=True).items()}


def _sql(hint: Any) -> Sql:
    """What is said in `Annotated[..., Sql(...)]`, or in that `| None`."""
    said: tuple[Sql] = next(kind.__metadata__ for kind in (hint, *get_args(hint)) if hasattr(kind, "__metadata__"))
    return said[0]


def _stored(row: type[Mapping[str, Any]]) -> dict[str, str]:
    return {name: its.stored.replace("{name}", name) for name, its in members_of(row).items() if its.stored}


def _rows(members: Mapping[str, Sql]) -> str:
    return f"json_to_recordset({{parameter}}) AS w({', '.join(f'{name} {its.type}' for name, its in members.items())})"


def _rows_of_one(row: type[Mapping[str, Any]]) -> str:
    """Without what says only which screening a row is of."""
    return _rows({name: its for name, its in members_of(row).items() if name not in (SCREENING, "ordinal")})


def _moved(sql: str) -> str:
    return "{moved}" if "{shift}" in sql else ""


def _same(*key: str) -> str:
    """All but the last as arrays of one, which an index takes and a merge join would not: so there is no plan that goes
    through the whole table and looks for each row in JSON, were the table empty when it was made. The last as it is:
    before version 17, PostgreSQL might look through rows for a second array.
    """
    *others, last = key
    return " AND ".join((*(f"t.{column} = ANY (ARRAY[w.{column}])" for column in others), f"t.{last} = w.{last}"))


def _same_of_one(*key: str) -> str:
    return " AND ".join(f"t.{column} = $2" if column == SCREENING else f"t.{column} = w.{column}" for column in key)
