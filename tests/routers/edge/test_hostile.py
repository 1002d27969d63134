"""Hostile and broken input against the whole application: the right problem, nothing changed, nothing told to the log.

What concerns only the edge is in test_edge.py and test_strict_json.py, what concerns tokens in test_tokens.py.
"""

import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import Response

from tests.routers.visitors import NOBODYS_ID, Database, Json, Visitor, refused

HOLD = "/screenings/1/reservations"
BOOK = "/bookings"
TAKING = [HOLD, f"{HOLD}/toggle", "/theaters/1/reserve", "/theaters/1/book", "/reserve"]
AS_JSON = {"content-type": "application/json"}

_ROWS = """
SELECT (SELECT sum(version) FROM screening_states), (SELECT count(*) FROM users), (SELECT count(*) FROM seat_claims),
       (SELECT count(*) FROM reservations), (SELECT count(*) FROM bookings), (SELECT count(*) FROM idempotency_keys),
       (SELECT count(*) FROM seat_events)
"""


@pytest.fixture(autouse=True)
async def _nothing_changes_and_nothing_is_logged(
    ada: Visitor, database: Database, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[None]:
    """Whatever a test here sends, every row stays as it was, and the next caller is served."""
    before = await database.fetchrow(_ROWS)
    with caplog.at_level(logging.INFO):
        yield
    assert await database.fetchrow(_ROWS) == before
    assert [record for record in caplog.records if record.name.startswith("app")] == []
    assert (await ada.get("/screenings/1/seats")).status_code == 200


async def post_bytes(visitor: Visitor, path: str, body: bytes, **headers: str) -> Response:
    """Exactly these bytes."""
    sent = {"authorization": f"Bearer {visitor.token}", **{name.replace("_", "-"): headers[name] for name in headers}}
    return await visitor.client.post(path, content=body, headers=sent)


async def test_nul_and_lone_surrogates_in_any_string(ada: Visitor) -> None:
    for text in ("A\\u0000", "\\u0000", "\\ud800", "A\\udfff1", "A\x001"):
        for path, body in (
            (HOLD, '{"seat": "%s"}'),
            (HOLD, '{"seats": ["A1", "%s"]}'),
            (f"{HOLD}/toggle", '{"seat_number": "%s"}'),
            (BOOK, '{"screening_id": 1, "seat": "%s"}'),
            (BOOK, '{"screening_id": 1, "seat": "A1", "payment": {"method": "%s"}}'),
            (BOOK, '{"screening_id": 1, "seat": "A1", "payment": {"token": "%s"}}'),
            (BOOK, '{"screening_id": 1, "seat": "A1", "booking_id": "%s"}'),
            (BOOK, '{"reservation_id": "%s"}'),
            ("/reserve", '{"seat_id": 1, "email": "%s@example.org"}'),
            ("/reserve", '{"seat_id": 1, "whatever": "%s"}'),
            ("/theaters/1/book", '{"seat": "%s"}'),
            ("/auth/guest", '{"email": "%s@example.org"}'),
        ):
            answer = await post_bytes(ada, path, (body % text).encode(), content_type="application/json")
            refused(answer, 422, "validation", "errors")


async def test_nul_and_broken_escapes_in_path_and_query(ada: Visitor) -> None:
    for path in (
        "/screenings/1/seats?section=A%00",
        "/screenings/1/seats?section=%ff",
        "/screenings/1/seats?section=%zz",
        "/reservations?cursor=%00",
        "/bookings?status=confirmed%00",
        "/theaters/1%ED%A0%80/seats",
    ):
        refused(await ada.get(path), 422, "validation", "errors")
    for path in ("/screenings/1%00/seats", "/reservations/%00", "/screenings/1%0a/seats", "/theaters%0a?limit=1"):
        refused(await ada.get(path), 404, "not-found")


async def test_integers_beyond_any_column(ada: Visitor) -> None:
    for number in (2**63, 2**64, 10**400, -(2**63), -1, 0):
        for path in TAKING:
            refused(await ada.post(path, {"seat_ids": [1, number]}), 422, "validation", "errors")
            refused(await ada.post(path, {"seat_id": number}), 422, "validation", "errors")
        for body in ({"screening_id": number, "seat": "A1"}, {"seat_id": number}):
            refused(await ada.post(BOOK, body), 422, "validation", "errors")
        for path in (
            f"/screenings/{number}/seats",
            f"/theaters/{number}/seats",
            f"/bookings?user_id={number}",
            f"/bookings?screening_id={number}",
            f"/reservations?screening_id={number}",
            f"/screenings/1/changes?since={number or -1}",
        ):
            refused(await ada.get(path), 422, "validation", "errors")
        refused(await ada.delete(f"/reservations/{NOBODYS_ID}/seats/{number}"), 422, "validation", "errors")
    for number in (2**31, 2**63 - 1):
        assert (await ada.get(f"/screenings/{number}/seats")).status_code == 404
        assert (await ada.get(f"/theaters/{number}/seats")).status_code == 404
        refused(await ada.post(f"/screenings/{number}/reservations", {"seats": ["A1"]}), 404, "not-found")
        refused(
            await ada.post("/screenings/1/reservations", {"seat_ids": [number]}),
            404,
            "unknown-seats",
            "unknown",
            "available_seats",
        )
    assert (await ada.get("/bookings?user_id=9223372036854775807")).status_code == 200


async def test_numbers_that_are_none(ada: Visitor) -> None:
    for written in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"9" * 10_000, b"01", b"0x1", b"1."):
        for path in TAKING:
            for body in (b'{"seat_id": %s}', b'{"seat_ids": [%s]}', b'{"seat_id": 1, "more": %s}'):
                answer = await post_bytes(ada, path, body % written, **AS_JSON)
                refused(answer, 422, "validation", "errors")


