"""Guests, and who I am; on a real database."""

from typing import Any

import pytest
from httpx import AsyncClient


async def become_guest(client: AsyncClient, email: str = "ada@example.org") -> dict[str, Any]:
    answer = await client.post("/auth/guest", json={"email": email})
    assert answer.status_code == 201, answer.text
    said: dict[str, Any] = answer.json()
    return said


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_guest_gets_a_token(client: AsyncClient) -> None:
    answer = await client.post("/auth/guest", json={"email": "ada@example.org"})

    assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/me")
    assert answer.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.json()["token_type"] == "bearer"


async def test_the_token_says_who_i_am(client: AsyncClient) -> None:
    token = (await become_guest(client))["access_token"]

    me = (await client.get("/me", headers=bearer(token))).json()

    assert isinstance(me.pop("id"), int)
    assert me == {
        "username": None,
        "email": "ada@example.org",
        "role": "customer",
        "is_guest": True,
        "active_reservations": 0,
        "bookings_today": 0,
    }


async def test_the_same_email_is_another_guest(client: AsyncClient) -> None:
    first, second = await become_guest(client), await become_guest(client)

    ids = [(await client.get("/me", headers=bearer(each["access_token"]))).json()["id"] for each in (first, second)]

    assert ids[0] != ids[1]


async def test_nobody_is_nobody(client: AsyncClient) -> None:
    answer = await client.get("/me")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.org", "a da@example.org", "a@b\u0000", "x" * 300 + "@y.z"]
)
async def test_what_is_no_email_is_refused(client: AsyncClient, email: str) -> None:
    answer = await client.post("/auth/guest", json={"email": email})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation")
