"""Swagger UI and the OpenAPI document: without the internet, under a strict policy, and complete."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from httpx import AsyncClient

from app.main import create_app
from app.schemas.problems import KINDS
from app.schemas.problems.documented import one_of

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the whole application, which needs nothing to be running."""
    return create_app().openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


class Sources(HTMLParser):
    """What a page loads, and whether it has scripts of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = dict(attrs)
        self.inline += (tag == "script" and "src" not in at) + any(name.startswith("on") for name in at)
        self.loaded += [at[name] or "" for name in ("src", "href") if name in at and tag != "a"]


async def test_the_page_loads_only_what_we_serve(edge: AsyncClient) -> None:
    page = await edge.get("/docs")
    sources = Sources()
    sources.feed(page.text)

    assert sources.inline == 0
    assert len(sources.loaded) == 5
    for source in sources.loaded:
        assert source.startswith("/docs/")
        assert (await edge.get(source)).status_code == 200


async def test_the_policy_is_strict(edge: AsyncClient) -> None:
    policy = (await edge.get("/docs")).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'self'(;|$)", policy)
    assert "http" not in policy


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js", "/openapi.json"])
async def test_what_the_caller_has_is_not_sent_again(edge: AsyncClient, path: str) -> None:
    first = await edge.get(path)
    again = await edge.get(path, headers={"if-none-match": first.headers["etag"]})
    other = await edge.get(path, headers={"if-none-match": '"another"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert other.status_code == 200
    assert "no-store" not in first.headers["cache-control"]


async def test_the_document_is_served_as_it_is(edge: AsyncClient) -> None:
    answer = await edge.get("/openapi.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1")


def test_every_operation_says_what_it_does(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert len(operation["tags"]) == 1, name


def test_operation_ids_are_camel_case_and_unique(operations: dict[str, dict[str, Any]]) -> None:
    ids = [operation["operationId"] for operation in operations.values()]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z]+([A-Z][a-z0-9]*)*", each) for each in ids)


def test_every_tag_is_described(document: dict[str, Any], operations: dict[str, dict[str, Any]]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}

    assert {tag for operation in operations.values() for tag in operation["tags"]} <= described


def test_paths_are_shown_once_under_the_canonical_base(document: dict[str, Any]) -> None:
    assert all(path.startswith(("/api/v1/", "/health")) for path in document["paths"])


def test_every_documented_error_is_a_problem_with_an_example(
    document: dict[str, Any], operations: dict[str, dict[str, Any]]
) -> None:
    examples = document["components"]["examples"]
    for name, operation in operations.items():
        for status, answer in operation["responses"].items():
            if not status.startswith(("4", "5")) or "/health" in name:
                continue
            told = answer["content"]["application/problem+json"]
            assert told["schema"] == one_of(told["examples"]), name
            for code, example in told["examples"].items():
                assert example == {"$ref": f"#/components/examples/{code}"}, name
                assert KINDS[code].status == int(status) == examples[code]["value"]["status"], name


def test_fastapis_own_errors_are_not_in_it(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in str(document)


def test_a_token_is_optional_only_where_guests_are_welcome(operations: dict[str, dict[str, Any]]) -> None:
    hold = operations["POST /api/v1/screenings/{screening_id}/reservations"]

    assert operations["GET /api/v1/me"]["security"] == [{"bearer": []}, {"password": []}]
    assert hold["security"] == [{}, {"bearer": []}, {"password": []}]


def test_every_operation_with_a_token_says_which_scope_a_key_needs(operations: dict[str, dict[str, Any]]) -> None:
    with_token = {name for name, operation in operations.items() if "security" in operation}

    assert {name for name, operation in operations.items() if "x-scope" in operation} == with_token
    assert operations["GET /api/v1/me"]["x-scope"] == "read"
    assert operations["POST /api/v1/bookings"]["x-scope"] == "sell"
    assert operations["POST /api/v1/screenings/{screening_id}/blocks"]["x-scope"] == "house"
    assert operations["GET /api/v1/api-keys"]["x-scope"] == "people"


def test_swagger_can_sign_in_with_a_password(document: dict[str, Any], operations: dict[str, dict[str, Any]]) -> None:
    scheme = document["components"]["securitySchemes"]["password"]
    login = operations[f"POST {scheme['flows']['password']['tokenUrl']}"]

    assert scheme["type"] == "oauth2"
    assert login["requestBody"]["content"].keys() == {"application/json", "application/x-www-form-urlencoded"}


def test_a_key_is_offered_where_seats_change_and_where_organizers_create(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        if name in ("POST /api/v1/bookings/find", "POST /api/v1/screenings/{screening_id}/check-selection"):
            continue  # they change nothing
        keys = [each for each in operation.get("parameters", ()) if each["name"] == "Idempotency-Key"]
        changes_seats = re.match("(POST|PUT|PATCH|DELETE) ", name) and set(operation["tags"]) & {
            *("seats", "reservations", "bookings", "transfers")
        }
        creates = name in ("POST /api/v1/theaters", "POST /api/v1/theaters/{theater_id}/screenings")
        assert len(keys) == (1 if changes_seats or creates else 0), name


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/docs/", "text/html; charset=utf-8"), ("/favicon.ico", "image/png"), ("/docs", "text/html; charset=utf-8")],
)
async def test_what_browsers_ask_for_is_there(edge: AsyncClient, path: str, kind: str) -> None:
    answer = await edge.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
