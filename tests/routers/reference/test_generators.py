"""The OpenAPI document for generators of clients: what it says of bodies and answers is what Usher takes and gives.

That a client with its types compiles is shown by .ci/client.
"""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.http.runner.routes import BASE
from app.schemas.problems.documented import MEDIA_TYPE, component
from tests.conftest import OpenApp
from tests.routers.reference.documented import DOCUMENT, Json, examples_of, operations, validator
from tests.routers.visitors import Visitor, refused

SUCCESSES = [
    pytest.param(("paths", path, method.lower(), "responses", status, "content", kind), id=f"{method} {path} {status}")
    for method, path, operation in operations()
    for status, answer in operation["responses"].items()
    if status in ("200", "201", "202")
    for kind in answer["content"]
]


@pytest.mark.parametrize("place", SUCCESSES)
def test_every_answer_has_an_example_that_is_as_it_says(place: tuple[str, ...]) -> None:
    content: Any = DOCUMENT
    for each in place:
        content = content[each]

    validator(*place, "schema").validate(content["example"])


@pytest.mark.parametrize("code", DOCUMENT["components"]["examples"])
def test_a_problem_is_of_one_kind_only(code: str) -> None:
    problem = DOCUMENT["components"]["examples"][code]["value"]

    validator("components", "schemas", "Problem").validate(problem)
    validator("components", "schemas", component(code)).validate(problem)


BODIES = [
    pytest.param(method, path, body, id=f"{method} {path} {name}")
    for method, path, operation in operations()
    for name, body in examples_of(operation).items()
]


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_an_example_of_a_body_is_as_it_says(method: str, path: str, body: Any) -> None:
    validator("paths", path, method.lower(), "requestBody", "content", "application/json", "schema").validate(body)


def refused_by_all(body: Json) -> Any:
    return pytest.param(body, marks=pytest.mark.changes_nothing)


@pytest.mark.parametrize(
    "body",
    [
        {"seats": ["A1", "A2"]},
        {"seat_ids": [1, 2]},
        {"seat": "A1"},
        {"seat_id": 1},
        {"seat_number": "A1"},
        refused_by_all({}),
        refused_by_all({"seats": ["A1"], "seat": "A2"}),
        refused_by_all({"seats": ["A1"], "seat_ids": [2]}),
        refused_by_all({"seat": "A1", "seat_number": "A1"}),
        refused_by_all({"seats": []}),
        refused_by_all({"seat_id": "A1"}),
        refused_by_all({"seat": 1}),
        {"seat": "A1", "chair": "A1"},
    ],
)
@pytest.mark.parametrize("named", ["reservations", "toggle", "reserve", "book", "bookings"])
async def test_the_document_takes_just_the_bodies_that_usher_takes(ada: Visitor, named: str, body: Json) -> None:
    path = {
        "reservations": "/screenings/{screening_id}/reservations",
        "toggle": "/screenings/{screening_id}/reservations/toggle",
        "reserve": "/theaters/{theater_id}/reserve",
        "book": "/theaters/{theater_id}/book",
        "bookings": "/bookings",
    }[named]
    sent = {"screening_id": 1, **body} if named == "bookings" else body
    described = validator("paths", BASE + path, "post", "requestBody", "content", "application/json", "schema")

    answer = await ada.post(re.sub(r"\{\w+\}", "1", path), sent)

    assert answer.status_code in (200, 201, 422), answer.text
    assert described.is_valid(sent) is answer.is_success


async def test_a_booking_is_of_a_reservation_or_of_seats(ada: Visitor) -> None:
    described = validator("paths", f"{BASE}/bookings", "post", "requestBody", "content", "application/json", "schema")
    held = (await ada.hold("A1"))["id"]

    for sent in (
        {"reservation_id": held, "seats": ["A1"]},
        {"reservation_id": held, "screening_id": 1},
        {"reservation_id": held, "theater_id": 1},
        {"screening_id": 1},
        {"reservation_id": held},
    ):
        assert described.is_valid(sent) is (await ada.post("/bookings", sent)).is_success, sent


