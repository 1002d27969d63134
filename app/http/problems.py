"""Noes become problems: every refusal, every fault and every error of the framework (RFC 9457, docs/api.md, section 3).

The status codes live here and in `schemas/problems.py`; the domain knows none.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from html import escape
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.domain import refusals
from app.domain.reservations import ReservationStatus
from app.http.replies import Header, Reply, page, rate_headers
from app.schemas.format import faults
from app.schemas.format.faults import Malformed, Mistake
from app.schemas.format.moments import moment
from app.schemas.problems import KINDS, Kind, kind_of_status, problem_json

log = logging.getLogger(__name__)
router = APIRouter()

E = TypeVar("E", bound=Exception)

MOST_MISTAKES: Final = 50
_LONGEST_NAME: Final = 100

# Fields of refusals and faults that are said in `detail` or in a header, and are no members.
_NOT_MEMBERS: Final = {
    "what",
    "why",
    "retry_after_seconds",
    "outcome_unknown",
    "allowed_bytes",
    "methods",
    "revision",
    "standing",
    "map_version",
}


def problem(error: Exception, instance: str, request_id: str) -> Reply:
    """The answer to a request that raised this. What nobody has foreseen is logged, and told as a bare 500."""
    kind, detail, members, headers = _told(error)
    body = problem_json(kind, detail, instance, request_id, members)
    return Reply(body, kind.status, headers=headers, media_type=b"application/problem+json")


def mistakes(errors: Sequence[Mapping[str, Any]]) -> list[Mistake]:
    """pydantic's errors as ours: where, a code, a sentence; never what was sent, for that may be a password."""
    return [
        Mistake(
            loc=[_short(part) for part in error["loc"]],
            code=error["type"],
            message=error["msg"].removeprefix("Value error, "),
        )
        for error in errors[:MOST_MISTAKES]
    ]


def _mistake(flaw: refusals.Flaw) -> Mistake:
    return Mistake(loc=["body", *map(_short, flaw.loc)], code=flaw.code, message=flaw.message)


def _short(part: str | int) -> str | int:
    return part[:_LONGEST_NAME] if isinstance(part, str) else part


def _told(error: Exception) -> tuple[Kind, str, Mapping[str, Any], Sequence[Header]]:
    match error:
        case refusals.Flawed(errors=flaws):
            return _told(Malformed([_mistake(flaw) for flaw in flaws[:MOST_MISTAKES]]))
        case refusals.Refusal() | faults.Fault():
            return KINDS[error.code], _detail(error), _members(error), _headers(error)
        case RequestValidationError():
            return _told(Malformed(mistakes(error.errors())))
        case HTTPException(status_code=404):
            return _told(faults.NoSuchPath())
        case HTTPException(status_code=status, headers=headers):
            kind = kind_of_status(status)
            sent = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
            return kind, kind.advice, {}, sent
        case _:
            log.error("unforeseen", exc_info=error)
            return KINDS["internal"], KINDS["internal"].advice, {}, ()


def advice(error: refusals.Refusal) -> str:
    """What a person is told about a refusal."""
    return _detail(error)


def _detail(error: refusals.Refusal | faults.Fault) -> str:
    say = _DETAILS.get(type(error))
    return say(error) if say else KINDS[error.code].advice


def _members(error: refusals.Refusal | faults.Fault) -> dict[str, Any]:
    """The fields of a refusal are the members of its problem."""
    names = [field.name for field in fields(error) if field.name not in _NOT_MEMBERS]  # type: ignore[arg-type]
    return {name: getattr(error, name) for name in names}


