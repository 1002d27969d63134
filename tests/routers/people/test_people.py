"""Guests, and who I am; on a real database."""

from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp
from tests.routers.visitors import Database, Visitor, guest, refused


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


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.org", "a da@example.org", "a@b\u0000", "x" * 300 + "@y.z"]
)
async def test_what_is_no_email_is_refused(client: AsyncClient, email: str) -> None:
    answer = await client.post("/auth/guest", json={"email": email})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation")


async def in_zone(database: Database, screening: int, hour: int) -> None:
    """In the theater of this screening it is so many o'clock now, and some minutes (its zone has whole hours)."""
    utc = await database.fetchval("SELECT extract(hour FROM now() AT TIME ZONE 'UTC')::int")
    ahead = (hour - utc + 11) % 24 - 11
    zone = "Etc/UTC" if ahead == 0 else f"Etc/GMT{-ahead:+d}"
    await database.execute(
        "UPDATE theaters t SET timezone = $1 FROM screenings s WHERE s.id = $2 AND t.id = s.theater_id",
        zone,
        screening,
    )


async def booked_hours_ago(database: Database, hours: int) -> None:
    await database.execute("UPDATE bookings SET created_at = created_at - make_interval(hours => $1)", hours)


async def bookings_today(visitor: Visitor, query: str = "") -> int:
    return int((await visitor.read(f"/me{query}"))["bookings_today"])


@pytest.mark.parametrize(("hour", "today"), [(1, 0), (3, 1)])
async def test_a_day_is_that_of_the_theater(ada: Visitor, database: Database, hour: int, today: int) -> None:
    await ada.book("A1")
    await in_zone(database, 1, hour)
    await booked_hours_ago(database, 2)

    assert await bookings_today(ada) == await bookings_today(ada, "?screening_id=1") == today


async def test_with_a_screening_the_day_is_that_of_its_theater(ada: Visitor, database: Database) -> None:
    elsewhere = await database.fetchval(
        "SELECT min(id) FROM screenings WHERE theater_id <> (SELECT theater_id FROM screenings WHERE id = 1)"
    )
    await ada.book("A1")
    await in_zone(database, 1, 3)
    await in_zone(database, elsewhere, 1)
    await booked_hours_ago(database, 2)

    assert await bookings_today(ada) == 1
    assert await bookings_today(ada, f"?screening_id={elsewhere}") == 0


async def test_with_a_screening_the_count_is_that_of_its_limit(open_app: OpenApp) -> None:
    free, limited = await open_app(), await open_app(bookings_per_user_per_day=3)
    for label in ("A1", "A2"):
        await (await guest(free, "ada@example.org")).book(label)

    unlimited, counted = await guest(free, "ada@example.org"), await guest(limited, "ada@example.org")

    assert await bookings_today(unlimited, "?screening_id=1") == 0
    assert await bookings_today(counted) == 0
    assert await bookings_today(counted, "?screening_id=1") == 2


async def test_a_screening_that_is_none_counts_nothing(ada: Visitor) -> None:
    refused(await ada.get("/me?screening_id=9999"), 404, "not-found")