@pytest.mark.parametrize(
    "key", ["a", '"a"', "a" * 255, "a" * 256, f'"{"a" * 255}"', f'"{"a" * 256}"', '""', "a b", '"a b"', "#!~"]
)
async def test_the_document_takes_just_the_keys_that_usher_takes(ada: Visitor, key: str) -> None:
    parameters = DOCUMENT["paths"][f"{BASE}/screenings/{{screening_id}}/reservations"]["post"]["parameters"]
    [schema] = [each["schema"] for each in parameters if each["name"] == "Idempotency-Key"]

    answer = await ada.post("/screenings/1/reservations", {"seat": "A1"}, key=key)

    assert Draft202012Validator(schema).is_valid(key) is answer.is_success


async def test_problems_of_many_kinds_are_of_the_kind_that_the_document_says(ada: Visitor, bob: Visitor) -> None:
    held, ended = await ada.hold("A1"), await ada.hold("A2")
    await ada.delete(f"/reservations/{ended['id']}")
    booked = await ada.hold("A3")
    await ada.confirm(booked)
    await ada.post("/screenings/1/reservations", {"seat": "A4"}, key="one")
    hold = "/screenings/1/reservations"
    answers = {
        "seats-unavailable": await bob.post(hold, {"seats": ["A1", "A3"]}),
        "unknown-seats": await bob.post(hold, {"seats": ["Z9"]}),
        "validation": await bob.post(hold, {"seats": ["B1"], "chair": True}),
        "limit-exceeded": await bob.post(hold, {"seats": [f"B{number}" for number in range(1, 12)]}),
        "reservation-ended": await ada.post(f"/reservations/{ended['id']}/extend"),
        "not-found": await bob.get(f"/reservations/{held['id']}"),
        "idempotency-key-reused": await ada.post(hold, {"seat": "A5"}, key="one"),
        "idempotency-key-invalid": await ada.post(hold, {"seat": "A5"}, key="no space"),
        "unauthenticated": await Visitor(ada.client).get("/me"),
        "forbidden": await bob.post("/theaters", {"name": "Mine", "timezone": "Europe/Berlin"}),
    }

    of_kind = {code: validator("components", "schemas", component(code)) for code in answers}
    for code, answer in answers.items():
        assert answer.json()["code"] == code
        validator("components", "schemas", "Problem").validate(answer.json())
        assert {each for each, schema in of_kind.items() if schema.is_valid(answer.json())} == {code}
    again = await ada.post(f"/reservations/{booked['id']}/extend")
    assert refused(again, 409, "reservation-ended", "reservation_status", "booking_id")


def test_what_may_happen_to_every_call_is_in_each() -> None:
    for method, path, operation in operations():
        answers = operation["responses"]
        assert MEDIA_TYPE in answers["500"]["content"], path
        assert answers["default"]["content"][MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/Problem"}
        if path.startswith(BASE):
            assert answers["503"]["headers"]["Retry-After"]["required"], f"{method} {path}"
            assert {name for name, header in answers["429"]["headers"].items() if header.get("required")} == {
                *("Retry-After", "RateLimit", "RateLimit-Policy")
            }, f"{method} {path}"


async def test_a_request_too_many_has_the_headers_that_are_documented(open_app: OpenApp) -> None:
    nobody = Visitor(await open_app(rate_limits=True, rate_taking="1/hour"))

    answers = [await nobody.post("/screenings/1/reservations", {"seat": f"A{number}"}) for number in range(20)]

    refused(answers[-1], 429, "rate-limited")


def test_nothing_in_a_query_is_null() -> None:
    for _, path, operation in operations():
        for parameter in operation.get("parameters", ()):
            assert "null" not in str(parameter["schema"]), f"{path}: {parameter['name']}"
