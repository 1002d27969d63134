"""Every refusal becomes the problem that docs/api.md, section 3, says."""

import inspect
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from httpx import AsyncClient

from app.domain import refusals
from app.domain.money import Money
from app.domain.people.rates import Bucket, Policy, Standing
from app.domain.refusals import Candidate, SeatInTheWay
from app.http.problems import problem
from app.schemas.format import faults
from app.schemas.format.faults import mistake
from app.schemas.problems import KINDS
from app.schemas.problems.documented import component
from tests.routers.reference.documented import DOCUMENT, validator

AT = datetime(2026, 11, 20, 19, 30, 0, 123456, tzinfo=UTC)
A1 = SeatInTheWay(1, "A1", "booked", "Somebody else booked it.")
A1_OUT = {"seat_id": 1, "label": "A1", "status": "booked", "reason": "Somebody else booked it."}

# The exception, its status, the members that it has besides the common ones, the headers.
EVERY: list[tuple[Exception, int, dict[str, Any], dict[bytes, bytes]]] = [
    (refusals.NotFound("reservation"), 404, {}, {}),
    (refusals.UnknownSeats(("Z9", 99), ("A1",)), 404, {"unknown": ["Z9", 99], "available_seats": ["A1"]}, {}),
    (
        refusals.SeatsUnavailable((A1,), ("A2",), (("A2",),)),
        409,
        {"seats": [A1_OUT], "available_seats": ["A2"], "suggestions": [["A2"]]},
        {},
    ),
    (
        refusals.LeavesSingleSeat(("A3",), (("A1", "A2"), ("A4", "A5"))),
        409,
        {"stranded": ["A3"], "suggestions": [["A1", "A2"], ["A4", "A5"]]},
        {},
    ),
    (refusals.NotEnoughSeats(4, 3, 2), 409, {"requested": 4, "available": 3, "largest_block": 2}, {}),
    (refusals.ReservationExpired(AT, (A1,)), 409, {"expired_at": "2026-11-20T19:30:00.123Z", "seats": [A1_OUT]}, {}),
    (refusals.ReservationEnded("released"), 409, {"reservation_status": "released"}, {}),
    (
        refusals.BookingCancelled("booked", UUID(int=1)),
        409,
        {"reservation_status": "booked", "booking_id": "00000000-0000-0000-0000-000000000001"},
        {},
    ),
    (
        refusals.ReservationBooked("booked", UUID(int=1)),
        409,
        {"reservation_status": "booked", "booking_id": "00000000-0000-0000-0000-000000000001"},
        {},
    ),
    (refusals.PriceChanged(Money(9000, "EUR")), 409, {"total": {"amount_minor": 9000, "currency": "EUR"}}, {}),
    (refusals.ExtensionLimit(AT), 409, {"latest_expires_at": "2026-11-20T19:30:00.123Z"}, {}),
    (
        refusals.LimitExceeded("max_seats_per_user", 4, 3),
        409,
        {"limit": "max_seats_per_user", "allowed": 4, "current": 3},
        {},
    ),
    (
        refusals.HeldTooOften("anonymous_holds_per_address", 20, 3, ("A1",), 30),
        409,
        {"limit": "anonymous_holds_per_address", "allowed": 20, "current": 3},
        {b"retry-after": b"30"},
    ),
    (refusals.SalesClosed(None, AT), 409, {"opens_at": None, "closes_at": "2026-11-20T19:30:00.123Z"}, {}),
    (refusals.ScreeningCancelled(None, AT), 409, {"opens_at": None, "closes_at": "2026-11-20T19:30:00.123Z"}, {}),
    (
        refusals.ScreeningRequired((Candidate(7, "Matinee", AT),)),
        422,
        {"screenings": [{"id": 7, "title": "Matinee", "starts_at": "2026-11-20T19:30:00.123Z"}]},
        {},
    ),
    (refusals.PaymentDeclined("card_declined"), 402, {"reason": "card_declined", "expires_at": None}, {}),
    (
        refusals.PaymentDeclined("card_declined", AT),
        402,
        {"reason": "card_declined", "expires_at": "2026-11-20T19:30:00.123Z"},
        {},
    ),
    (
        refusals.PaidInVain("too_late"),
        402,
        {"reason": "too_late", "expires_at": None},
        {},
    ),
    (refusals.PaymentPending(UUID(int=1)), 409, {"reservation_id": str(UUID(int=1))}, {}),
    (refusals.PaymentsUnavailable(), 503, {}, {b"retry-after": b"5"}),
    (refusals.CancellationClosed(AT), 409, {"cancel_until": "2026-11-20T19:30:00.123Z"}, {}),
    (refusals.TransferOver("accepted"), 409, {"transfer_status": "accepted"}, {}),
    (refusals.KeyReused(), 422, {}, {}),
    (refusals.KeyInUse(2), 409, {}, {b"retry-after": b"2"}),
    (refusals.KeyInvalid("Not a key."), 400, {}, {}),
    (refusals.ChangesGone(12), 410, {"oldest": 12}, {}),
    (
        refusals.LayoutInUse((SeatInTheWay(1, "A1", "booked", "Booked in screening 2."),)),
        409,
        {"seats": [{"seat_id": 1, "label": "A1", "status": "booked", "reason": "Booked in screening 2."}]},
        {},
    ),
    (
        refusals.TheaterInUse((Candidate(7, "Matinee", AT),)),
        409,
        {"screenings": [{"id": 7, "title": "Matinee", "starts_at": "2026-11-20T19:30:00.123Z"}]},
        {},
    ),
    (refusals.PreconditionFailed(5), 412, {}, {}),
    (refusals.RateLimited(Standing(Policy(Bucket.TAKING, 20, 10), False, 0, 7)), 429, {}, {b"retry-after": b"7"}),
    (
        refusals.Flawed((refusals.Flaw(("rows", 0), "flaw", "Not so."),)),
        422,
        {"errors": [{"loc": ["body", "rows", 0], "code": "flaw", "message": "Not so."}]},
        {},
    ),
    (
        refusals.Flawed((refusals.Flaw(("section",), "flaw", "Not so.", "query", ("Stalls",)),)),
        422,
        {"errors": [{"loc": ["query", "section"], "code": "flaw", "message": "Not so.", "allowed": ["Stalls"]}]},
        {},
    ),
    (refusals.Unauthenticated("Send a token."), 401, {}, {b"www-authenticate": b"Bearer"}),
    (refusals.Forbidden("Not you."), 403, {}, {}),
    (refusals.UsernameTaken(), 409, {}, {}),
    (refusals.Busy("Busy.", 3, outcome_unknown=True), 503, {}, {b"retry-after": b"3"}),
    (faults.BadRequest("No Host."), 400, {}, {}),
    (faults.NoSuchPath(), 404, {}, {}),
    (faults.MethodNotAllowed(["GET", "HEAD"]), 405, {}, {b"allow": b"GET, HEAD"}),
    (faults.UpgradeRequired(), 426, {}, {b"upgrade": b"websocket", b"connection": b"upgrade"}),
    (faults.PayloadTooLarge(65536), 413, {}, {}),
    (faults.HeadersTooLarge(32768), 431, {}, {}),
    (faults.UnknownCoding(), 501, {}, {}),
    (faults.UnsupportedMediaType("Send JSON."), 415, {}, {}),
    (
        mistake(["body", "seat"], "string_type", "Not a text."),
        422,
        {"errors": [{"loc": ["body", "seat"], "code": "string_type", "message": "Not a text."}]},
        {},
    ),
]


