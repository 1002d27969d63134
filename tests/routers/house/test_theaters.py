"""GET /theaters and what belongs to one theater."""

from typing import Any

import pytest
from httpx import AsyncClient

from tests.routers.visitors import Visitor

BASES = ["/api/v1", "/v1", ""]


async def json_of(client: AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.changes_nothing
@pytest.mark.parametrize("base", BASES)
async def test_theaters_are_listed_newest_first_under_every_base_path(client: AsyncClient, base: str) -> None:
    body = await json_of(client, f"{base}/theaters")

    assert body["next_cursor"] is None
    assert [theater["id"] for theater in body["items"]] == [3, 2, 1]
    assert body["items"][-1] == {
        "id": 1,
        "name": "Theater A",
        "timezone": "Europe/Berlin",
        "seat_count": 80,
        "screenings_count": 1,
    }


async def test_the_link_leads_through_the_pages(client: AsyncClient) -> None:
    first = await client.get("/theaters", params={"limit": 2})
    second = await client.get(first.links["next"]["url"])

    assert first.links["next"]["url"].startswith("/api/v1/theaters?limit=2&cursor=")
    assert [theater["id"] for page in (first, second) for theater in page.json()["items"]] == [3, 2, 1]
    assert "link" not in second.headers


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1_0", "limit"),
        ("limit=", "limit"),
        ("cursor=", "cursor"),
        ("cursor=no", "cursor"),
        ("cursor=%F0%9F%8E%AD", "cursor"),
        ("cursor=LTE", "cursor"),
        ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cursor"),
    ],
)
async def test_a_limit_or_a_cursor_that_is_none_is_named(client: AsyncClient, query: str, wrong: str) -> None:
    answer = await client.get(f"/theaters?{query}")

    assert answer.status_code == 422
    assert answer.json()["code"] == "validation"
    assert answer.json()["errors"][0]["loc"] == ["query", wrong]


async def test_one_theater_is_shown(client: AsyncClient) -> None:
    body = await json_of(client, "/theaters/3")

    assert (body["name"], body["seat_count"], body["screenings_count"]) == ("Riethsporthalle Erfurt", 1222, 1)


@pytest.mark.changes_nothing
@pytest.mark.parametrize("path", ["/theaters/99", "/theaters/99/layout", "/theaters/99/screenings"])
async def test_a_theater_that_does_not_exist_is_not_found(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.changes_nothing
@pytest.mark.parametrize("theater_id", ["x", "1.0", "+1", "1_0", "%201", "-1", "0", "99999999999999999999"])
@pytest.mark.parametrize("part", ["", "/layout", "/screenings"])
async def test_a_theater_id_that_is_none_is_refused(client: AsyncClient, theater_id: str, part: str) -> None:
    answer = await client.get(f"/theaters/{theater_id}{part}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["path", "theater_id"]


async def test_a_layout_has_sections_and_seats(client: AsyncClient) -> None:
    body = await json_of(client, "/theaters/1/layout")

    assert body["theater_id"] == 1
    assert body["sections"][0] == {"name": "A", "seat_count": 20, "rows": ["A"], "categories": ["premium"]}
    assert [seat["id"] for seat in body["seats"]] == list(range(1, 81))
    assert body["seats"][0] == {
        "id": 1,
        "label": "A1",
        "section": "A",
        "row": "A",
        "number": 1,
        "category": "premium",
        "accessible": False,
        "companion": False,
        "restricted_view": False,
        "x": -9.5,
        "y": 0.0,
        "aisle_after": False,
        "left": None,
        "right": 2,
    }
    assert body["focal_point"] == {"x": 0.0, "y": 0.0}


async def test_the_tag_of_a_layout_is_its_revision(client: AsyncClient) -> None:
    plain = await client.get("/theaters/3/layout", headers={"accept-encoding": "identity"})
    assert plain.headers["etag"] == '"1"'


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "path", ["/theaters", "/theaters/1", "/theaters/1/layout", "/theaters/1/screenings", "/screenings", "/screenings/1"]
)
async def test_who_has_it_already_gets_no_body(client: AsyncClient, path: str) -> None:
    etag = (await client.get(path)).headers["etag"]

    for sent in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_the_screenings_of_a_theater_are_listed_soonest_first(client: AsyncClient) -> None:
    first = await client.get("/theaters/2/screenings", params={"limit": 1})
    second = await client.get(first.links["next"]["url"])

    assert [screening["id"] for page in (first, second) for screening in page.json()["items"]] == [2, 3]


async def test_of_a_layout_some_seats_can_be_had(nobody: Visitor) -> None:
    whole = await nobody.read("/theaters/1/layout")
    wanted = [whole["seats"][at]["id"] for at in (0, 1, 45)]

    some = await nobody.read(f"/theaters/1/layout?seat_ids={wanted[2]},{wanted[0]},{wanted[1]},999999")

    assert some["seats"] == [seat for seat in whole["seats"] if seat["id"] in wanted]
    assert some["sections"] == [section for section in whole["sections"] if section["name"] in ("A", "C")]
    assert some["focal_point"] == whole["focal_point"]


async def test_some_seats_are_not_sent_again(nobody: Visitor) -> None:
    first = await nobody.get("/theaters/1/layout?seat_ids=1,2")
    again = await nobody.get("/theaters/1/layout?seat_ids=1,2", if_none_match=first.headers["etag"])
    others = await nobody.get("/theaters/1/layout?seat_ids=1", if_none_match=first.headers["etag"])

    assert (again.status_code, others.status_code) == (304, 200)


@pytest.mark.parametrize("seat_ids", ["", "A1", "1,", "-1", "1;2", ",".join(["1"] * 2_001), "9" * 19])
async def test_ids_of_seats_that_are_none_are_named(client: AsyncClient, seat_ids: str) -> None:
    answer = await client.get("/theaters/1/layout", params={"seat_ids": seat_ids})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "seat_ids"]
