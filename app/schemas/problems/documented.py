"""Problems in the OpenAPI document: a schema for each kind, told apart by `code`, and what an operation may answer.

`Problem` is any of them. An answer of an operation names only those that it may have, so that a generated client knows
the members as soon as it has looked at `code`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson
from pydantic.json_schema import models_json_schema

from app.schemas.problems.kinds import KINDS, Kind, Problem, problem_json
from app.schemas.problems.members import WITH_MEMBERS, example_members, model_of

Json = dict[str, Any]

MEDIA_TYPE: Final = "application/problem+json"
_REFERENCE: Final = "#/components/schemas/{model}"
_REQUEST_ID: Final = "6f1c0d7e5a3b4c2d9e8f7a6b5c4d3e2f"

_EXAMPLE_OF: Final[Mapping[str, Json]] = {code: {"$ref": f"#/components/examples/{code}"} for code in KINDS}

ANY_PROBLEM: Final[Json] = {
    "description": "Any other problem: one of HTTP itself, which every call may have.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
}

# Other statuses of HTTP that have no kind of their own are told as one of these two.
_ANY_STATUS_OF: Final[Mapping[str, Json]] = {
    "bad-request": {"type": "integer", "minimum": 400, "maximum": 499},
    "internal": {"type": "integer", "minimum": 500, "maximum": 599},
}

_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "After so many seconds another try makes sense.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    }
}
_HEADERS: Final[Mapping[str, Mapping[str, Json]]] = {
    "busy": _RETRY_AFTER,
    "idempotency-key-in-use": _RETRY_AFTER,
    "payments-unavailable": _RETRY_AFTER,
    "rate-limited": {
        **_RETRY_AFTER,
        "RateLimit": {
            "description": "What is left (`r`) for how many seconds (`t`). It is on answers to what was allowed, too.",
            "schema": {"type": "string"},
            "example": '"taking";r=0;t=7',
        },
        "RateLimit-Policy": {
            "description": "How many requests (`q`) are allowed in how many seconds (`w`).",
            "schema": {"type": "string"},
            "example": '"taking";q=120;w=60',
        },
    },
    "unauthenticated": {
        "WWW-Authenticate": {"description": "How to say who asks.", "schema": {"type": "string"}, "example": "Bearer"}
    },
}


def problems(*codes: str) -> dict[int | str, Json]:
    """The `responses=` of an operation that may answer with these problems."""
    by_status: dict[int | str, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {status: answer_of(kinds) for status, kinds in by_status.items()}


def answer_of(codes: Sequence[str]) -> Json:
    """An answer with one of these problems, which have the same status: schema, headers, and an example of each."""
    titles = dict.fromkeys(KINDS[code].title for code in codes)
    answer: Json = {
        "description": "; ".join(titles),
        "content": {MEDIA_TYPE: {"schema": one_of(codes), "examples": {code: _EXAMPLE_OF[code] for code in codes}}},
    }
    if headers := _headers(codes):
        answer["headers"] = headers
    return answer


def codes_in(answer: Mapping[str, Any]) -> list[str]:
    """The codes of the problems in an answer that `answer_of` has made."""
    return list(answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ()))


def one_of(codes: Iterable[str]) -> Json:
    """The schema of these kinds, told apart by `code`."""
    references = {code: _REFERENCE.format(model=component(code)) for code in codes}
    if len(references) == 1:
        return {"$ref": next(iter(references.values()))}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "code", "mapping": references},
    }


@cache
def component(code: str) -> str:
    """The name of a kind's schema: `SeatsUnavailableProblem`."""
    return "".join(word.title() for word in code.split("-")) + "Problem"


def problem_schemas() -> dict[str, Json]:
    """The schemas of all kinds, of what is in them, and `Problem`: any of them."""
    models: list[type[Problem]] = [Problem, *WITH_MEMBERS.values()]
    _, together = models_json_schema([(model, "serialization") for model in models], ref_template=_REFERENCE)
    shared: dict[str, Json] = together["$defs"]
    written = {model: shared.pop(model.__name__) for model in models}
    kinds = {component(kind.code): _schema(kind, written[model_of(kind.code)]) for kind in KINDS.values()}
    any_of_them = one_of(KINDS) | {"title": "Problem", "description": Problem.__doc__}
    return {**shared, **kinds, "Problem": any_of_them}


def _schema(kind: Kind, of_its_model: Json) -> Json:
    said = {
        "type": {"type": "string", "const": f"/problems/{kind.code}"},
        "status": _ANY_STATUS_OF.get(kind.code, {"type": "integer", "const": kind.status}),
        "code": {"type": "string", "const": kind.code},
        "title": {"type": "string", "examples": [kind.title]},
        "detail": {"type": "string", "examples": [kind.advice]},
    }
    properties: Json = of_its_model["properties"]
    return {
        **of_its_model,
        "title": component(kind.code),
        "description": kind.meaning,
        "properties": {
            **properties,
            **{name: {**_described(properties[name]), **schema} for name, schema in said.items()},
        },
    }


def _described(schema: Json) -> Json:
    return {name: value for name, value in schema.items() if name in ("title", "description")}


def _headers(codes: Sequence[str]) -> Json:
    """Those that answers with these codes have; required is what all of them always have."""
    headers: Json = {}
    for code in codes:
        for name, header in _HEADERS.get(code, {}).items():
            always = all(name in _HEADERS.get(other, {}) for other in codes)
            headers[name] = {**header, "required": always}
    return headers


def problem_examples(codes: Iterable[str]) -> dict[str, Json]:
    """An example of each of these kinds, by its code, as answers refer to it."""
    return {code: _shown(KINDS[code]) for code in codes}


def _shown(kind: Kind) -> Json:
    body = problem_json(kind, kind.advice, "/api/v1/...", _REQUEST_ID, example_members(kind.code))
    return {"summary": kind.title, "value": orjson.loads(body)}
