"""The OpenAPI document against the service that it describes: its examples work unedited, and answers look as it says.

What the document must have in itself is in test_docs.py; Spectral's rules are run by .ci/run. Every visitor in any
test of routers holds each answer against the document, too: status, code, members and headers (documented.py).
"""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from app.schemas import availability, bookings, live, reservations, screenings, seats
from app.schemas.finding import answers as finding
from app.schemas.format import money
from app.schemas.house import layouts, theaters
from app.schemas.people import people as people_schemas
from app.settings import read_settings
from tests.organizers import token_of
from tests.routers.reference.documented import DOCUMENT, Json, examples_of, operations
from tests.routers.visitors import Database, Visitor, guest, told

BASE = "/api/v1"


# Examples that cannot work: they name a secret that only its owner has.
SECRET = ("/auth/refresh", "/auth/logout", "/me", "/me/password", "/auth/login", "/api-keys")

EXAMPLES = [
    pytest.param(method, path, body, id=f"{method} {path} {name}")
    for method, path, operation in operations()
    for name, body in examples_of(operation).items()
    if not path.endswith(SECRET)
]


async def filled_in(path: str, ada: Visitor) -> str:
    """The path with ids of the demo data; reservations and bookings are made for it first."""
    ids = {"theater_id": "1", "screening_id": "1", "seat_id": "80", "provider": "dummy"}
    if "{reservation_id}" in path:
        ids["reservation_id"] = (await ada.hold("D20"))["id"]
    if "{booking_id}" in path:
        labels = {"exchange": ("C3", "C4"), "transfers": ("C1", "C2")}.get(path.rpartition("/")[2], ("D20",))
        ids["booking_id"] = (await ada.book(*labels))["id"]
    if "{code}" in path:
        giver = await guest(ada.client, "cleo@example.org") if path.endswith("/accept") else ada
        booking = await giver.book("D20")
        ids["code"] = told(await giver.post(f"/bookings/{booking['id']}/transfers"), 201)["code"]
    asked = "?count=2" if path.endswith("/best-available") else ""
    return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path) + asked


def ends(operation: Json) -> bool:
    """Its answer has an end, as all have but streams."""
    return "text/event-stream" not in operation["responses"].get("200", {}).get("content", {})


def is_for_anybody(operation: Json) -> bool:
    """Nothing for organizers, admins or operators; and an answer that ends, no stream."""
    is_a_stream = "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
    is_for_the_house = operation.get("x-scope") in ("house", "people") or "operators" in operation["tags"]
    is_for_providers = operation["operationId"] == "hearProvider"
    return not is_a_stream and not is_for_the_house and not is_for_providers


async def give_everything_back(ada: Visitor) -> None:
    """Nothing is held or booked after this."""
    await ada.delete("/screenings/1/reservations")
    for booking in (await ada.read("/bookings?status=confirmed"))["items"]:
        await ada.delete(f"/bookings/{booking['id']}")


# --- examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "body"), EXAMPLES)
async def test_every_example_works_unedited_against_the_demo_data(
    ada: Visitor, database: Database, method: str, path: str, body: Any
) -> None:
    operation = DOCUMENT["paths"][path][method.lower()]
    caller = Visitor(ada.client)
    if operation.get("x-scope") == "house":
        caller = Visitor(ada.client, await token_of(database))
    elif {} not in operation.get("security", [{}]):
        caller = ada

    answer = await caller.ask(method, await filled_in(path, ada), body)

    assert answer.is_success, answer.text


def test_there_is_an_example_wherever_seats_are_named() -> None:
    named = {
        (method, path)
        for method, path, operation in operations()
        if "requestBody" in operation and set(operation["tags"]) & {"reservations", "bookings", "seats", "people"}
    }

    assert {(method, path) for method, path, operation in operations() if examples_of(operation)} >= named


async def test_every_call_without_a_body_works_against_the_demo_data(ada: Visitor) -> None:
    for method, path, operation in operations():
        if "requestBody" in operation or not (is_for_anybody(operation) and ends(operation)):
            continue
        answer = await ada.ask(method, await filled_in(path, ada))
        assert answer.is_success, f"{method} {path}: {answer.text}"
        await give_everything_back(ada)


# --- answers ---------------------------------------------------------------------------------------------------------


def members(model: type[BaseModel]) -> set[str]:
    """The members of a documented answer, but for the token that only newcomers get, what only best seats have, and
    what only organizers read.
    """
    only_best = {"adjacent", "cancel_reason"} if "id" in model.model_fields else set()
    return set(model.model_fields) - {"guest_token"} - only_best


