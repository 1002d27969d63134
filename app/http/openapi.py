"""The OpenAPI document: what every operation shares is added here, so that no router has to repeat it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from app.http.credentials import FOR_A_CUSTOMER, buyer, organizer, signed_in
from app.http.idempotency import call_context
from app.http.runner.declarations import known_parameters, takes_form
from app.http.runner.routes import BASE
from app.http.scopes import MEANINGS, calls_of, scope_of
from app.schemas.format.forms import FORM
from app.schemas.problems.documented import (
    ANY_PROBLEM,
    answer_of,
    codes_in,
    problem_examples,
    problem_schemas,
    problems,
)

__all__ = ["TAGS", "finish", "problems"]

_JSON: Final = "application/json"

TAGS: Final = [
    {"name": "theaters", "description": "Theaters, their seats and what is on there."},
    {"name": "screenings", "description": "What is on, when, and for how much."},
    {"name": "seats", "description": "Which seats of a screening are free, and what changed."},
    {"name": "reservations", "description": "Holding seats for a few minutes, and giving them back."},
    {"name": "bookings", "description": "Booking seats for good, and cancelling."},
    {"name": "transfers", "description": "Handing booked seats to somebody else."},
    {"name": "payments", "description": "What was paid and what went back, and what providers report."},
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
        "pattern": '^([!#-~][!-~]{0,254}|"[!-~]{1,255}")$',
    },
}

_NEW_EACH_TIME: Final = ("offerSeats", "acceptOffer")
"""Operations that, without a key, do something else when they are repeated, or nothing."""

_REFERENCE: Final = {
    "name": "Customer-Reference",
    "in": "header",
    "required": False,
    "description": "For API keys with the scope `sell` that sell for many: for which of your customers, by your own id "
    "of them. Each is a customer of their own. 1 to 128 visible ASCII characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]{1,128}$"},
}

_REPLAYED: Final = {"description": "`true`: the answer to an earlier request.", "schema": {"type": "string"}}
_LOCATION: Final = {
    "description": "The path of what was created.",
    "schema": {"type": "string", "format": "uri-reference"},
}
_LINK: Final = {"description": 'The next page, with `rel="next"`, if there is one.', "schema": {"type": "string"}}
_REQUEST_ID: Final = {
    "description": "The id of the request: the caller's own, if it sent one, else a new one. It is in the log, too.",
    "schema": {"type": "string"},
}
_REQUEST_ID_REFERENCE: Final = {"$ref": "#/components/headers/RequestId"}
_ETAG: Final = {"description": "The tag of the answer, for `If-None-Match`.", "schema": {"type": "string"}}

# Swagger UI's Authorize asks for username and password with this. People's tokens need no scopes.
_PASSWORD: Final = {
    "type": "oauth2",
    "description": "Sign in with username and password; `client_id` and `client_secret` stay empty.",
    "flows": {"password": {"tokenUrl": f"{BASE}/auth/login", "scopes": {}}},
}


def finish(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    """The document, with what all operations share: our 422, idempotency keys, optional tokens, the Problem schema."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= problem_schemas()
    document["components"]["headers"] = {"RequestId": _REQUEST_ID}
    schemes = document["components"].setdefault("securitySchemes", {})
    schemes["password"] = _PASSWORD
    schemes["bearer"]["description"] += "".join(
        f"\n* `{scope.value}`: {meaning}" for scope, meaning in MEANINGS.items()
    )
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    shown: set[str] = set()
    for route, operation in _operations(app, document):
        if not route.summary:
            _sum_up(operation)
        if "security" in operation:
            _say_who(route, operation)
        _fill_in(operation)
        if "requestBody" in operation:
            _take_a_body(route, operation, schemas)
        asks_for = set(calls_of(route.dependant))
        if route.methods != {"GET"} and not asks_for.isdisjoint({buyer, call_context}):
            repeats = organizer not in asks_for and operation["operationId"] not in _NEW_EACH_TIME
            _take_a_key(operation, repeats_naturally=repeats)
        if "parameters" in operation or "requestBody" in operation or known_parameters(route) is not None:
            _may_answer(operation, "validation")
        if (route.path or "").startswith(BASE):
            _may_answer(operation, "rate-limited", "busy")
        _may_answer(operation, "internal")
        _show_answers(route, operation, schemas)
        _name_headers(operation)
        operation["responses"] = {**dict(sorted(operation["responses"].items())), "default": ANY_PROBLEM}
        shown.update(code for answer in operation["responses"].values() for code in codes_in(answer))
    document["components"]["examples"] = problem_examples(sorted(shown))
    return document


