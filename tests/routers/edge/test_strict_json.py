"""Bodies, paths and queries that two readers could understand differently are refused, each with the right problem."""

import json
from typing import Any

import orjson
import pytest
from httpx import AsyncClient, Response

from app.schemas.format import json_rules, strict
from app.schemas.format.faults import Malformed

HOLD = "/api/v1/screenings/1/reservations"
JSON = {"content-type": "application/json"}


async def post(edge: AsyncClient, body: bytes, path: str = HOLD, **headers: str) -> Response:
    return await edge.post(
        path, content=body, headers=JSON | {name.replace("_", "-"): v for name, v in headers.items()}
    )


def code_of(answer: Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


@pytest.mark.parametrize(
    ("body", "ids", "labels"),
    [
        ({"seat_ids": [17, 18]}, [17, 18], []),
        ({"seats": ["A1", " A2 "]}, [], ["A1", "A2"]),
        ({"seat_id": 17}, [17], []),
        ({"seat": "A1"}, [], ["A1"]),
        ({"seat_number": "A1"}, [], ["A1"]),
        ({"seats": ["Café 1", "a:1"]}, [], ["Café 1", "a:1"]),
    ],
)
async def test_seats_can_be_named_in_five_ways(
    edge: AsyncClient, body: dict[str, Any], ids: list[int], labels: list[str]
) -> None:
    answer = await edge.post(HOLD, json=body)

    assert answer.status_code == 201
    assert (answer.json()["ids"], answer.json()["labels"]) == (ids, labels)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"seat_ids": None},
        {"seats": ["A1"], "seat_ids": [1]},
        {"seat": "A1", "seat_number": "A1"},
        {"seat_ids": []},
        {"seat_ids": [1, 2, 1]},
        {"seats": ["A1", " A1"]},
        {"seat_ids": list(range(1, 502))},
        {"seat_ids": [0]},
        {"seat_ids": [-1]},
        {"seat_ids": [2**63]},
        {"seat_ids": [2**64]},
        {"seat_ids": [True]},
        {"seat_ids": ["1"]},
        {"seat_ids": [1.0]},
        {"seat_ids": 1},
        {"seat_id": "1_0"},
        {"seat": ""},
        {"seat": " "},
        {"seat": "x" * 161},
        {"seat": 5},
        {"seat": "A\n1"},
        {"seat": "A\u0000"},
        {"seat": "A1", "user_id": 1},
        {"seat": "A1", "price": 0, "status": "booked", "is_admin": True},
        [],
        ["A1"],
        "A1",
        None,
        1,
    ],
)
async def test_a_body_that_does_not_name_seats_once_is_refused(edge: AsyncClient, body: Any) -> None:
    assert code_of(await edge.post(HOLD, json=body), 422) == "validation"


async def test_an_unknown_member_is_named(edge: AsyncClient) -> None:
    errors = (await edge.post(HOLD, json={"seat": "A1", "is_admin": True})).json()["errors"]

    assert [(error["loc"], error["code"]) for error in errors] == [(["body", "is_admin"], "extra_forbidden")]


async def test_an_unknown_member_is_ignored_in_the_calls_of_existing_clients(edge: AsyncClient) -> None:
    answer = await edge.post("/reserve", json={"label": "A1", "nonsense": 1})

    assert answer.json() == {"label": "A1"}


