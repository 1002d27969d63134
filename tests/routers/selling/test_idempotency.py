"""Section 2 of the contract, row by row: a key makes a repeat harmless, and only a repeat."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from app.services.box_office import office as box_office
from tests.conftest import PER_SCREENING
from tests.order import locked, until_waiting
from tests.routers.visitors import BASES, Database, Json, Visitor, labels, refused, time_passes, told

HOLD = "/screenings/1/reservations"

# Every call that changes seats or money: its method, path and body. Ada holds A1 and A2, then A3, and has booked A4 and
# A5; the ids are filled in.
CALLS: list[tuple[str, str, Json | None]] = [
    ("POST", HOLD, {"seats": ["B1", "B2"]}),
    ("POST", f"{HOLD}/toggle", {"seats": ["A1", "B1"]}),
    ("DELETE", HOLD, None),
    ("DELETE", "/reservations/{held}", None),
    ("DELETE", "/reservations/{held}/seats/1", None),
    ("POST", "/reservations/{held}/extend", None),
    ("POST", "/reservations/{held}/confirm", {"payment": {"method": "card"}}),
    ("POST", "/bookings", {"reservation_id": "{held}"}),
    ("POST", "/bookings", {"screening_id": 1, "seats": ["B1", "A1"]}),
    ("DELETE", "/bookings/{booked}", None),
    ("DELETE", "/bookings/{booked}/seats/4", None),
    ("POST", "/theaters/1/reserve", {"seat": "B1"}),
    ("POST", "/theaters/1/book", {"seat_number": "B1"}),
    ("POST", "/reserve", {"seat_id": 21}),
    ("POST", "/confirm", {"reservation_id": "{held}"}),
    ("POST", "/confirm", {"seat_id": 1, "email": "ada@example.org"}),
    ("POST", "/seat-reservations/toggle", {"screening_id": 1, "seat_ids": [1, 21]}),
    ("DELETE", "/seat-reservations/cancel/1", None),
]


def assert_replayed(first: Response, again: Response) -> None:
    """The same status, the same body to the byte, the same address, and a word that it is a replay."""
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("location") == first.headers.get("location")
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


# --- first use, and the same again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
async def test_the_same_key_and_request_give_the_same_answer_to_the_byte(
    ada: Visitor, call: tuple[str, str, Json | None]
) -> None:
    held = await ada.hold("A1", "A2")
    await ada.hold("A3")
    ids = {"held": held["id"], "booked": (await ada.book("A4", "A5"))["id"]}
    method, path, body = call[0], call[1].format(**ids), call[2]
    if body and body.get("reservation_id"):
        body = {"reservation_id": held["id"]}

    first = await ada.ask(method, path, body, key="once")
    changed_to = await ada.version()
    repeats = [await ada.ask(method, path, body, key=key) for key in ("once", '"once"')]

    assert first.is_success, first.text
    assert changed_to == 4
    for again in repeats:
        assert_replayed(first, again)
    assert await ada.version() == changed_to


async def test_a_replay_tells_what_was_whatever_happened_since(ada: Visitor, bob: Visitor) -> None:
    first = await ada.post(HOLD, {"seat": "A1"}, key="once")
    await ada.delete(HOLD)
    await bob.book("A1")

    again = await ada.post(HOLD, {"seat": "A1"}, key="once")

    assert_replayed(first, again)


async def test_every_base_path_counts_as_the_same_path(ada: Visitor) -> None:
    first = await ada.post(f"/api/v1{HOLD}", {"seats": ["A1"]}, key="once")

    for base in BASES:
        assert_replayed(first, await ada.post(base + HOLD, {"seats": ["A1"]}, key="once"))


async def test_spaces_and_the_order_of_members_do_not_matter(ada: Visitor) -> None:
    first = await ada.post("/bookings", {"screening_id": 1, "seat": "A1"}, key="once")
    headers = {"authorization": f"Bearer {ada.token}", "idempotency-key": "once", "content-type": "application/json"}

    again = await ada.client.post("/bookings", content=b'{ "seat":"A\\u0031",\n "screening_id":1 }', headers=headers)

    assert_replayed(first, again)


async def test_as_deep_as_a_body_may_be_it_has_a_fingerprint(ada: Visitor) -> None:
    deep: list[Any] = []
    for _ in range(62):
        deep = [deep]
    body = {"screening_id": 1, "seat": "A1", "more": deep}

    first = await ada.post("/reserve", body, key="once")

    told(first, 201)
    assert_replayed(first, await ada.post("/reserve", body, key="once"))


async def test_two_at_once_are_one(ada: Visitor) -> None:
    answers = await asyncio.gather(*(ada.post(HOLD, {"seat": "A1"}, key="once") for _ in range(5)))

    [first] = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    for again in answers:
        if again is not first:
            assert_replayed(first, again)
    assert await ada.version() == 1


async def test_while_the_first_is_still_running_one_is_told_to_come_again(
    ada: Visitor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box_office, "SAME_KEY_WAITS_SECONDS", 0.05)
    async with asyncio.TaskGroup() as both, locked(database, 1):
        running = both.create_task(ada.post(HOLD, {"seat": "A1"}, key="once"))
        await until_waiting(database)
        answer = await ada.post(HOLD, {"seat": "A1"}, key="once")

    refused(answer, 409, "idempotency-key-in-use")
    assert int(answer.headers["retry-after"]) >= 1
    assert_replayed(running.result(), await ada.post(HOLD, {"seat": "A1"}, key="once"))


# --- the same key for something else ---------------------------------------------------------------------------------


async def test_the_same_key_with_another_method_path_or_body_is_refused(ada: Visitor) -> None:
    told(await ada.post(HOLD, {"seat": "A1"}, key="once"), 201)
    others: list[tuple[str, str, Json | None]] = [
        ("POST", HOLD, {"seat": "A2"}),
        ("POST", HOLD, {"seats": ["A1"]}),
        ("DELETE", HOLD, None),
        ("POST", f"{HOLD}/toggle", {"seat": "A1"}),
        ("POST", "/theaters/1/reserve", {"seat": "A1"}),
        ("POST", "/theaters/1/book", {"seat": "A1"}),
        ("POST", "/bookings", {"screening_id": 1, "seat": "A1"}),
        ("POST", "/reserve", {"seat_id": 1}),
    ]
    if not PER_SCREENING:
        others += [("POST", f"/screenings/{each}/reservations", {"seat": "A1"}) for each in (2, 99)]

    for method, path, body in others:
        refused(await ada.ask(method, path, body, key="once"), 422, "idempotency-key-reused")
    assert (await ada.version(), await ada.version(2)) == (1, 0)


@pytest.mark.skipif(PER_SCREENING, reason="a key is one of user and screening")
async def test_a_key_of_one_screening_is_known_in_every_other(ada: Visitor) -> None:
    told(await ada.post("/bookings", {"screening_id": 2, "seat": "A1"}, key="once"), 201)

    refused(await ada.post("/bookings", {"screening_id": 3, "seat": "A1"}, key="once"), 422, "idempotency-key-reused")
    assert await ada.version(3) == 0


async def test_the_same_key_of_another_user_is_unrelated(ada: Visitor, bob: Visitor) -> None:
    told(await ada.post(HOLD, {"seat": "A1"}, key="once"), 201)

    his = await bob.post(HOLD, {"seat": "A2"}, key="once")

    assert labels(told(his, 201)["seats"]) == ["A2"]
    assert "idempotent-replayed" not in his.headers


# --- refused attempts ------------------------------------------------------------------------------------------------


async def test_after_a_refusal_the_key_may_be_used_again(ada: Visitor, bob: Visitor) -> None:
    his = await bob.hold("A1")
    for path, body, status, code in (
        (HOLD, {"seat": "A1"}, 409, "seats-unavailable"),
        (HOLD, {"seat": "Z1"}, 404, "unknown-seats"),
        (HOLD, {"seat": "A1", "price": 1}, 422, "validation"),
        ("/screenings/99/reservations", {"seat": "A1"}, 404, "not-found"),
        ("/bookings", {"seat": "A1"}, 422, "screening-required"),
    ):
        answer = await ada.post(path, body, key="once")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    await bob.delete(f"/reservations/{his['id']}")

    answer = await ada.post(HOLD, {"seat": "A1"}, key="once")

    assert told(answer, 201)["status"] == "held"
    assert "idempotent-replayed" not in answer.headers


async def test_a_confirmation_that_failed_can_be_sent_again(ada: Visitor, bob: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 301)
    his = await bob.hold("A1")
    path = f"/reservations/{held['id']}/confirm"
    refused(await ada.post(path, key="once"), 409, "reservation-expired", "expired_at", "seats")
    await bob.delete(f"/reservations/{his['id']}")

    assert told(await ada.post(path, key="once"), 201)["status"] == "confirmed"


# --- what a key may be -----------------------------------------------------------------------------------------------


async def test_what_is_no_key_is_refused_and_changes_nothing(ada: Visitor) -> None:
    for key in ("", '""', "x" * 256, "x" * 300, "two words", "tab\there"):
        refused(await ada.post(HOLD, {"seat": "A1"}, key=key), 400, "idempotency-key-invalid")
        refused(await ada.delete(HOLD, key=key), 400, "idempotency-key-invalid")
    twice = [("authorization", f"Bearer {ada.token}"), ("idempotency-key", "a"), ("idempotency-key", "a")]
    refused(await ada.client.post(HOLD, json={"seat": "A1"}, headers=twice), 400, "idempotency-key-invalid")
    assert await ada.version() == 0


async def test_a_key_may_have_255_characters(ada: Visitor) -> None:
    first = await ada.post(HOLD, {"seat": "A1"}, key="x" * 255)

    assert_replayed(first, await ada.post(HOLD, {"seat": "A1"}, key="x" * 255))


# --- booking_id ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/bookings", "/theaters/1/book"])
async def test_a_booking_id_serves_as_the_key(ada: Visitor, path: str) -> None:
    booking_id = str(uuid4())
    body = {"screening_id": 1, "seat": "A1", "booking_id": booking_id}

    first = await ada.post(path, body)
    again = await ada.post(path, body)
    with_the_header = await ada.post(path, body, key=booking_id)
    other = await ada.post(path, {**body, "seat": "A2"})

    assert told(first, 201)["status"] == "confirmed"
    assert_replayed(first, again)
    assert_replayed(first, with_the_header)
    refused(other, 422, "idempotency-key-reused")


@pytest.mark.parametrize("path", ["/bookings", "/theaters/1/book"])
async def test_capitals_in_a_booking_id_do_not_matter(ada: Visitor, path: str) -> None:
    booking_id = str(uuid4())
    body = {"screening_id": 1, "seat": "A1", "booking_id": booking_id}

    first = await ada.post(path, body)

    assert_replayed(first, await ada.post(path, {**body, "booking_id": booking_id.upper()}))


async def test_the_header_counts_before_the_booking_id(ada: Visitor) -> None:
    body = {"screening_id": 1, "seat": "A1", "booking_id": str(uuid4())}
    first = await ada.post("/bookings", body, key="once")

    again = await ada.post("/bookings", body, key="once")
    without = await ada.post("/bookings", body)

    assert_replayed(first, again)
    assert told(without, 200) == first.json()
    assert "idempotent-replayed" not in without.headers


async def test_a_booking_id_comes_with_a_reservation_too(ada: Visitor) -> None:
    body = {"reservation_id": (await ada.hold("A1"))["id"], "booking_id": str(uuid4())}
    first = await ada.post("/bookings", body)

    assert_replayed(first, await ada.post("/bookings", body))


async def test_a_booking_id_that_is_no_uuid_is_refused(ada: Visitor, nobody: Visitor) -> None:
    for path in ("/bookings", "/theaters/1/book"):
        for booking_id in ("", "1", "x" * 36, f"{{{uuid4()}}}"):
            body = {"screening_id": 1, "seat": "A1", "booking_id": booking_id}
            problem = refused(await ada.post(path, body), 422, "validation", "errors")
            assert problem["errors"][0]["loc"] == ["body", "booking_id"]
            refused(await nobody.post(path, body), 400, "idempotency-key-invalid")
        refused(
            await nobody.post(path, {"screening_id": 1, "seat": "A1", "booking_id": 5}), 422, "validation", "errors"
        )
    assert await ada.version() == 0


# --- nobody signed in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (HOLD, {"seats": ["A1", "A2"]}),
        (f"{HOLD}/toggle", {"seat": "A1"}),
        ("/bookings", {"screening_id": 1, "seat": "A1"}),
        ("/theaters/1/reserve", {"seat": "A1"}),
        ("/theaters/1/book", {"seat": "A1"}),
        ("/reserve", {"seat_id": 1, "email": "eve@example.org"}),
        ("/seat-reservations/toggle", {"screening_id": 1, "seat_id": 1}),
    ],
)
async def test_an_anonymous_replay_carries_the_same_token(nobody: Visitor, path: str, body: Json) -> None:
    key = str(uuid4())

    first = await nobody.post(path, body, key=key)
    again = await nobody.post(path, body, key=f'"{key}"')

    assert first.is_success, first.text
    assert first.json()["guest_token"]
    assert_replayed(first, again)
    assert await nobody.version() == 1


async def test_an_anonymous_booking_id_is_a_key_too(nobody: Visitor) -> None:
    body = {"screening_id": 1, "seat": "A1", "booking_id": str(uuid4())}
    first = await nobody.post("/bookings", body)

    assert_replayed(first, await nobody.post("/bookings", body))


async def test_an_anonymous_key_is_a_uuid(nobody: Visitor) -> None:
    for key in ("1", "once", "x" * 36, str(uuid4()).replace("-", ""), f"{{{uuid4()}}}"):
        for path, body in ((HOLD, {"seat": "A1"}), ("/bookings", {"screening_id": 1, "seat": "A1"})):
            refused(await nobody.post(path, body, key=key), 400, "idempotency-key-invalid")
    assert await nobody.version() == 0


async def test_an_anonymous_key_retried_with_the_guests_token_is_another_key(nobody: Visitor) -> None:
    key = str(uuid4())
    first = told(await nobody.post(HOLD, {"seat": "A1"}, key=key), 201)
    guest = Visitor(nobody.client, first["guest_token"])

    again = await guest.post(HOLD, {"seat": "A1"}, key=key)
    something_else = await guest.post(HOLD, {"seat": "A2"}, key=str(uuid4()))

    assert told(again, 200)["id"] == first["id"]
    assert "idempotent-replayed" not in again.headers
    assert "guest_token" not in again.json()
    assert told(something_else, 201)["user_id"] == first["user_id"]


# --- without a key ---------------------------------------------------------------------------------------------------


async def test_without_a_key_every_natural_repeat_is_still_safe(ada: Visitor) -> None:
    held = await ada.hold("A1", "A2")
    assert told(await ada.post(HOLD, {"seats": ["A2", "A1"]}), 200)["id"] == held["id"]

    booking = await ada.confirm(held)
    assert told(await ada.post(f"/reservations/{held['id']}/confirm"), 200) == booking
    assert told(await ada.post("/bookings", {"screening_id": 1, "seat_ids": [1, 2]}), 200) == booking

    cancelled = told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    assert told(await ada.delete(f"/bookings/{booking['id']}"), 200) == cancelled

    other = await ada.hold("A1")
    released = told(await ada.delete(f"/reservations/{other['id']}"), 200)
    assert told(await ada.delete(f"/reservations/{other['id']}"), 200)["version"] == released["version"]
    assert await ada.version() == 5
