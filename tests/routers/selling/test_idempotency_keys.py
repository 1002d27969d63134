"""What an idempotency key is, and what it was sent for (docs/api.md, section 2)."""

from typing import Any

import pytest
from httpx import AsyncClient

HOLD = "/api/v1/screenings/1/reservations"
UUID = "0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11"


async def key_of(edge: AsyncClient, token: str, key: str = "k", *, path: str = HOLD, **sent: Any) -> Any:
    headers = {"authorization": f"Bearer {token}", "idempotency-key": key} | sent.pop("headers", {})
    sent = sent or {"json": {"seat": "A1"}}
    answer = await edge.post(path, headers=headers, **sent)
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


async def test_no_key_is_no_key(edge: AsyncClient) -> None:
    assert (await edge.post(HOLD, json={"seat": "A1"})).json()["key"] is None


@pytest.mark.parametrize("key", ["abc", '"abc"', " abc ", '"abc" '])
async def test_bare_or_quoted_it_is_one_key(edge: AsyncClient, token: str, key: str) -> None:
    assert (await key_of(edge, token, key))["value"] == "abc"


async def test_a_key_belongs_to_its_user(edge: AsyncClient, token: str) -> None:
    assert (await key_of(edge, token))["owner_id"] == 17


async def test_a_key_may_have_255_characters(edge: AsyncClient, token: str) -> None:
    assert (await key_of(edge, token, "x" * 255))["value"] == "x" * 255


@pytest.mark.parametrize(
    "key", [b"", b'""', b"x" * 256, b"x" * 300, b'"' + b"x" * 256 + b'"', b"a b", b"a\tb", b"caf\xc3\xa9", b"\x7f"]
)
async def test_what_is_no_key_is_refused(edge: AsyncClient, token: str, key: bytes) -> None:
    headers = {"authorization": f"Bearer {token}".encode(), "idempotency-key": key}

    answer = await edge.post(HOLD, json={"seat": "A1"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-invalid")


@pytest.mark.parametrize("second", ["a", "b"])
async def test_two_keys_are_refused_even_when_they_are_the_same(edge: AsyncClient, token: str, second: str) -> None:
    headers = [("authorization", f"Bearer {token}"), ("idempotency-key", "a"), ("idempotency-key", second)]

    answer = await edge.post(HOLD, json={"seat": "A1"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-invalid")


async def test_the_key_of_somebody_anonymous_is_a_uuid(edge: AsyncClient) -> None:
    guessable = await edge.post(HOLD, json={"seat": "A1"}, headers={"idempotency-key": "1"})
    good = await edge.post(HOLD, json={"seat": "A1"}, headers={"idempotency-key": f'"{UUID}"'})

    assert (guessable.status_code, guessable.json()["code"]) == (400, "idempotency-key-invalid")
    assert good.json()["key"] | {"fingerprint": ""} == {"owner_id": 0, "value": UUID, "fingerprint": ""}


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/v1/screenings/1/reservations"},
        {"path": "/screenings/1/reservations"},
        {"path": "/api/v1/screenings/1/reservations"},
        {"content": b' {"seats" : ["A1", "B1"]}\n', "headers": {"content-type": "application/json"}},
        {"content": b'{"seats":["A\\u0031","B1"]}', "headers": {"content-type": "application/x+json"}},
    ],
)
async def test_the_same_request_spelled_differently_has_the_same_fingerprint(
    edge: AsyncClient, token: str, sent: dict[str, Any]
) -> None:
    first = await key_of(edge, token, json={"seats": ["A1", "B1"]})

    again = await key_of(edge, token, **({"json": {"seats": ["A1", "B1"]}} | sent if "content" not in sent else sent))

    assert again == first
    assert len(bytes.fromhex(first["fingerprint"])) == 32


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/screenings/2/reservations", "json": {"seats": ["A1", "B1"]}},
        {"json": {"seats": ["A1"]}},
        {"json": {"seats": ["B1", "A1"]}},
        {"json": {"seat_ids": [1]}},
    ],
)
async def test_another_request_has_another_fingerprint(edge: AsyncClient, token: str, sent: dict[str, Any]) -> None:
    first = await key_of(edge, token, json={"seats": ["A1", "B1"]})

    assert (await key_of(edge, token, **sent))["fingerprint"] != first["fingerprint"]
