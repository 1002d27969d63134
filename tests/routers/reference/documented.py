"""The OpenAPI document, and whether an answer is as it says: its status, its headers, and every member."""

import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any, Final

import orjson
from httpx import Response
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from app.main import create_app

Json = dict[str, Any]

DOCUMENT: Final[Json] = create_app().openapi()
_DOCUMENT_URI: Final = "usher:openapi"
_REGISTRY: Final = Registry().with_resource(_DOCUMENT_URI, DRAFT202012.create_resource(DOCUMENT))
_LARGE: Final = 64 * 1024
"""Bytes of an answer that would take long to validate; smaller ones of its kind are."""
_right: Final[set[tuple[str, bytes]]] = set()
"""What is as described, by the reference to its schema: of a seat map, most seats have been looked at before."""


def _as_referred_to(_: Any, reference: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """The keyword `$ref`. All references lead into the document."""
    looked_at = reference, sha256(orjson.dumps(instance)).digest()
    if looked_at not in _right:
        errors = list(_referred_to(reference).iter_errors(instance))
        yield from errors
        if not errors:
            _right.add(looked_at)


_Remembering: Final = extend(Draft202012Validator, {"$ref": _as_referred_to})


@cache
def _referred_to(reference: str) -> Validator:
    found = _REGISTRY.resolver(_DOCUMENT_URI).lookup(reference)
    return _Remembering(found.contents, registry=_REGISTRY)


@cache
def validator(*place: str) -> Validator:
    """Validates what the schema in this place of the document describes."""
    pointer = "/".join(each.replace("~", "~0").replace("/", "~1") for each in place)
    return _Remembering({"$ref": f"#/{pointer}"}, registry=_REGISTRY)


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    # What is literal comes before a parameter in the same place, as in the table of operations.
    return [
        (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path)
        for path in sorted(DOCUMENT["paths"], key=lambda p: "{" in p)
    ]


def must_be_documented(method: str, path: str, answer: Response) -> None:
    """An answer is as the document says: its status, the code of a problem, every member, and the headers."""
    bare = path.partition("?")[0]
    canonical = bare if bare.startswith(("/api/", "/health")) else "/api/v1" + bare.removeprefix("/v1")
    for pattern, known in _paths():
        if pattern.fullmatch(canonical) and method.lower() in DOCUMENT["paths"][known]:
            _must_be_as_documented(f"{method} {path}", ("paths", known, method.lower(), "responses"), answer)
            return


def _must_be_as_documented(call: str, place: tuple[str, ...], answer: Response) -> None:
    answers = DOCUMENT["paths"][place[1]][place[2]]["responses"]
    status = str(answer.status_code)
    assert status in answers, f"{call}: {status} is not documented"
    for name, header in answers[status]["headers"].items():
        assert name in answer.headers or not header.get("required"), f"{call}: {status} without {name}"
    if not answer.content:
        return
    media_type = answer.headers["content-type"]
    content = answers[status]["content"][media_type]
    if media_type == "application/problem+json":
        assert answer.json()["code"] in content["examples"], f"{call}: {answer.json()['code']} is not documented"
    if len(answer.content) < _LARGE:
        validator(*place, status, "content", media_type, "schema").validate(answer.json())


def operations() -> Iterator[tuple[str, str, Json]]:
    """Every operation: its method, its path, and what the document says of it."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def examples_of(operation: Json) -> dict[str, Any]:
    """The bodies that an operation's document proposes, by name."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return {name: example["value"] for name, example in content.get("examples", {}).items()}