async def test_a_seat_that_is_there_twice_is_named(edge: AsyncClient) -> None:
    answer = await edge.post(HOLD, json={"seats": ["A1", "B2", "A1"]})

    assert "A1" in answer.json()["errors"][0]["message"]
    assert "B2" not in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"seats=A1",
        b'{"seat_ids": [NaN]}',
        b'{"seat_ids": [Infinity]}',
        b'{"seat_ids": [-Infinity]}',
        b'{"seat_ids": [1e400]}',
        b'{"seat_ids": [' + b"9" * 10_000 + b"]}",
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"seat_ids": ' + b"[" * 1_010 + b"]" * 1_010 + b"}",
        b'{"a":"b:c", "seat_ids": ' + b"[" * 1_010 + b"]" * 1_010 + b"}",
        b'{"seat": "\\u0000", "x": ' + b"[" * 1_010 + b"]" * 1_010 + b"}",
        b'{"seat": "A1", "seat": "A2"}',
        b'{"seat": "A:1", "seat": "A:1"}',
        b'{"seats": ["A1"], "x": {"a": 1, "a": 1}}',
        b'{"seat": "\\ud800"}',
        b'{"seat": "\\u0000"}',
        b'{"seat": "A\x00"}',
        b'{"\\u0000": 1}',
        b'{"seat": "\xff"}',
        b'\xef\xbb\xbf{"seat": "A1"}',
        b'{"seat": "A1",}',
        b'{"seat": "A1"} x',
        b"'",
        b" ",
        b"",
    ],
)
async def test_what_is_not_strict_json_is_refused(edge: AsyncClient, body: bytes) -> None:
    assert code_of(await post(edge, body), 422) == "validation"


@pytest.mark.parametrize(("level", "end"), [(b"[", b"]"), (b'{"x":', b"}"), (b'[1,{"x":', b"}]"), (b'["a", [', b"]]")])
@pytest.mark.parametrize("call", [("POST", "/reserve"), ("POST", "/theaters"), ("PUT", "/theaters/1/layout")])
async def test_at_most_64_levels_are_read(edge: AsyncClient, call: tuple[str, str], level: bytes, end: bytes) -> None:
    each = level.count(b"[") + level.count(b"{")

    async def sent(levels: int) -> Response:
        """A body with so many levels; the outermost is the body itself."""
        times, rest = divmod(levels - 1, each)
        inside = b"[" * rest + level * times + b"1" + end * times + b"]" * rest
        body = b'{"label": "A1", "more": %b}' % inside
        return await edge.request(*call, content=body, headers={"content-type": "application/json"})

    deepest, too_deep, deeper = [await sent(levels) for levels in (64, 65, 255)]

    assert deepest.status_code == 200
    for refused in (too_deep, deeper):
        assert code_of(refused, 422) == "validation"
        assert refused.json()["errors"][0]["code"] == "json_too_deep"


async def test_a_key_that_is_there_twice_is_named(edge: AsyncClient) -> None:
    [error] = (await post(edge, b'{"seat": "A1", "seat": "A2"}')).json()["errors"]

    assert (error["loc"], error["code"]) == (["body", "seat"], "duplicate_key")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8", "application/x+json"])
async def test_json_may_be_announced_in_several_ways(edge: AsyncClient, content_type: str) -> None:
    assert (await post(edge, b'{"seat": "A1"}', content_type=content_type)).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/json",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/jsonp",
        "",
    ],
)
async def test_another_content_type_gets_the_hint(edge: AsyncClient, content_type: str) -> None:
    answer = await post(edge, b'{"seat": "A1"}', content_type=content_type)

    assert code_of(answer, 415) == "unsupported-media-type"
    assert "--json" in answer.json()["detail"]
    assert "Content-Type: application/json" in answer.json()["detail"]


