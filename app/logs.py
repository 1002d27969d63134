"""Log lines: one for each thing that an operator should know, with the id of the request that it happened in.

Refusals are no errors and are not logged. Tokens, passwords, bodies and queries are never logged.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

from app.schemas.format.moments import moment
from app.settings import LogFormat, Settings

request_id_of_this_task: ContextVar[str] = ContextVar("request_id", default="-")


def set_up(settings: Settings) -> None:
    """Send everything to standard error, as text or as a JSON object a line, unless somebody has seen to it already."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format is LogFormat.JSON else TextLines())
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper())
    for chatty in ("alembic", "asyncio", "httpx", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """`2026-11-20T19:30:00.000Z warning app.http.edge [request id] what happened`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it if there is one."""
        self._say(record)
        return super().format(record)

    def __init__(self) -> None:
        super().__init__("%(at)s %(level)s %(name)s [%(request_id)s] %(message)s")

    def _say(self, record: logging.LogRecord) -> None:
        record.at = moment(datetime.fromtimestamp(record.created, UTC))
        record.level = record.levelname.lower()
        record.request_id = request_id_of_this_task.get()


class JsonLines(logging.Formatter):
    """One JSON object a line; the traceback, if there is one, is its member `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": moment(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": request_id_of_this_task.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
