"""The OpenAPI document: what every operation shares is added here, so that no router has to repeat it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.http.credentials import FOR_A_CUSTOMER, buyer, signed_in
from app.http.declarations import takes_form
from app.http.idempotency import call_context
from app.http.routes import BASE
from app.http.scopes import MEANINGS, calls_of, scope_of
from app.schemas.format.forms import FORM
from app.schemas.problems import KINDS, Problem, problem_json

JSON: Final = "application/problem+json"
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_REQUEST_ID: Final = "6f1c0d7e5a3b4c2d9e8f7a6b5c4d3e2f"

TAGS: Final = [
    {"name": "theaters", "description": "Theaters, their seats and what is on there."},
    {"name": "screenings", "description": "What is on, when, and for how much."},
    {"name": "seats", "description": "Which seats of a screening are free, and what changed."},
    {"name": "reservations", "description": "Holding seats for a few minutes, and giving them back."},
    {"name": "bookings", "description": "Booking seats for good, and cancelling."},
    {"name": "people", "description": "Accounts, guests, sessions, API keys and who I am."},
    {"name": "operators", "description": "For operators and their monitoring."},
]

_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a retry safe: the same key with the same request gets the same answer, for a day. "
    "1 to 255 visible ASCII characters; without a token, a UUID. Take a new one for each operation: a key that was "
    "used for another request is refused where that is seen. Sent to two screenings at the same moment it may do both; "
    "the retry of each gets the answer of its own.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 257,
        "pattern": """^(?!""$)([!-~]{1,255}|"[!-~]{1,255}")$""",
    },
}

_REFERENCE: Final = {
    "name": "Customer-Reference",
    "in": "header",
    "required": False,
    "description": "For API keys with the scope `sell` that sell for many: for which of your customers, by your own id "
    "of them. Each is a customer of their own. 1 to 128 visible ASCII characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}

_REPLAYED: Final = {"description": "`true`: the answer to an earlier request.", "schema": {"type": "string"}}
_LOCATION: Final = {
    "description": "The path of what was created.",
    "schema": {"type": "string", "format": "uri-reference"},
}
_ETAG: Final = {"description": "The tag of the answer, for `If-None-Match`.", "schema": {"type": "string"}}

# Swagger UI's Authorize asks for username and password with this. People's tokens need no scopes.
_PASSWORD: Final = {
    "type": "oauth2",
    "description": "Sign in with username and password; `client_id` and `client_secret` stay empty.",
    "flows": {"password": {"tokenUrl": f"{BASE}/auth/login", "scopes": {}}},
}

_SEAT: Final = {"seat_id": 1, "label": "A1", "status": "booked", "reason": "This seat is sold."}

# The members that a kind of problem has besides the common ones, as an example.
_MEMBERS: Final[dict[str, dict[str, Any]]] = {
    "validation": {
        "errors": [{"loc": ["body", "seat_ids", 0], "code": "int_type", "message": "Input should be a valid integer"}]
    },
    "unknown-seats": {"unknown": ["Z99"], "available_seats": ["A1", "A2"]},
    "seats-unavailable": {"seats": [_SEAT], "available_seats": ["A2", "A3"]},
    "reservation-expired": {"expired_at": "2026-11-20T19:30:00.000Z", "seats": [_SEAT]},
    "reservation-ended": {
        "reservation_status": "booked",
        "booking_id": "01a1f8cd-efb9-721d-b606-2f010a4ca70b",
    },
    "price-changed": {"total": {"amount_minor": 9000, "currency": "EUR"}},
    "extension-limit": {"latest_expires_at": "2026-11-20T19:45:00.000Z"},
    "limit-exceeded": {"limit": "max_seats_per_reservation", "allowed": 10, "current": 0},
    "sales-closed": {"opens_at": None, "closes_at": "2026-11-20T19:30:00.000Z"},
    "screening-required": {"screenings": [{"id": 2, "title": "Matinee", "starts_at": "2026-11-21T14:00:00.000Z"}]},
    "payment-declined": {"reason": "card_declined"},
    "changes-gone": {"oldest": 120},
    "layout-in-use": {"seats": [{"seat_id": 1, "label": "A1", "status": "booked", "reason": "Booked in screening 1."}]},
    "theater-in-use": {"screenings": [{"id": 1, "title": "The Tempest", "starts_at": "2026-11-21T18:30:00.000Z"}]},
}


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an operation that may answer with these problems, with an example of each."""
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in (KINDS[code] for code in codes):
        answer = answers.setdefault(
            kind.status, {"description": kind.title, "content": {JSON: {"schema": _PROBLEM, "examples": {}}}}
        )
        if kind.title not in answer["description"]:
            answer["description"] += f"; {kind.title}"
        answer["content"][JSON]["examples"][kind.code] = {"summary": kind.title, "value": _example(kind.code)}
    return answers