async def test_a_body_without_a_content_type_gets_the_hint(edge: AsyncClient) -> None:
    answer = await edge.post(HOLD, content=b'{"seat": "A1"}')

    assert code_of(answer, 415) == "unsupported-media-type"
    assert "--json" in answer.json()["detail"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
async def test_json_in_another_encoding_is_refused(edge: AsyncClient, encoding: str) -> None:
    assert code_of(await post(edge, '{"seat": "A1"}'.encode(encoding)), 415) == "unsupported-media-type"


@pytest.mark.parametrize("encoding", ["gzip", "br", "x-unknown"])
async def test_a_compressed_body_is_refused(edge: AsyncClient, encoding: str) -> None:
    answer = await post(edge, b"\x1f\x8b whatever", content_encoding=encoding)

    assert code_of(answer, 415) == "unsupported-media-type"


async def test_a_needed_body_that_is_missing_is_told_so(edge: AsyncClient) -> None:
    answer = await edge.post(HOLD)

    assert code_of(answer, 422) == "validation"
    assert answer.json()["errors"][0]["code"] == "missing"


async def test_an_empty_form_where_json_is_needed_gets_the_hint(edge: AsyncClient) -> None:
    assert code_of(await post(edge, b"", content_type="application/x-www-form-urlencoded"), 415)


@pytest.mark.parametrize(("body", "heard"), [(b"", None), (b"null", None), (b'{"label": "card"}', "card")])
async def test_an_optional_body_may_be_missing(edge: AsyncClient, body: bytes, heard: str | None) -> None:
    path = "/reservations/0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11/confirm"

    answer = await edge.post(path, content=body, headers=JSON if body else {})

    assert answer.json()["payment"] == heard


async def test_an_optional_body_is_read_as_strictly(edge: AsyncClient) -> None:
    path = "/reservations/0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11/confirm"

    assert code_of(await edge.post(path, content=b"method=card"), 415)
    assert code_of(await edge.post(path, content=b"{", headers=JSON), 422)


async def test_a_secret_is_never_repeated(edge: AsyncClient) -> None:
    answer = await edge.post("/auth/register", json={"username": "ada", "password": "hunter2"})

    assert code_of(answer, 422) == "validation"
    assert "hunter2" not in answer.text
    assert answer.json()["errors"] == [
        {"loc": ["body", "password"], "code": "string_too_short", "message": "String should have at least 8 characters"}
    ]


@pytest.mark.parametrize("body", [{"username": ["hunter2"], "password": "hunter2"}, {"password": {"a": "hunter2"}}])
async def test_a_secret_in_the_wrong_place_is_never_repeated(edge: AsyncClient, body: dict[str, Any]) -> None:
    assert "hunter2" not in (await edge.post("/auth/register", json=body)).text


async def test_a_thousand_mistakes_do_not_make_a_long_answer(edge: AsyncClient) -> None:
    answer = await post(edge, json.dumps({f"{number:05}" + "x" * 500: 1 for number in range(100)}).encode())

    assert len(answer.json()["errors"]) == 50
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "screening_id",
    [
        *("1_000", "+1", "-1", "0", "1.0", "1e3", "01", "1;2", "NaN", "null", "x", "%D9%A3"),
        *(str(2**63), str(2**64), "9" * 5_000),
        *("%201", "1%20", "%ff", "1%", "%2e%2e"),
    ],
)
async def test_an_id_that_is_no_plain_number_is_refused(edge: AsyncClient, screening_id: str) -> None:
    assert code_of(await edge.get(f"/screenings/{screening_id}/seats"), 422) == "validation"


@pytest.mark.parametrize(
    "ticket_id",
    [
        "0192f0c45a7e7c319f7a2d1c6f0e8b11",
        "%7B0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11%7D",
        "urn:uuid:0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11",
        "0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b1",
        "0192-f0c4-5a7e7c31-9f7a-2d1c6f0e8b11",
        "0192f0c45a7e7c319f7a2d1c6f0e8b11----",
        "uuid0192f0c45a7e7c319f7a2d1c6f0e8b11",
        "1",
        "x" * 5_000,
    ],
)
async def test_an_id_that_is_no_plain_uuid_is_refused(edge: AsyncClient, ticket_id: str) -> None:
    assert code_of(await edge.get(f"/tickets/{ticket_id}.svg"), 422) == "validation"


async def test_all_that_is_wrong_is_told_at_once(edge: AsyncClient) -> None:
    answer = await edge.delete("/screenings/x/seats/y")

    assert [error["loc"] for error in answer.json()["errors"]] == [["path", "screening_id"], ["path", "seat_id"]]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=1_0", "limit=%2B1", "limit=", "limit=5&limit=6", "limit=x"),
        *("section=%00", "section=%ff", "section=%", "%00=1", "limit=" + "9" * 5_000),
    ],
)
async def test_a_query_that_says_nonsense_is_refused(edge: AsyncClient, query: str) -> None:
    assert code_of(await edge.get(f"/screenings/1/seats?{query}"), 422) == "validation"


async def test_an_unknown_parameter_is_refused(edge: AsyncClient) -> None:
    refused = await edge.get("/screenings/1/seats?utm_source=mail&limit=7")
    answer = await edge.get("/screenings/1/seats?limit=7&section=Block%20A")

    assert code_of(refused, 422) == "validation"
    assert refused.json()["errors"][0]["code"] == "parameter_unknown"

    assert (answer.json()["limit"], answer.json()["section"]) == (7, "Block A")