def _headers(error: refusals.Refusal | faults.Fault) -> Sequence[Header]:
    match error:
        case refusals.Unauthenticated():
            return [(b"www-authenticate", b"Bearer")]
        case refusals.KeyInUse(retry_after_seconds=seconds) | refusals.Busy(retry_after_seconds=seconds):
            return [(b"retry-after", b"%d" % seconds)]
        case refusals.RateLimited(standing=standing):
            return [(b"retry-after", b"%d" % standing.reset_seconds), *rate_headers(standing)]
        case faults.MethodNotAllowed(methods=methods):
            return [(b"allow", ", ".join(methods).encode())]
        case _:
            return ()


# --- what a person is told -------------------------------------------------------------------------------------------

_DETAILS: dict[type[Exception], Callable[[Any], str]] = {}


def _says(kind: type[E]) -> Callable[[Callable[[E], str]], Callable[[Any], str]]:
    def enter(say: Callable[[E], str]) -> Callable[[Any], str]:
        _DETAILS[kind] = say
        return say

    return enter


def _some(names: Sequence[object]) -> str:
    shown = ", ".join(str(name)[:64] for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _few(names: Sequence[object]) -> str:
    return ", ".join(str(name) for name in names[:5])


def _are(names: Sequence[object], singular: str, plural: str) -> str:
    return f"{_some(names)} {singular if len(names) == 1 else plural}"


@_says(refusals.NotFound)
def _not_found(error: refusals.NotFound) -> str:
    return f"There is no such {error.what}, or it is not yours. Check the id, and whose token you send."


@_says(faults.NoSuchPath)
def _no_such_path(_: faults.NoSuchPath) -> str:
    return "There is nothing at this path. All calls are listed at /docs."


@_says(refusals.UnknownSeats)
def _unknown_seats(error: refusals.UnknownSeats) -> str:
    free = f" Free are, for instance, {_few(error.available_seats)}." if error.available_seats else ""
    return f"This theater has no seat {_some(error.unknown)}.{free or ' The seat map lists them all.'}"


@_says(refusals.SeatsUnavailable)
def _seats_unavailable(error: refusals.SeatsUnavailable) -> str:
    labels = [seat.label for seat in error.seats]
    free = f" Free nearby: {_few(error.available_seats)}." if error.available_seats else " Nothing else is free."
    return f"{_are(labels, 'is', 'are')} not available, so nothing was changed.{free}"


@_says(refusals.ReservationExpired)
def _reservation_expired(error: refusals.ReservationExpired) -> str:
    labels = [seat.label for seat in error.seats]
    return (
        f"The hold ended at {moment(error.expired_at)}, and {_are(labels, 'is', 'are')} taken by now. "
        "Choose other seats and hold them."
    )


@_says(refusals.ReservationEnded)
def _reservation_ended(error: refusals.ReservationEnded) -> str:
    if error.reservation_status == ReservationStatus.BOOKED:
        return "This reservation is booked by now. To give its seats back, cancel the booking."
    return f"This reservation is {error.reservation_status}. Hold the seats again, if they are still free."


@_says(refusals.ExtensionLimit)
def _extension_limit(error: refusals.ExtensionLimit) -> str:
    return f"This hold cannot last longer than until {moment(error.latest_expires_at)}. Confirm it before then."


@_says(refusals.LimitExceeded)
def _limit_exceeded(error: refusals.LimitExceeded) -> str:
    name = error.limit.replace("_", " ")
    return f"The house allows {error.allowed} ({name}); {error.current} were used before this request. Take fewer."


@_says(refusals.SalesClosed)
def _sales_closed(error: refusals.SalesClosed) -> str:
    opens: datetime | None = error.opens_at
    since = f" from {moment(opens)}" if opens else ""
    return (
        f"Seats of this screening can be taken{since} until {moment(error.closes_at)}. Choose another: GET /screenings."
    )


@_says(refusals.ScreeningRequired)
def _screening_required(error: refusals.ScreeningRequired) -> str:
    if not error.screenings:
        return "No screening is on sale there at this moment. GET /screenings lists what is to come."
    return f"Several screenings might be meant. Send screening_id: {_some([one.id for one in error.screenings])}."


@_says(refusals.PaymentDeclined)
def _payment_declined(_: refusals.PaymentDeclined) -> str:
    return "The payment was declined. The hold stays: confirm again with another means of payment before it ends."


@_says(refusals.TheaterInUse)
def _theater_in_use(error: refusals.TheaterInUse) -> str:
    return f"Screenings are to come in this theater: {_some([one.id for one in error.screenings])}. Cancel them first."


@_says(refusals.LayoutInUse)
def _layout_in_use(error: refusals.LayoutInUse) -> str:
    labels = [seat.label for seat in error.seats]
    return (
        f"{_are(labels, 'is', 'are')} held or booked and would be gone, so nothing was changed. "
        "Keep these seats, or cancel their bookings first."
    )


@_says(refusals.PreconditionFailed)
def _precondition_failed(error: refusals.PreconditionFailed) -> str:
    return (
        f"Somebody edited it in the meantime: it is at revision {error.revision}. Read it again, apply your edit "
        f'to what is there now, and send If-Match: "{error.revision}".'
    )


@_says(refusals.ChangesGone)
def _changes_gone(error: refusals.ChangesGone) -> str:
    return f"Changes before version {error.oldest} are no longer kept. Read the whole seat map and go on from there."


@_says(refusals.UsernameTaken)
def _username_taken(_: refusals.UsernameTaken) -> str:
    return "Somebody has this username already. Choose another, or sign in: POST /auth/login."


@_says(refusals.Busy)
def _busy(error: refusals.Busy) -> str:
    if error.outcome_unknown:
        return f"{error.why} Whether it was done is unknown: retry with the same key, and it is done once."
    return f"{error.why} Nothing was changed; send it again in a moment."


@_says(refusals.KeyInvalid)
@_says(refusals.Unauthenticated)
@_says(refusals.Forbidden)
@_says(faults.UnsupportedMediaType)
@_says(faults.BadRequest)
def _why(error: Any) -> str:
    return str(error.why)


@_says(faults.Malformed)
def _malformed(error: faults.Malformed) -> str:
    first = error.errors[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" There are {len(error.errors)} mistakes; see errors." if len(error.errors) > 1 else ""
    return f"{where}: {first['message']}{more}"


@_says(faults.PayloadTooLarge)
def _payload_too_large(error: faults.PayloadTooLarge) -> str:
    return f"This call takes at most {error.allowed_bytes // 1024} KiB. Send less in one request."


@_says(faults.HeadersTooLarge)
def _headers_too_large(error: faults.HeadersTooLarge) -> str:
    return f"Request line and headers have at most {error.allowed_bytes // 1024} KiB together. Send smaller ones."


@_says(faults.MethodNotAllowed)
def _method_not_allowed(error: faults.MethodNotAllowed) -> str:
    return f"This path knows {', '.join(error.methods)} only."


# --- the pages that explain them -------------------------------------------------------------------------------------

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Usher</title>
<style>
body {{ font: 1rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem; }}
code {{ background: #8882; border-radius: .2rem; padding: .1rem .3rem; }}
:root {{ color-scheme: light dark; }}
</style>
</head>
<body>
<main>
<p><code>{code}</code> &middot; HTTP {status}</p>
<h1>{title}</h1>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{advice}</p>
<p><a href="/docs">All calls</a></p>
</main>
</body>
</html>
"""


def explanation(kind: Kind) -> str:
    """The page that explains a kind of problem to a person."""
    words = {name: escape(str(getattr(kind, name))) for name in ("code", "status", "title", "meaning", "advice")}
    return _PAGE.format(**words)


@router.get("/problems/{code}", include_in_schema=False)
async def explain_problem(code: str) -> Reply:
    """What a problem means and what to do about it, as a page."""
    kind = KINDS.get(code)
    if kind is None:
        raise refusals.NotFound("kind of problem")
    return page(explanation(kind).encode())
