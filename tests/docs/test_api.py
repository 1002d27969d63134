"""docs/api.md is true: its calls, shapes, codes and messages are those of the program, and all of them."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.routing import Route, WebSocketRoute

from app.domain import refusals
from app.domain.refusals import Refusal
from app.http.live.socket import Close
from app.http.runner.routes import BASE
from app.main import ROUTERS, create_app
from app.routers import existing_clients
from app.schemas.format import faults
from app.schemas.format.faults import Fault
from app.schemas.live import ANSWERED, HEARD, TOLD
from app.schemas.problems import KINDS, Problem
from app.settings import Settings
from tests.docs.reading import ROOT, codes, rows_under, section, tables, text_of

API = text_of("api.md")
WAYS = ("seat_ids", "seats", "seat_id", "seat", "seat_number")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the document writes it: `GET /seats[?theater_id=]` and the members of its body."""

    method: str
    path: str
    query: frozenset[str]
    body: dict[str, bool] | None
    """Members, and whether each is needed."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def bare(path: str) -> str:
    """A path without the base and without the names of its parameters."""
    return re.sub(r"{[^}]*}", "{}", path).removeprefix(BASE)


def members(written: str) -> dict[str, bool]:
    """The members in `{name, timezone, layout?}`, and whether each is needed; `seats..` are five, of which one is."""
    found: dict[str, bool] = {}
    for name in filter(None, (part.strip() for part in written.strip("{}").split(","))):
        if name == "seats..":
            found |= dict.fromkeys(WAYS, False)
        else:
            found[name.removesuffix("?")] = not name.endswith("?")
    return found


def call_of(cell: str) -> Call:
    """The call that a cell begins with."""
    call, *more = codes(cell)
    found = re.fullmatch(r"(\w+) ([^\[ ]+)(?:\[\?([\w&=]+)\])?", call)
    assert found is not None, cell
    method, path, query = found.groups(default="")
    body = members(more[0]) if more and more[0].startswith("{") and method in METHODS else None
    return Call(method, bare(path), frozenset(re.findall(r"(\w+)=", query)), body)


def calls_in(text: str) -> list[tuple[Call, str, str]]:
    """The calls of its tables, each with who may call and what the answer is."""
    return [(call_of(call), who, answer) for call, who, answer in rows_under(text, "call", "who", "answer")]


CALLS = calls_in(API)
HTTP_CALLS = [row for row in CALLS if row[0].method != "WS"]
EXISTING = [call_of(call) for call, _ in rows_under(section(API, "10. "), "call", "meaning")]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return create_app(Settings()).openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Its operations by method and path."""
    return {
        f"{method.upper()} {bare(path)}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method.upper() in METHODS
    }


def routes() -> Iterator[tuple[str, str]]:
    """Every route of the program, in the document or not; sockets as WS."""
    for router in ROUTERS:
        for route in iter_route_contexts(router.routes):
            if isinstance(route.original_route, Route):
                yield from ((method, bare(route.path or "")) for method in route.methods or ())
            elif isinstance(route.original_route, WebSocketRoute):
                yield "WS", bare(route.path or "")


ROUTES = {f"{method} {path}" for method, path in routes()}


# --- calls -----------------------------------------------------------------------------------------------------------


def test_every_operation_is_in_one_table_and_every_call_is_an_operation(operations: dict[str, Any]) -> None:
    assert sorted(call.name for call, _, _ in HTTP_CALLS) == sorted(operations)


@pytest.mark.parametrize(("call", "answer"), [(call, answer) for call, _, answer in HTTP_CALLS], ids=lambda each: each)
def test_a_call_is_answered_with_the_statuses_and_the_shape_that_are_named(
    operations: dict[str, Any], call: Call, answer: str
) -> None:
    good = {status: told for status, told in operations[call.name]["responses"].items() if status.startswith("2")}
    shapes = {
        content["schema"]["$ref"].rpartition("/")[2]
        for told in good.values()
        for content in told.get("content", {}).values()
        if "$ref" in content["schema"]
    }

    assert set(re.findall(r"\b2\d\d\b", answer)) == set(good)
    assert {code for code in codes(answer) if code.endswith("Out")} == shapes


@pytest.mark.parametrize("call", [call for call, _, _ in HTTP_CALLS], ids=lambda call: call.name)
def test_a_call_takes_the_query_and_the_body_that_are_named(
    document: dict[str, Any], operations: dict[str, Any], call: Call
) -> None:
    operation = operations[call.name]
    asked = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}

    assert call.query == asked - {"limit", "cursor"}
    assert (call.body or {}) == taken_by(operation, document["components"]["schemas"])


def taken_by(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, bool]:
    """The members of an operation's body, and whether each is needed."""
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if schema.get("format") == "binary":
        return {}  # a file
    name = (schema.get("anyOf") or [schema])[0]["$ref"].rpartition("/")[2]
    return members_of(schemas[name])


def members_of(schema: dict[str, Any]) -> dict[str, bool]:
    """The members of a schema, in any of its forms, and whether each is always there."""
    forms = schema.get("oneOf", [schema])
    names = {name for form in forms for name in form.get("properties", {})}
    return {name: all(name in form.get("required", ()) for form in forms) for name in names}


