"""GET /screenings and /screenings/{id}."""

from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import OpenApp
from tests.routers.visitors import Database, Visitor


async def ids(client: AsyncClient, **query: Any) -> list[int]:
    answer = await client.get("/screenings", params=query)
    assert answer.status_code == 200, answer.text
    return [screening["id"] for screening in answer.json()["items"]]


async def test_a_screening_is_shown_whole(client: AsyncClient) -> None:
    body = (await client.get("/screenings/1")).json()

    assert body.pop("starts_at").endswith(":30:00.000Z")
    assert body == {
        "id": 1,
        "theater_id": 1,
        "title": "The Tempest",
        "sales_open_at": None,
        "sales_close_at": None,
        "cancel_until": None,
        "hold_seconds": 300,
        "max_hold_seconds": 900,
        "prices": {
            "premium": {"amount_minor": 4500, "currency": "EUR"},
            "standard": {"amount_minor": 2500, "currency": "EUR"},
            "economy": {"amount_minor": 1500, "currency": "EUR"},
        },
        "limits": {
            "max_seats_per_reservation": 10,
            "max_seats_per_user": None,
            "max_active_reservations_per_user": None,
            "bookings_per_user_per_day": None,
        },
        "orphan_rule": "off",
        "reserved_places": "kept",
        "on_sale": True,
        "cancelled_at": None,
        "revision": 1,
        "version": 0,
    }


async def test_screenings_are_listed_soonest_first(client: AsyncClient) -> None:
    assert await ids(client) == [1, 2, 3, 4]


async def test_screenings_are_found_by_theater(client: AsyncClient) -> None:
    assert await ids(client, theater_id=2) == [2, 3]
    assert await ids(client, theater_id=99) == []


async def test_screenings_are_found_by_their_start(client: AsyncClient) -> None:
    last = (await client.get("/screenings/4")).json()["starts_at"]

    assert await ids(client, **{"from": last}) == [4]
    assert await ids(client, to=last) == [1, 2, 3]
    assert await ids(client, **{"from": last, "to": last}) == []


async def test_a_moment_may_have_any_offset(client: AsyncClient) -> None:
    assert await ids(client, **{"from": "2020-01-01T00:00:00+02:00", "to": "2020-01-01t00:00:00.5-11:30"}) == []


async def test_the_link_keeps_the_question(client: AsyncClient) -> None:
    first = await client.get(
        "/v1/screenings", params={"from": "2020-01-01T00:00:00+02:00", "theater_id": 2, "limit": 1}
    )
    second = await client.get(first.links["next"]["url"])

    assert [screening["id"] for page in (first, second) for screening in page.json()["items"]] == [2, 3]
    assert second.json()["next_cursor"] is None


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "at",
    [
        "tomorrow",
        "2026-11-20",
        "2026-11-20T19:30:00",
        "2026-11-20T19:30Z",
        "2026-02-30T19:30:00Z",
        "2026-11-20T25:30:00Z",
        "1767225600",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-11-20T19:30:00Z",
        "",
    ],
)
@pytest.mark.parametrize("parameter", ["from", "to"])
async def test_what_is_no_moment_is_refused(client: AsyncClient, parameter: str, at: str) -> None:
    answer = await client.get("/screenings", params={parameter: at})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", parameter]


@pytest.mark.changes_nothing
@pytest.mark.parametrize("cursor", ["x", "Mg", "MjAyNi0xMS0yMVQxODozMDowMCAy", "bm93IDE", "a" * 300])
async def test_a_cursor_of_another_list_is_refused(client: AsyncClient, cursor: str) -> None:
    answer = await client.get("/screenings", params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "cursor"]


async def test_a_screening_that_does_not_exist_is_not_found(client: AsyncClient) -> None:
    answer = await client.get("/screenings/99")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.changes_nothing
@pytest.mark.parametrize("screening_id", ["x", "1.0", "+1", "1_0", "0", "-1", "9223372036854775808"])
async def test_a_screening_id_that_is_none_is_refused(client: AsyncClient, screening_id: str) -> None:
    answer = await client.get(f"/screenings/{screening_id}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["path", "screening_id"]


async def test_counts_are_told_when_asked_for(nobody: Visitor, database: Database) -> None:
    await nobody.hold("A1", "A2")
    await nobody.book("A3")
    await database.execute("UPDATE screenings SET cancelled_at = now() WHERE id = 2")

    silent = await nobody.read("/screenings")
    listed = await nobody.read("/screenings?counts=true")

    assert "counts" not in silent["items"][0]
    assert [(each["id"], each.get("counts")) for each in listed["items"][:2]] == [
        (1, {"available": 77, "reserved": 2, "booked": 1, "blocked": 0}),
        (2, None),
    ]
    for each in listed["items"][2:]:
        assert each["counts"] == (await nobody.read(f"/screenings/{each['id']}/availability"))["counts"]


async def test_counts_are_those_of_the_moment(client: AsyncClient, nobody: Visitor) -> None:
    async def free() -> int:
        return int((await nobody.read("/screenings?counts=true"))["items"][0]["counts"]["available"])

    before = await free()
    held = await nobody.hold("A1")
    meanwhile = await free()
    await Visitor(client, held["guest_token"]).delete(f"/reservations/{held['id']}")

    assert (before, meanwhile, await free()) == (80, 79, 80)


async def test_counts_are_told_without_redis_too(open_app: OpenApp) -> None:
    client = await open_app(redis_url="redis://127.0.0.1:1")

    answer = await client.get("/screenings", params={"counts": "true"})

    assert answer.json()["items"][0]["counts"]["available"] == 80