def finish(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    """The document, with what all operations share: our 422, idempotency keys, optional tokens, the Problem schema."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    schemes = document["components"].setdefault("securitySchemes", {})
    schemes["password"] = _PASSWORD
    schemes["bearer"]["description"] += "".join(
        f"\n* `{scope.value}`: {meaning}" for scope, meaning in MEANINGS.items()
    )
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for route, operation in _operations(app, document):
        asks_for = set(calls_of(route.dependant))
        if not route.summary:
            _sum_up(operation)
        if "security" in operation:
            _may_answer(operation, "unauthenticated", "forbidden")
            operation["security"] = [{"bearer": []}, {"password": []}]
            scope = scope_of(route)
            assert scope is not None  # noqa: S101 (an operation with a token declares one)
            operation["x-scope"] = scope.value
            operation["description"] += f"\n\nAn API key needs the scope `{scope.value}`."
            if signed_in not in asks_for:
                operation["security"].insert(0, {})
            if scope in FOR_A_CUSTOMER:
                operation.setdefault("parameters", []).append(_REFERENCE)
                _may_answer(operation, "bad-request")
        _fill_in(operation)
        if "requestBody" in operation:
            _may_answer(operation, "unsupported-media-type", "payload-too-large")
            _show_examples(operation["requestBody"], schemas)
            if takes_form(route.dependant):
                content = operation["requestBody"]["content"]
                content[FORM] = {"schema": content["application/json"]["schema"]}
        if route.methods != {"GET"} and not asks_for.isdisjoint({buyer, call_context}):
            _take_a_key(operation)
        if "parameters" in operation or "requestBody" in operation:
            _may_answer(operation, "validation")
        if (route.path or "").startswith(BASE):
            _may_answer(operation, "busy")
        _name_headers(operation["responses"])
        operation["responses"] = dict(sorted(operation["responses"].items()))
    return document


def _sum_up(operation: dict[str, Any]) -> None:
    """The first sentence of the docstring is the summary; the description is what stands below it, or all of it."""
    first, _, rest = operation["description"].partition("\n")
    operation["summary"] = first.partition(". ")[0].removesuffix(".")
    operation["description"] = rest.strip() or first


def _may_answer(operation: dict[str, Any], *codes: str) -> None:
    """Add these problems to those that the router declared, and drop FastAPI's own 422."""
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for code in codes:
        [(status, answer)] = problems(code).items()
        known = answers.setdefault(str(status), answer)
        examples = known["content"][JSON]["examples"]
        if code not in examples:
            known["description"] += f"; {answer['description']}"
            examples.update(answer["content"][JSON]["examples"])


def _show_examples(body: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """The examples of a body's schema, each under the names of its members, so that Swagger UI offers a choice."""
    content = body["content"].get("application/json")
    if content is None:
        return
    schema = content["schema"]
    name = (schema.get("anyOf") or [schema])[0].get("$ref", "").rpartition("/")[2]
    shown = schemas.get(name, {}).get("examples", ())
    if shown:
        content["examples"] = {
            "-".join(value) or "nothing": {"summary": ", ".join(value) or "nothing", "value": value} for value in shown
        }


def _fill_in(operation: dict[str, Any]) -> None:
    """Examples of what a path needs, where Swagger UI looks for them: it fills its form with those of the parameter.

    And what may be left out is left out, not sent as null: generated clients would write `section=null`.
    """
    for parameter in operation.get("parameters", ()):
        _may_be_left_out(parameter)
        if parameter["in"] == "path" and (examples := parameter["schema"].get("examples")):
            parameter["example"] = examples[0]


def _may_be_left_out(parameter: dict[str, Any]) -> None:
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        parameter["schema"] = {**kinds[0], **schema}


def _take_a_key(operation: dict[str, Any]) -> None:
    """What comes with an idempotency key: the header, its problems, replays, and the natural repeats."""
    operation.setdefault("parameters", []).append(_KEY)
    _may_answer(operation, "idempotency-key-invalid", "idempotency-key-in-use", "idempotency-key-reused")
    answers = operation["responses"]
    if (created := answers.get("201")) and "200" not in answers:
        answers["200"] = {**created, "description": "It was there already; nothing changed."}
    for status in ("200", "201"):
        if status in answers:
            answers[status] = {**answers[status], "headers": {"Idempotent-Replayed": _REPLAYED}}


def _name_headers(answers: dict[str, Any]) -> None:
    """The address of what was made, and the tag that a later If-None-Match may name."""
    if "201" in answers:
        answers["201"]["headers"] = {**answers["201"].get("headers", {}), "Location": _LOCATION}
    if "304" in answers:
        for status in ("200", "304"):
            answers[status]["headers"] = {"ETag": _ETAG}


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[tuple[RouteContext, dict[str, Any]]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]


def _example(code: str) -> Any:
    kind = KINDS[code]
    return orjson.loads(problem_json(kind, kind.advice, "/api/v1/...", _REQUEST_ID, _MEMBERS.get(code)))