def _say_who(route: RouteContext, operation: dict[str, Any]) -> None:
    """Who may call: with which tokens or with none, and which scope an API key needs."""
    _may_answer(operation, "unauthenticated", "forbidden")
    scope = scope_of(route)
    assert scope is not None  # noqa: S101 (an operation with a token declares one)
    operation["security"] = [{"bearer": []}, {"password": []}]
    operation["x-scope"] = scope.value
    if signed_in not in calls_of(route.dependant):
        operation["security"].insert(0, {})
        operation["description"] += "\n\nIt works without a token."
    operation["description"] += f"\n\nAn API key needs the scope `{scope.value}`."
    if scope in FOR_A_CUSTOMER:
        operation.setdefault("parameters", []).append(_REFERENCE)
        _may_answer(operation, "bad-request")


def _take_a_body(route: RouteContext, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """What comes with a body: its problems and examples, and the form that it may be. Left out is not null."""
    _may_answer(operation, "unsupported-media-type", "payload-too-large")
    content = operation["requestBody"]["content"]
    content[_JSON]["schema"] = _without_null(content[_JSON]["schema"])
    _show_bodies(content[_JSON], schemas)
    if takes_form(route.dependant):
        content[FORM] = {"schema": content[_JSON]["schema"]}


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
    for status, declared in problems(*codes).items():
        known = codes_in(answers.get(str(status), {}))
        added = [code for code in codes_in(declared) if code not in known]
        answers[str(status)] = {**answers.get(str(status), {}), **answer_of(known + added)}


def _show_bodies(content: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    """The examples of a body's schema, each under the names of its members, so that Swagger UI offers a choice."""
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    shown = schemas.get(name, {}).get("examples", ())
    if shown:
        content["examples"] = {
            "-".join(value) or "nothing": {"summary": ", ".join(value) or "nothing", "value": value} for value in shown
        }


def _show_answers(route: RouteContext, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """The example of an answer's model, at the answer too. With its nulls, which FastAPI leaves out of all examples."""
    answers = operation["responses"]
    for status, answer in answers.items():
        if codes := codes_in(answer):
            answers[status] = {**answer, **answer_of(codes)}
    models = {route.status_code or 200: route.response_model}
    models |= {int(status): declared.get("model") for status, declared in route.responses.items()}
    for status, model in models.items():
        config = getattr(model, "model_config", {}).get("json_schema_extra") or {}
        if examples := config.get("examples"):
            answers[str(status)]["content"][_JSON]["example"] = examples[0]
            schemas[model.__name__]["examples"] = examples


def _fill_in(operation: dict[str, Any]) -> None:
    """Examples of what a path needs, where Swagger UI looks for them: it fills its form with those of the parameter.

    And what may be left out is left out, not sent as null: generated clients would write `section=null`.
    """
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
        if parameter["in"] == "path" and (examples := parameter["schema"].get("examples")):
            parameter["example"] = examples[0]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _take_a_key(operation: dict[str, Any], *, repeats_naturally: bool) -> None:
    """What comes with an idempotency key: the header, its problems, replays, and the natural repeats."""
    operation.setdefault("parameters", []).append(_KEY)
    _may_answer(operation, "idempotency-key-invalid", "idempotency-key-in-use", "idempotency-key-reused")
    answers = operation["responses"]
    if repeats_naturally and (created := answers.get("201")) and "200" not in answers:
        answers["200"] = {**created, "description": "It was there already; nothing changed."}
    for status in ("200", "201"):
        if status in answers:
            answers[status] = {**answers[status], "headers": {"Idempotent-Replayed": _REPLAYED}}


def _name_headers(operation: dict[str, Any]) -> None:
    """Of each answer: the request id, the path of what was made, the tag for If-None-Match, the next page."""
    answers = operation["responses"]
    for status, answer in answers.items():
        headers = dict(answer.get("headers", {}))
        if status == "201":
            headers["Location"] = _LOCATION
        if "304" in answers and status in ("200", "304"):
            headers["ETag"] = _ETAG
        if status == "200" and any(each["name"] == "cursor" for each in operation.get("parameters", ())):
            headers["Link"] = _LINK
        answers[status] = {**answer, "headers": {**headers, "X-Request-ID": _REQUEST_ID_REFERENCE}}


def _operations(app: FastAPI, document: dict[str, Any]) -> Iterator[tuple[RouteContext, dict[str, Any]]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield route, document["paths"][route.path_format][method.lower()]