@pytest.mark.parametrize(("call", "who"), [(call, who) for call, who, _ in HTTP_CALLS], ids=lambda each: each)
def test_a_token_is_needed_where_the_table_says_so(operations: dict[str, Any], call: Call, who: str) -> None:
    security = operations[call.name].get("security", [{}])

    assert who in ("anyone", "signed in", "organizer", "admin")
    assert (who == "anyone") is ({} in security)


@pytest.mark.parametrize("call", EXISTING, ids=lambda call: call.name)
def test_a_call_of_existing_clients_is_a_route(call: Call) -> None:
    assert call.name in ROUTES


def test_every_alias_is_in_the_table_of_existing_clients() -> None:
    aliases = {
        f"{method} {bare(route.path)}"
        for route in existing_clients.router.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }

    assert aliases <= {call.name for call in EXISTING}


def test_the_other_calls_and_pages_are_routes() -> None:
    pages = [call_of(cell).name for cell, _ in rows_under(API, "page or document", "what it is")]
    sockets = [call.name for call, _, _ in CALLS if call.method == "WS"]

    assert pages
    assert sockets
    assert set(pages + sockets) <= ROUTES


# --- shapes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "written"), rows_under(API, "shape", "members"))
def test_a_shape_has_the_members_that_are_named(document: dict[str, Any], shape: str, written: str) -> None:
    [name], [listed] = codes(shape), codes(written)

    assert members(listed) == members_of(document["components"]["schemas"][name])


def test_every_shape_that_is_named_is_in_the_document(document: dict[str, Any]) -> None:
    named = {code for code in codes(API) if re.fullmatch(r"[A-Z]\w+(Out|In)", code)}

    assert named
    assert named <= document["components"]["schemas"].keys()


# --- problems --------------------------------------------------------------------------------------------------------

PROBLEMS = {
    codes(code)[0]: (int(status), also)
    for code, status, also, _ in rows_under(API, "code", "status", "members", "when")
}


def noes() -> dict[str, type[Refusal] | type[Fault]]:
    """Every refusal and fault that has a code, by the name of its class."""
    kinds = inspect.getmembers(refusals, inspect.isclass) + inspect.getmembers(faults, inspect.isclass)
    return {name: kind for name, kind in kinds if issubclass(kind, (Refusal, Fault)) and hasattr(kind, "code")}


def codes_in_use() -> set[str]:
    """The codes of all noes that the program makes somewhere, and that of what nobody has foreseen."""
    made = {"internal"}
    known = noes()
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            maker = node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None
            name = maker.attr if isinstance(maker, ast.Attribute) else maker.id if isinstance(maker, ast.Name) else ""
            if name in known:
                made.add(known[name].code)
    return made


def test_the_problems_are_those_that_the_program_raises() -> None:
    assert PROBLEMS.keys() == codes_in_use()


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_has_the_status_that_its_page_says(code: str) -> None:
    assert PROBLEMS[code][0] == KINDS[code].status


def test_a_problem_has_the_members_that_its_example_has(document: dict[str, Any]) -> None:
    common = set(Problem.model_fields)
    examples = {code: example["value"] for code, example in document["components"]["examples"].items()}

    assert len(examples) > 20
    for code in examples.keys() & PROBLEMS.keys():
        listed = {written.partition(":")[0] for written in codes(PROBLEMS[code][1])}
        assert examples[code].keys() - common == listed, code


def test_every_code_that_a_sentence_names_is_in_the_table() -> None:
    named = {code for code in codes(API) if code in KINDS}

    assert named <= PROBLEMS.keys()


# --- live ------------------------------------------------------------------------------------------------------------


def test_the_messages_are_those_of_both_doors() -> None:
    written = {
        codes(kind)[0]: members(codes(listed)[0]) for kind, listed, _ in rows_under(API, "message", "members", "says")
    }
    models: set[type[BaseModel]] = {*TOLD, *ANSWERED, *HEARD}

    assert {kind: set(listed) for kind, listed in written.items()} == {
        model.model_fields["type"].annotation.__args__[0]: model.model_fields.keys() - {"type"}  # type: ignore[union-attr]
        for model in models
    }


def test_the_close_codes_are_those_of_the_socket() -> None:
    assert [int(code) for code, _ in rows_under(API, "close code", "why")] == sorted(Close)


# --- the document itself ---------------------------------------------------------------------------------------------


def test_the_sections_have_their_numbers() -> None:
    assert re.findall(r"^## (\d+)\. ", API, re.MULTILINE) == [str(number) for number in range(1, 14)]


def test_no_table_is_overlooked() -> None:
    known = {
        ("call", "who", "answer"),
        ("call", "meaning"),
        ("page or document", "what it is"),
        ("situation", "answer"),
        ("code", "status", "members", "when"),
        ("shape", "members"),
        ("limit", "default", "means"),
        ("message", "members", "says"),
        ("close code", "why"),
    }

    assert {table.head for table in tables(API)} == known


def test_the_policies_have_the_defaults_of_the_settings() -> None:
    written = {codes(limit)[0]: default for limit, default, _ in rows_under(API, "limit", "default", "means")}
    fields = Settings.model_fields

    assert written == {
        name: "none" if (default := fields[name].get_default()) is None else str(default) for name in written
    }
