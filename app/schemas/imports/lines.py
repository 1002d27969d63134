"""Finds the line of a value in a JSON text."""

import re
from bisect import bisect_left
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


class Lines:
    """The lines of a valid JSON text. Each list and each object is read once, however many of its values are asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._steps: dict[int, dict[str | int, int]] = {}

    def line_of(self, loc: Loc) -> int:
        """The line (from 1) of the value at this path; if it does not exist, of the nearest one around it."""
        at = _skip(self._text, 0)
        for step in loc:
            if isinstance(step, str) and self._text[at : at + 1] == "[":
                continue  # pydantic's word for the kind of list, no step into it
            found = self._below(at).get(step)
            if found is None:
                break
            at = found
        return bisect_left(self._breaks, at) + 1

    def _below(self, at: int) -> dict[str | int, int]:
        """Where each member or item of the value at `at` begins; empty if it has none."""
        known = self._steps.get(at)
        if known is None:
            known = self._steps[at] = _steps(self._text, at)
        return known


def _steps(text: str, at: int) -> dict[str | int, int]:
    opening = text[at : at + 1]
    if opening not in ("{", "["):
        return {}
    found: dict[str | int, int] = {}
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        key: str | int = len(found)
        if opening == "{":
            key, end = _value(text, at)
            at = _skip(text, _skip(text, end) + 1)
        found[key] = at
        at = _skip(text, _value(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


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