@pytest.mark.parametrize(("error", "status", "members", "headers"), EVERY, ids=lambda value: type(value).__name__)
def test_every_refusal_is_a_problem(
    error: Exception, status: int, members: dict[str, Any], headers: dict[bytes, bytes]
) -> None:
    reply = problem(error, "/theaters/1", "a request")

    said = orjson.loads(reply.body)
    assert reply.status_code == said["status"] == status
    assert said["code"] == error.code  # type: ignore[attr-defined]
    assert said["type"] == f"/problems/{said['code']}"
    assert (said["instance"], said["request_id"]) == ("/theaters/1", "a request")
    assert {name: said[name] for name in list(said)[7:]} == members
    assert dict(reply.raw_headers).items() >= headers.items()
    assert dict(reply.raw_headers)[b"content-type"] == b"application/problem+json"


@pytest.mark.parametrize("error", [error for error, *_ in EVERY], ids=lambda error: type(error).__name__)
def test_every_refusal_is_as_the_document_says(error: Exception) -> None:
    said = orjson.loads(problem(error, "/theaters/1", "a request").body)
    schema = component(said["code"])

    validator("components", "schemas", schema).validate(said)
    validator("components", "schemas", "Problem").validate(said)
    assert said.keys() <= DOCUMENT["components"]["schemas"][schema]["properties"].keys()


def test_no_refusal_was_forgotten_here() -> None:
    known = {
        each
        for module in (refusals, faults)
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, (refusals.Refusal, faults.Fault)) and each not in (refusals.Refusal, faults.Fault)
    }

    assert known == {type(error) for error, *_ in EVERY}


@pytest.mark.parametrize("error", [error for error, *_ in EVERY], ids=lambda error: type(error).__name__)
def test_the_detail_is_a_sentence_for_a_person(error: Exception) -> None:
    detail = orjson.loads(problem(error, "/", "a request").body)["detail"]

    assert re.search(r"[.!?]$", detail)
    assert "{" not in detail
    assert "None" not in detail


def test_an_unknown_outcome_says_how_to_retry() -> None:
    reply = problem(refusals.Busy(outcome_unknown=True), "/", "a request")

    assert b"unknown: retry with the same key" in reply.body


@pytest.mark.parametrize("code", KINDS)
async def test_every_kind_of_problem_has_a_page(edge: AsyncClient, code: str) -> None:
    page = await edge.get(f"/problems/{code}")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe-eval" not in page.headers["content-security-policy"]
    assert f"HTTP {KINDS[code].status}" in page.text


async def test_an_unknown_kind_of_problem_is_not_found(edge: AsyncClient) -> None:
    answer = await edge.get("/problems/<script>")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_all_problems_are_listed_and_lead_to_their_pages(edge: AsyncClient) -> None:
    page = (await edge.get("/problems")).text

    assert {code for code in KINDS if f'href="/problems/{code}"' in page} == set(KINDS)


@pytest.mark.parametrize("code", ["", *(f"/{code}" for code in KINDS)])
async def test_what_is_code_reads_as_code(edge: AsyncClient, code: str) -> None:
    page = (await edge.get(f"/problems{code}")).text

    assert "`" not in page
    assert "<code>" in page


@pytest.mark.parametrize("limit", ["bookings_per_user_per_day", "max_active_reservations_per_user"])
def test_to_take_fewer_seats_is_no_advice_where_it_does_not_help(limit: str) -> None:
    detail = orjson.loads(problem(refusals.LimitExceeded(limit, 1, 1), "/bookings", "id").body)["detail"]

    assert "fewer" not in detail