async def test_what_only_looks_like_an_integer(ada: Visitor) -> None:
    for wrong in (True, False, "1", 1.0, 1.5, "1_0", [1], {"id": 1}, ""):
        for path in TAKING:
            refused(await ada.post(path, {"seat_id": wrong}), 422, "validation", "errors")
            refused(await ada.post(path, {"seat_ids": [wrong]}), 422, "validation", "errors")
        refused(await ada.post(BOOK, {"screening_id": wrong, "seat": "A1"}), 422, "validation", "errors")
    for written in ("1_000", "+1", "1.0", "%201", "1e0", "0x1", "\u0661"):
        refused(await ada.get(f"/screenings/{written}/seats"), 422, "validation", "errors")
        refused(await ada.post(f"/screenings/{written}/reservations", {"seat": "A1"}), 422, "validation", "errors")
        refused(await ada.delete(f"/bookings/{NOBODYS_ID}/seats/{written}"), 422, "validation", "errors")


async def test_json_that_two_readers_could_read_differently(ada: Visitor) -> None:
    good = b'{"seat": "A1"}'
    for body, headers, status in (
        (b'{"seat": "A1", "seat": "A2"}', AS_JSON, 422),
        (b'{"seat": "\xff"}', AS_JSON, 422),
        (b"\xef\xbb\xbf" + good, AS_JSON, 422),
        (b"[" * 30_000 + b"]" * 30_000, AS_JSON, 422),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, AS_JSON, 422),
        (b"", AS_JSON, 422),
        (b"{", AS_JSON, 422),
        (b'"A1"', AS_JSON, 422),
        (good.decode().encode("utf-16"), AS_JSON, 415),
        (gzip.compress(good), {**AS_JSON, "content-encoding": "gzip"}, 415),
        (good, {}, 415),
        (good, {"content-type": "application/x-www-form-urlencoded"}, 415),
        (good, {"content-type": "text/plain"}, 415),
        (b"[" * 100_000, AS_JSON, 413),
        (good + b" " * 10_000_000, AS_JSON, 413),
        (b"x" * 10_000_000, {}, 413),
    ):
        for path in TAKING:
            answer = await post_bytes(ada, path, body, **headers)
            assert (answer.status_code, answer.json()["status"]) == (status, status), body[:40]


async def test_a_keyed_body_is_as_deep_as_any_other_may_be(ada: Visitor) -> None:
    for levels in (65, 253, 254, 255, 1_000):
        body = b'{"seat": "A1", "more": %b}' % (b"[" * (levels - 1) + b"]" * (levels - 1))
        for path in (*TAKING, "/reserve"):
            refused(
                await post_bytes(ada, path, body, **AS_JSON, **{"idempotency-key": "k"}), 422, "validation", "errors"
            )


