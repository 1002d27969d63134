"""Log lines: one for each thing that an operator should know, with the request id.

Refusals are expected and not logged. Tokens, passwords, bodies and queries are never logged, and neither is what
somebody wrote into the database: what PostgreSQL says of an error is cut down to names.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import asyncpg
from sqlalchemy.exc import StatementError

from app.log_output import Output
from app.outages import SPEAKERS
from app.request_log import Mark, answered_in, as_json, as_text, ids_of
from app.schemas.format.moments import moment
from app.settings import LogFormat, Settings

request_id_of_this_task: ContextVar[str] = ContextVar("request_id", default="-")
span_of_this_task: ContextVar[Mark | None] = ContextVar("span", default=None)
"""The span of the request that a task serves; None: it is not traced."""


def set_up(settings: Settings) -> None:
    """Log to standard error, as text or as one JSON object a line, unless logging was configured before.

    Several workers say together what is out.
    """
    SPEAKERS.set_up(settings.metrics_directory if settings.web_concurrency > 1 else None)
    handler = Output()
    handler.setFormatter(JsonLines() if is_json(settings) else TextLines())
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper())
    for chatty in ("alembic", "asyncio", "httpx", "stripe", "uvicorn.error", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def is_json(settings: Settings) -> bool:
    """Whether log lines are JSON: as LOG_FORMAT says, or else where no terminal shows them."""
    return (settings.log_format or (LogFormat.TEXT if sys.stderr.isatty() else LogFormat.JSON)) is LogFormat.JSON


_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _WithoutValues(logging.Formatter):
    """Messages and tracebacks in which errors of the database tell what failed, but no value of a row or parameter."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without its traceback."""
        record.message = _message(record)
        return super().formatMessage(record)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """The traceback of an exception, and of those that led to it."""
        kind, error, where = ei
        if kind is None or error is None:
            return ""
        told = traceback.TracebackException(kind, error, where)
        _cut_down(told, error)
        return "".join(told.format()).rstrip("\n")


class TextLines(_WithoutValues):
    """`2026-11-20T19:30:00.000Z warning app.http.edge [request id] message`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, followed by the traceback if there is one; of requests that were answered, one each."""
        if (answered := answered_in(record)) is not None:
            return as_text(answered)
        self._say(record)
        return super().format(record)

    def __init__(self) -> None:
        super().__init__("%(at)s %(level)s %(name)s [%(request_id)s] %(message)s")

    def _say(self, record: logging.LogRecord) -> None:
        record.exc_text = None  # another handler may have put a traceback here
        record.at = moment(datetime.fromtimestamp(record.created, UTC))
        record.level = record.levelname.lower()
        record.request_id = _request_id(record)


class JsonLines(_WithoutValues):
    """One JSON object a line, with `traceback` if there was an exception, `trace_id` and `span_id` if it is traced."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; of requests that were answered, one each."""
        if (answered := answered_in(record)) is not None:
            return as_json(answered)
        line: dict[str, str] = {
            "at": moment(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": _request_id(record),
            "message": _message(record),
        }
        if (mark := _mark(record)) is not None:
            line |= ids_of(mark)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _request_id(record: logging.LogRecord) -> str:
    """The request that a line is about: the one it names (a batch serves many), else that of the running task."""
    named: str | None = getattr(record, "request_id", None)
    return named or request_id_of_this_task.get()


def _mark(record: logging.LogRecord) -> Mark | None:
    """The span that a line is about: that of the request it names, else of the running task."""
    if getattr(record, "request_id", None) is None:
        return span_of_this_task.get()
    named: Mark | None = getattr(record, "mark", None)
    return named


def _message(record: logging.LogRecord) -> str:
    """What a line says. asyncio adds, line by line, what it has to do with: a task, with what its error says."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _cut_down(told: traceback.TracebackException, error: BaseException) -> None:
    """Take the values out of what is told of an error of the database, and of each one that led to it."""
    waiting: list[tuple[traceback.TracebackException | None, BaseException | None]] = [(told, error)]
    while waiting:
        told_of, each = waiting.pop()
        if told_of is None or each is None:
            continue
        if _is_of_the_database(each):
            told_of._str = _names_of(each)  # type: ignore[attr-defined]
        waiting += ((told_of.__cause__, each.__cause__), (told_of.__context__, each.__context__))
        if isinstance(each, BaseExceptionGroup):
            waiting += zip(told_of.exceptions or (), each.exceptions, strict=False)


def _is_of_the_database(error: BaseException) -> bool:
    where = type(error).__module__
    return isinstance(error, StatementError) or where.startswith(("asyncpg.", "sqlalchemy.dialects."))


def _names_of(error: BaseException) -> str:
    """Which error of the database it is, and about what: names only, as messages and details quote values."""
    told: Any = getattr(error, "orig", None) or error
    if isinstance(told.__cause__, asyncpg.PostgresError):
        told = told.__cause__
    about = [
        f"{name.removesuffix('_name')} {found}"
        for name in ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name")
        if (found := getattr(told, name, None))
    ]
    statement = getattr(error, "statement", None)
    return ", ".join([type(told).__name__, *about]) + (f"\n[SQL: {statement}]" if statement else "")
