"""Errors become problems: refusals, faults and errors of the framework (RFC 9457; docs/api.md, section 3).

Status codes, titles and advice are in `schemas/problems/kinds.py`, the sentences of `detail` beside them.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.domain import refusals
from app.http.replies import Header, Reply, rate_headers
from app.schemas.format import faults
from app.schemas.format.faults import Malformed, Mistake, code_and_message
from app.schemas.problems import KINDS, Kind, kind_of_status, problem_json
from app.schemas.problems.sentences import detail_of

log = logging.getLogger(__name__)

MOST_MISTAKES: Final = 50
_LONGEST_NAME: Final = 100

# Fields of refusals and faults that go into `detail` or a header: they are not members of the problem.
_NOT_MEMBERS: Final = {
    "what",
    "labels",
    "why",
    "retry_after_seconds",
    "outcome_unknown",
    "allowed_bytes",
    "methods",
    "revision",
    "standing",
    "map_version",
    "came_without_token",
    "wanted",
    "releases_reserved_places",
}


_CODES: Final = {"model_attributes_type": "model_type"}
"""What pydantic says of the same mistake when FastAPI asks it."""


def problem(error: Exception, instance: str, request_id: str) -> Reply:
    """The answer to a request that raised this. An unknown exception is logged, and answered with a bare 500."""
    kind, detail, members, headers = _told(error)
    body = problem_json(kind, detail, instance, request_id, members)
    return Reply(body, kind.status, headers=headers, media_type=b"application/problem+json")


def mistakes(errors: Sequence[Mapping[str, Any]]) -> list[Mistake]:
    """pydantic's errors as `errors` lists them. What was sent is never repeated: it may be a password."""
    told: list[Mistake] = []
    for error in errors[:MOST_MISTAKES]:
        code, message = code_and_message(error)
        told.append(Mistake(loc=[_short(part) for part in error["loc"]], code=_CODES.get(code, code), message=message))
    return told


def _mistake(flaw: refusals.Flaw) -> Mistake:
    told = Mistake(loc=[flaw.place, *map(_short, flaw.loc)], code=flaw.code, message=flaw.message)
    if flaw.allowed is not None:
        told["allowed"] = flaw.allowed
    return told


def _short(part: str | int) -> str | int:
    return part[:_LONGEST_NAME] if isinstance(part, str) else part


def _told(error: Exception) -> tuple[Kind, str, Mapping[str, Any], Sequence[Header]]:
    match error:
        case refusals.Flawed(errors=flaws):
            return _told(Malformed([_mistake(flaw) for flaw in flaws[:MOST_MISTAKES]]))
        case refusals.Refusal() | faults.Fault():
            return KINDS[error.code], detail_of(error), _members(error), _headers(error)
        case RequestValidationError():
            return _told(Malformed(mistakes(error.errors())))
        case HTTPException(status_code=404):
            return _told(faults.NoSuchPath())
        case HTTPException(status_code=status, headers=headers):
            kind = kind_of_status(status)
            sent = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
            return kind, kind.advice, {}, sent
        case _:
            log.error("unhandled exception", exc_info=error)
            return KINDS["internal"], KINDS["internal"].advice, {}, ()


def _members(error: refusals.Refusal | faults.Fault) -> dict[str, Any]:
    """The fields of a refusal are the members of its problem."""
    kind: Any = type(error)
    return {name: getattr(error, name) for name in _names_of(kind)}


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in _NOT_MEMBERS)


def _headers(error: refusals.Refusal | faults.Fault) -> Sequence[Header]:
    match error:
        case refusals.Unauthenticated():
            return [(b"www-authenticate", b"Bearer")]
        case (
            refusals.KeyInUse(retry_after_seconds=seconds)
            | refusals.Busy(retry_after_seconds=seconds)
            | refusals.HeldTooOften(retry_after_seconds=seconds)
            | refusals.PaymentsUnavailable(retry_after_seconds=seconds)
        ):
            return [(b"retry-after", b"%d" % seconds)]
        case refusals.RateLimited(standing=standing):
            return [(b"retry-after", b"%d" % standing.reset_seconds), *rate_headers(standing)]
        case faults.UpgradeRequired():
            return [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
        case faults.MethodNotAllowed(methods=methods):
            return [(b"allow", ", ".join(methods).encode())]
        case _:
            return ()
