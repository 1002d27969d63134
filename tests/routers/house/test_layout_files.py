"""Layouts as files over HTTP: what is imported, what a dry run says, and what comes out again."""

import json
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.domain.people.people import Role
from tests.order import Connection
from tests.organizers import token_of
from tests.routers.visitors import told

TABLE = "section,row,number,category\nS,A,1,standard\nS,A,2,standard\n"
CSV = "text/csv"


@pytest.fixture
async def organizer(database: Connection) -> dict[str, str]:
    return {"authorization": f"Bearer {await token_of(database, Role.ORGANIZER)}"}


async def send(
    client: AsyncClient,
    organizer: dict[str, str],
    content: bytes,
    media_type: str = CSV,
    query: str = "",
    theater: int = 2,
) -> Response:
    headers = organizer | {"content-type": media_type}
    return await client.post(f"/theaters/{theater}/layout/import{query}", content=content, headers=headers)


def refused(answer: Response, status: int) -> Any:
    """The problem that is told."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


async def labels(client: AsyncClient, theater: int = 2) -> list[str]:
    return [seat["label"] for seat in told(await client.get(f"/theaters/{theater}/layout"), 200)["seats"]]


async def test_a_dry_run_says_what_would_be_and_changes_nothing(client: AsyncClient, organizer: dict[str, str]) -> None:
    before = await labels(client)
    table = "section,row,number,category,x,y,color\n" + "".join(f"C,A,{n},standard,{n},0,red\n" for n in (1, 2, 31))

    answer = told(await send(client, organizer, table.encode(), query="?dry_run=true"), 200)

    assert {name: answer[name] for name in ("theater_id", "dry_run", "seat_count")} == {
        "theater_id": 2,
        "dry_run": True,
        "seat_count": 3,
    }
    assert answer["kept"] + answer["added"] == 3
    assert answer["removed"] == len(before) - answer["kept"]
    assert answer["categories"] == [{"name": "standard", "seat_count": 3}]
    assert answer["warnings"] == [
        {"line": 1, "field": "color", "message": "This column is unknown. It is skipped."},
    ]
    assert [(seat["label"], seat["x"]) for seat in answer["preview"]] == [("A1", 1.0), ("A2", 2.0), ("A31", 31.0)]
    assert await labels(client) == before


async def test_an_import_changes_the_seats_and_everybody_sees_them(
    client: AsyncClient, organizer: dict[str, str]
) -> None:
    answer = told(await send(client, organizer, TABLE.encode()), 200)

    assert (answer["dry_run"], answer["seat_count"], answer["preview"]) == (False, 2, [])
    assert await labels(client) == ["A1", "A2"]
    assert [seat["label"] for seat in told(await client.get("/screenings/2/seats"), 200)["seats"]] == ["A1", "A2"]


async def test_a_file_may_come_in_a_form(client: AsyncClient, organizer: dict[str, str]) -> None:
    path = "/theaters/2/layout/import"

    sent = await client.post(path, files={"file": ("seats.csv", TABLE, CSV)}, headers=organizer)
    two = {"file": ("a.csv", TABLE, CSV), "other": ("b.csv", TABLE, CSV)}
    of_two = await client.post(path, files=two, headers=organizer)
    broken = await send(client, organizer, b"--x\r\nnothing", "multipart/form-data; boundary=x")
    unbounded = await send(client, organizer, TABLE.encode(), "multipart/form-data")

    assert told(sent, 200)["seat_count"] == 2
    assert refused(of_two, 422)["errors"] == [
        {"loc": ["body"], "code": "one_file", "message": "Send one file in the form. This one has 2."}
    ]
    for answer in (broken, unbounded):
        assert refused(answer, 422)["errors"][0]["code"] in {"form_invalid", "one_file"}


@pytest.mark.parametrize(
    ("content", "query", "errors"),
    [
        ("section,row,number\nS,A,one\n", "", [{"loc": ["body", 2, "number"], "code": "file",
            "message": "line 2: number: This should be a whole number."}]),
        ("section,row,number\nS,A,1\nS,A,1\n", "?dry_run=true", [{"loc": ["body", 3, "number"], "code": "file",
            "message": 'line 3: number: Row "A" of section "S" has two seats with the number 1.'}]),
        ("section,row,number,color\nS,A,1,red\n", "?strict=true", [{"loc": ["body", 1, "color"], "code": "file",
            "message": "line 1: color: This column is unknown. It is skipped."}]),
        ("{", "", [{"loc": ["body", 1], "code": "file",
            "message": "line 1: This is not valid JSON: unexpected end of data."}]),
        ("", "", [{"loc": ["body"], "code": "missing", "message": "There is no file in the body."}]),
    ],
)  # fmt: skip
async def test_a_mistake_is_told_with_its_line_and_changes_nothing(
    client: AsyncClient, organizer: dict[str, str], content: str, query: str, errors: list[dict[str, Any]]
) -> None:
    before = await labels(client)

    problem = refused(await send(client, organizer, content.encode(), query=query), 422)

    assert (problem["code"], problem["errors"]) == ("validation", errors)
    assert await labels(client) == before


async def test_of_many_mistakes_fifty_are_told(client: AsyncClient, organizer: dict[str, str]) -> None:
    table = "section,row,number\n" + "S,A,one\n" * 60

    problem = refused(await send(client, organizer, table.encode()), 422)

    assert [each["message"] for each in problem["errors"]][49:] == [
        "line 51: number: This should be a whole number.",
        "And 10 more mistakes.",
    ]


async def test_what_is_no_file_with_a_layout_is_refused(client: AsyncClient, organizer: dict[str, str]) -> None:
    image = await send(client, organizer, b"GIF89a", "image/gif")
    packed = await client.post(
        "/theaters/2/layout/import", content=b"x", headers=organizer | {"content-type": CSV, "content-encoding": "gzip"}
    )
    large = await send(client, organizer, b"S,A,1\n" * (2 * 1024 * 1024))

    assert refused(image, 415)["code"] == refused(packed, 415)["code"] == "unsupported-media-type"
    assert refused(large, 413)["code"] == "payload-too-large"


async def test_seats_in_use_stay_and_a_dry_run_says_so(client: AsyncClient, organizer: dict[str, str]) -> None:
    label = (await labels(client))[-1]
    told(await client.post("/screenings/2/reservations", json={"seats": [label]}), 201)

    for query in ("?dry_run=true", ""):
        problem = refused(await send(client, organizer, TABLE.encode(), query=query), 409)

        assert problem["code"] == "layout-in-use"
        assert label in json.dumps(problem["seats"])


async def test_an_import_is_guarded_by_if_match(client: AsyncClient, organizer: dict[str, str]) -> None:
    etag = (await client.get("/theaters/2/layout")).headers["etag"]
    headers = organizer | {"if-match": etag}

    assert told(await send(client, headers, TABLE.encode(), query="?dry_run=true"), 200)["seat_count"] == 2
    assert told(await send(client, headers, TABLE.encode()), 200)["seat_count"] == 2
    for query in ("", "?dry_run=true"):
        assert refused(await send(client, headers, TABLE.encode(), query=query), 412)["code"] == "precondition-failed"


async def test_only_organizers_import(client: AsyncClient, database: Connection) -> None:
    staff = {"authorization": f"Bearer {await token_of(database, Role.STAFF)}"}

    assert refused(await send(client, {}, TABLE.encode()), 401)["code"] == "unauthenticated"
    assert refused(await send(client, staff, TABLE.encode()), 403)["code"] == "forbidden"
    assert refused(await send(client, staff, b"S,A,1\n" * (1024 * 1024)), 403)["code"] == "forbidden"


@pytest.mark.parametrize(
    ("file_format", "media_type", "name"),
    [
        ("usher", "application/json", "theater-1.json"),
        ("csv", "text/csv; charset=utf-8", "theater-1.csv"),
        ("pretix", "application/json", "theater-1-pretix.json"),
    ],
)
async def test_what_comes_out_can_be_put_back_unchanged(
    client: AsyncClient, organizer: dict[str, str], file_format: str, media_type: str, name: str
) -> None:
    before = told(await client.get("/theaters/1/layout"), 200)
    file = await client.get(f"/theaters/1/layout?format={file_format}")
    assert (file.status_code, file.headers["content-type"]) == (200, media_type)
    assert file.headers["content-disposition"] == f'attachment; filename="{name}"'
    known = {"if-none-match": file.headers["etag"]}
    assert (await client.get(f"/theaters/1/layout?format={file_format}", headers=known)).status_code == 304

    answer = told(await send(client, organizer, file.content, media_type, theater=1), 200)

    assert (answer["kept"], answer["added"], answer["removed"], answer["warnings"]) == (80, 0, 0, [])
    assert told(await client.get("/theaters/1/layout"), 200) == before
    if file_format == "usher":
        again = await client.put("/theaters/1/layout", json=file.json(), headers=organizer)
        assert told(again, 200) == before


async def test_a_format_that_is_none_is_named(client: AsyncClient) -> None:
    problem = refused(await client.get("/theaters/1/layout?format=xml"), 422)

    assert [each["loc"] for each in problem["errors"]] == [["query", "format"]]


async def test_a_table_leaves_where_people_look(client: AsyncClient, organizer: dict[str, str]) -> None:
    own = told(await client.get("/theaters/2/layout?format=usher"), 200)
    wanted = own | {"focal_point": {"x": 3.0, "y": -5.0}}
    told(await client.put("/theaters/2/layout", json=wanted, headers=organizer), 200)

    told(await send(client, organizer, (await client.get("/theaters/2/layout?format=csv")).content), 200)

    assert told(await client.get("/theaters/2/layout"), 200)["focal_point"] == {"x": 3.0, "y": -5.0}


async def test_a_file_has_all_seats(client: AsyncClient) -> None:
    problem = refused(await client.get("/theaters/1/layout?format=csv&seat_ids=1"), 422)

    assert [each["loc"] for each in problem["errors"]] == [["query", "format"]]
