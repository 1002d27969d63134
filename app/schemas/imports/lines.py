"""Finds the line of a value in a JSON text."""

import re
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

import orjson

from app.schemas.format import strict
from app.schemas.format.faults import Malformed, UnsupportedMediaType
from app.schemas.imports.files import Complaint, FileWrong, Loc

_DECODER: Final = JSONDecoder()
_SPACE: Final = re.compile(r"[ \t\r\n]*")


def parse(text: str) -> Any:
    """The value of this JSON. Raises FileWrong if it is not strict JSON."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FileWrong([Complaint(error.lineno, "", f"This is not valid JSON: {error.msg}.")]) from None
    try:
        return strict.parse(text.encode())
    except Malformed as malformed:
        [error_, *_] = malformed.errors
        key = str(error_["loc"][-1])
        raise FileWrong([Complaint(_last_line_of(text, key), key, error_["message"])]) from None
    except UnsupportedMediaType as error:
        raise FileWrong([Complaint(None, "", error.why)]) from None


def line_of(text: str, loc: Loc) -> int:
    """The line (from 1) of the value at this path; if it does not exist, of the nearest one around it."""
    at = _skip(text, 0)
    for step in loc:
        if isinstance(step, str) and text[at : at + 1] == "[":
            continue  # pydantic's word for the kind of list, no step into it
        found = _step(text, at, step)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _step(text: str, at: int, step: str | int) -> int | None:
    """The position where a member or an item of the value at `at` begins; None: there is no such."""
    opening = text[at : at + 1]
    if opening not in ("{", "[") or isinstance(step, str) != (opening == "{"):
        return None
    at = _skip(text, at + 1)
    count = 0
    while text[at] not in "}]":
        key: str | int = count
        if opening == "{":
            key, end = _value(text, at)
            at = _skip(text, _skip(text, end) + 1)
        if key == step:
            return at
        at = _skip(text, _value(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
        count += 1
    return None


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except (JSONDecodeError, RecursionError):
        return None, len(text) - 1


def _skip(text: str, at: int) -> int:
    """The position after white space."""
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _last_line_of(text: str, key: str) -> int | None:
    place = text.rfind(f'"{key}"')
    return None if place < 0 else text.count("\n", 0, place) + 1
