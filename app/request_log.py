"""One log line for each request: method, route, status, milliseconds, user, request id.

Never a path, a query, a header or a body: they may have tokens and addresses in them. The request id is the caller's
own. What is answered within a tenth of a second is written together, as one record with many lines: so a line costs a
hold a hundredth of its time (*measured*), and not a tenth.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final, NamedTuple, Protocol

log = logging.getLogger(__name__)

TOGETHER_SECONDS: Final = 0.1

_LEVEL: Final = "info"


class Mark(Protocol):
    """A span of a trace, as OpenTelemetry names it."""

    @property
    def trace_id(self) -> int: ...

    @property
    def span_id(self) -> int: ...


class Answered(NamedTuple):
    """A request that was answered."""

    at: float
    """When it was (epoch seconds)."""
    method: str
    route: str
    status: int
    """0: the client was gone before there was an answer."""
    seconds: float
    """Until the answer began."""
    user_id: int | None
    """Whose token came with it; None: there was none, or it was not believed."""
    request_id: str
    mark: Mark | None = None
    """Its span; None: nothing is traced."""


class RequestLog:
    """One per process, used by the event loop's thread alone."""

    def __init__(self) -> None:
        self._waiting: list[Answered] = []

    @staticmethod
    def is_wanted() -> bool:
        """Whether anybody would see the lines (LOG_LEVEL)."""
        return log.isEnabledFor(logging.INFO)

    def add(self, answered: Answered) -> None:
        """A line, soon."""
        waiting = self._waiting
        waiting.append(answered)
        if len(waiting) == 1:
            asyncio.get_running_loop().call_later(TOGETHER_SECONDS, self.write)

    def write(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            record = log.makeRecord(log.name, logging.INFO, __file__, 0, "%s", (_Lines(waiting),), None)
            record.answered = waiting
            log.handle(record)


class _Lines:
    """For a handler that somebody else has set up: it formats messages in its own way."""

    def __init__(self, answered: Sequence[Answered]) -> None:
        self._answered = answered

    def __str__(self) -> str:
        return "\n".join(f"[{each.request_id}] {_said(each)}" for each in self._answered)


def answered_in(record: logging.LogRecord) -> Sequence[Answered] | None:
    """The requests that a record is about; None for every other record."""
    found: Sequence[Answered] | None = getattr(record, "answered", None)
    return found


def as_text(answered: Iterable[Answered]) -> str:
    """Lines for people."""
    moment = _clock()
    return "\n".join(f"{moment(each.at)} {_LEVEL} {__name__} [{each.request_id}] {_said(each)}" for each in answered)


def as_json(answered: Iterable[Answered]) -> str:
    """Lines for programs, one JSON object each."""
    moment = _clock()
    return "\n".join(
        f'{{"at": "{moment(each.at)}", "level": "{_LEVEL}", "logger": "{__name__}", '
        f'"request_id": {_quoted(each.request_id)}, {_what(each.method, each.route, each.status)}, '
        f'"ms": {each.seconds * 1000:.1f}, "user_id": {"null" if each.user_id is None else each.user_id}'
        f"{_traced(each.mark)}}}"
        for each in answered
    )


def ids_of(mark: Mark) -> dict[str, str]:
    """The members by which a line is found from its trace, and the trace from a line: as W3C writes them, in hex."""
    return {"trace_id": f"{mark.trace_id:032x}", "span_id": f"{mark.span_id:016x}"}


def _traced(mark: Mark | None) -> str:
    return "" if mark is None else f', "trace_id": "{mark.trace_id:032x}", "span_id": "{mark.span_id:016x}"'


@cache
def _what(method: str, route: str, status: int) -> str:
    """The members that many lines share: there are as many as operations and statuses."""
    told = {"message": f"{method} {route} {status}", "method": method, "route": route, "status": status}
    return json.dumps(told)[1:-1]


def _quoted(request_id: str) -> str:
    """As JSON. It is visible ASCII."""
    return f'"{request_id}"' if request_id.isalnum() else json.dumps(request_id)


def _said(each: Answered) -> str:
    whose = "nobody" if each.user_id is None else f"user {each.user_id}"
    return f"{each.method} {each.route} {each.status} {each.seconds * 1000:.1f} ms {whose}"


def _clock() -> Callable[[float], str]:
    """Writes moments as all other lines do. Most of those of one record are of one second."""
    second, written = -1, ""

    def moment(at: float) -> str:
        nonlocal second, written
        whole = int(at)
        if whole != second:
            second, written = whole, datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{written}.{int((at - whole) * 1000):03d}Z"

    return moment