async def test_members_that_would_be_convenient(ada: Visitor) -> None:
    for name, value in (
        ("is_admin", True),
        ("user_id", 1),
        ("price", 0),
        ("status", "booked"),
        ("expires_at", "2099-01-01T00:00:00Z"),
        ("hold_seconds", 10**6),
        ("guest_token", "x"),
        ("__proto__", {}),
    ):
        for path, body in (
            (HOLD, {"seat": "A1"}),
            (f"{HOLD}/toggle", {"seat": "A1"}),
            (BOOK, {"screening_id": 1, "seat": "A1"}),
            (f"/reservations/{NOBODYS_ID}/confirm", {"payment": None}),
            ("/auth/guest", {"email": "eve@example.org"}),
        ):
            problem = refused(await ada.post(path, {**body, name: value}), 422, "validation", "errors")
            assert [error["loc"] for error in problem["errors"]] == [["body", name]]


async def test_lists_that_make_no_sense(ada: Visitor) -> None:
    lists: list[Json] = [
        {"seat_ids": []},
        {"seats": []},
        {"seat_ids": [1, 2, 1]},
        {"seats": ["A1", " A1"]},
        {"seat_ids": list(range(1, 1_001))},
        {"seat_ids": list(range(1, 10_001))},
        {"seats": [f"A{number}" for number in range(1_000)]},
        {"seat_ids": [1], "seats": ["A2"]},
        {"seats": "A1"},
        {"seats": [["A1"]]},
        {"seats": [None]},
        {"seats": [""]},
        {"seats": ["x" * 161]},
    ]

    for body in lists:
        for path in TAKING:
            refused(await ada.post(path, body), 422, "validation", "errors")
    for path in TAKING:
        refused(await ada.post(path, {"seat_ids": [10_000_000 + n for n in range(20_000)]}), 413, "payload-too-large")


async def test_labels_that_are_code_in_some_language(ada: Visitor) -> None:
    for label in (
        "A1'; DROP TABLE seats; --",
        "A1' OR '1'='1",
        "${jndi:ldap://localhost/x}",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "%n%s",
        "A 1",
        "Ａ１",  # noqa: RUF001 - not A1, and that is the point
        "A1\u00ad",
    ):
        answer = await ada.post(HOLD, {"seat": label})
        assert answer.status_code in (404, 422)
        if answer.status_code == 404:
            assert answer.json()["unknown"] == [label]


async def test_keys_that_are_none_or_too_many(ada: Visitor) -> None:
    for keys in (["a", "b"], ["a", "a"], ["x" * 300], ["\u00e9"]):
        sent = [(b"idempotency-key", key.encode()) for key in keys]
        headers = [(b"authorization", f"Bearer {ada.token}".encode()), *sent]
        answer = await ada.client.post(HOLD, json={"seat": "A1"}, headers=headers)
        refused(answer, 400, "idempotency-key-invalid")


async def test_headers_and_tokens_of_any_size(ada: Visitor) -> None:
    for token in ("", "x", "x" * 9_000, "a.b.c", "x" * 1_000_000):
        headers = {"authorization": f"Bearer {token}"}
        answer = await ada.client.post(HOLD, json={"seat": "A1"}, headers=headers)
        assert answer.status_code == (431 if len(token) > 30_000 else 401)
        assert "x" * 50 not in answer.text
    for scheme in ("Basic YTpi", "Bearer", "bearer x y", "Token x"):
        answer = await ada.client.post(HOLD, json={"seat": "A1"}, headers={"authorization": scheme})
        refused(answer, 401, "unauthenticated")


async def test_an_answer_never_repeats_what_may_be_a_secret(ada: Visitor) -> None:
    secret = "hunter2-hunter2"
    bodies: list[Any] = [
        {"screening_id": 1, "seat": "A1", "payment": {"token": {"secret": secret}}},
        {"screening_id": 1, "seat": "A1", "payment": secret},
        {"screening_id": 1, "seat": "A1", "payment": {"token": secret + "x" * 4_096}},
        [secret],
        secret,
    ]

    for body in bodies:
        answer = await ada.post(BOOK, body)
        refused(answer, 422, "validation", "errors")
        assert secret not in answer.text
        assert len(json.dumps(answer.json())) < 2_000