async def test_a_query_has_no_more_parameters_than_anybody_needs(edge: AsyncClient) -> None:
    """To look for the one that is there twice took two thirds of a second with 8,000 of them."""
    many = "&".join(f"a{number}" for number in range(101))

    refused = await edge.get(f"/screenings/1/seats?{many}")

    assert code_of(refused, 422) == "validation"
    assert refused.json()["errors"][0]["code"] == "too_many"


@pytest.mark.parametrize(
    "body",
    [
        b'{"seat_ids": [' + b"[], " * 1_000 + b"1]}",
        b'{"seat_ids": [' + b"{}," * 1_000 + b"1]}",
        b'{"seat_ids": [' + (b"[" * 50 + b"]" * 50 + b",") * 30 + b"1]}",
        b"{" + b", ".join(b'"member%d": 0' % number for number in range(2_001)) + b"}",
    ],
    ids=["lists", "objects", "nested", "members"],
)
async def test_an_ordinary_body_has_few_lists_objects_and_members(edge: AsyncClient, body: bytes) -> None:
    """Each of them may be a mistake that is told, and 64 KiB have room for 21,000."""
    answer = await edge.post(HOLD, content=body, headers=JSON)

    assert code_of(answer, 422) == "validation"
    assert [error["code"] for error in answer.json()["errors"]] == ["json_too_large"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"sections": [' + b"1," * strict.MOST_VALUES + b"1]}",
        b'{"sections": [' + b"[]," * strict.MOST_VALUES + b"1]}",
        b'{"sections": [' + b"{}," * (strict.MOST_VALUES // 2) + b"1]}",
    ],
    ids=["values", "lists", "objects"],
)
def test_a_large_body_that_no_house_needs_is_not_even_parsed(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser keeps the interpreter to itself: in a thread, too."""
    monkeypatch.setattr(strict.orjson, "loads", None)

    with pytest.raises(Malformed) as refused:
        strict.parse(body)

    assert [error["code"] for error in refused.value.errors] == ["json_too_large"]


@pytest.mark.parametrize(
    "begins", [b"", b"[[], ", b'{"name": ', b"{"], ids=["alone", "in a list", "in an object", "a name"]
)
def test_a_text_of_a_large_body_is_bounded(begins: bytes) -> None:
    longest = json_rules.LONGEST_TEXT - 2
    ends = {b"": b"", b"[[], ": b"]", b'{"name": ': b"}", b"{": b": 1}"}[begins]
    strict.parse(begins + b'"%b"' % (b"a" * longest) + ends)

    with pytest.raises(Malformed) as refused:
        strict.parse(begins + b'"%b"' % (b"a" * (longest + 1)) + ends)

    assert [error["code"] for error in refused.value.errors] == ["json_too_large"]


@pytest.mark.parametrize("begins", [b"{", b'{"sections": [{"a": [], '], ids=["flat", "nested"])
def test_an_object_of_a_large_body_has_few_members(begins: bytes) -> None:
    members = b",".join(b'"%d":1' % number for number in range(strict.LARGE))

    with pytest.raises(Malformed) as refused:
        strict.parse(begins + members + b"}")

    assert [error["code"] for error in refused.value.errors] == ["json_too_large"]


def test_the_largest_house_with_all_that_may_be_said_of_its_seats_is_parsed() -> None:
    said = {"label": "A", "category": "c", "accessible": True, "companion": True, "restricted_view": True}
    seats = [{"number": at, **said, "x": 1.0, "y": 1.0, "aisle_after": True} for at in range(10)]
    rows = [{"row": str(row), "seats": seats, "category": "c"} for row in range(5_000)]
    house = {"sections": [{"name": "S", "rows": rows, "category": "c"}], "focal_point": {"x": 0.0, "y": 0.0}}

    assert strict.parse(orjson.dumps(house)) == house


async def test_a_missing_token_is_told_before_a_bad_id(edge: AsyncClient) -> None:
    assert code_of(await edge.get("/screenings/x/seats/me"), 401) == "unauthenticated"