async def test_answers_have_just_the_members_that_are_documented(ada: Visitor) -> None:
    held = await ada.hold("A1")
    toggled = await ada.toggle("A2")
    booking = await ada.book("A3")
    said: list[tuple[Any, type[BaseModel]]] = [
        (held, reservations.ReservationOut),
        (held["seats"][0], seats.PricedSeat),
        (held["total"], money.Money),
        (toggled, reservations.ToggledOut),
        (toggled["reserved"][0], seats.NamedSeat),
        (booking, bookings.BookingOut),
        (booking["payment"], bookings.PaymentOut),
        (await ada.read("/reservations"), reservations.ReservationsOut),
        (await ada.read("/bookings"), bookings.BookingsOut),
        (await ada.read("/screenings/1/seats"), availability.SeatMapOut),
        ((await ada.read("/screenings/1/seats"))["seats"][0], availability.MapSeat),
        ((await ada.read("/screenings/1/seats"))["counts"], availability.Counts),
        (await ada.read("/screenings/1/availability"), availability.CompactMapOut),
        ((await ada.read("/screenings/1/availability"))["sections"][0], availability.SectionLeftOut),
        (await ada.read("/screenings/1/changes"), live.ChangesOut),
        ((await ada.read("/screenings/1/changes"))["updates"][0], live.ChangeOut),
        (told(await ada.delete("/screenings/1/reservations"), 200), reservations.ReleasedOut),
        (await ada.read("/theaters"), theaters.TheatersOut),
        (await ada.read("/theaters/1"), theaters.TheaterOut),
        (await ada.read("/theaters/1/layout"), layouts.LayoutOut),
        ((await ada.read("/theaters/1/layout"))["seats"][0], layouts.SeatOut),
        (await ada.read("/screenings"), screenings.ScreeningsOut),
        (await ada.read("/screenings/1"), screenings.ScreeningOut),
        (await ada.read("/me"), people_schemas.MeOut),
        (await ada.read("/screenings/1/best-available?count=2"), finding.BestAvailableOut),
        (told(await ada.post("/screenings/1/check-selection", {"seats": ["A9"]}), 200), finding.CheckedOut),
    ]

    for answer, model in said:
        assert set(answer) == members(model), model.__name__
        model.model_validate(answer)


async def test_what_is_documented_has_the_headers_that_are_documented(ada: Visitor) -> None:
    for method, path, operation in operations():
        answers = operation["responses"]
        if method == "GET" and "304" in answers and is_for_anybody(operation):
            answer = await ada.get(await filled_in(path, ada))
            assert "etag" in answer.headers, path
            assert "ETag" in answers["200"]["headers"], path
            await give_everything_back(ada)
        if "201" in answers:
            assert "Location" in answers["201"]["headers"], path


def test_aliases_and_the_calls_of_existing_clients_are_left_out() -> None:
    for path in ("/seats", "/reserve", "/confirm", "/seat-reservations/toggle", "/openapi.json", "/docs"):
        assert path not in DOCUMENT["paths"]
        assert BASE + path not in DOCUMENT["paths"]


def test_tags_are_in_the_order_of_a_visit() -> None:
    order = [tag["name"] for tag in DOCUMENT["tags"]]

    assert order[:5] == ["theaters", "screenings", "seats", "reservations", "bookings"]
    assert order[-1] == "operators"


def test_everything_that_anybody_can_read_can_be_asked_again() -> None:
    reads = {path: each for method, path, each in operations() if method == "GET" and is_for_anybody(each)}

    assert [path for path, each in reads.items() if ends(each) and "304" not in each["responses"]] == []


def test_no_example_has_a_password_that_works_anywhere() -> None:
    works = read_settings().demo_password

    assert works not in json.dumps(DOCUMENT)


def test_the_pattern_of_an_idempotency_key_is_the_rule() -> None:
    patterns = {
        parameter["schema"]["pattern"]
        for _, _, operation in operations()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }
    [pattern] = patterns

    for good in ("a", "~" * 255, '"a"', '"' + "a" * 255 + '"', "6f1c0d7e-5a3b-4c2d-9e8f-7a6b5c4d3e2f"):
        assert re.search(pattern, good)
    for bad in ("", '""', "a b", "a" * 256, "caf\u00e9", "a\n", "\x00", '"' + "a" * 256 + '"'):
        assert not re.fullmatch(pattern.removesuffix("$"), bad)
