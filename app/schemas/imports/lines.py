"""Finds the line of a value in a JSON text."""

import re
from bisect import bisect_left
from typing import Any

import orjson

from app.schemas.format import strict
from app.schemas.format.faults import Malformed
from app.schemas.format.portions import Portions
from app.schemas.imports.files import Complaint, FileWrong, Loc


def parse(text: str) -> Any:
    """The value of this JSON. Raises FileWrong if it is not strict JSON."""
    body = text.encode()
    try:
        return strict.must_be_free_of_nul(body, strict.loads(body))
    except orjson.JSONDecodeError as error:
        raise FileWrong([Complaint(error.lineno, "", f"This is not valid JSON: {error.msg}.")]) from None
    except Malformed as malformed:
        [error_, *_] = malformed.errors
        key = str(error_["loc"][-1])
        raise FileWrong([Complaint(_last_line_of(text, key), key, error_["message"])]) from None


class Lines:
    """The lines of a valid JSON text. Each list and each object is read once, however many of its values are asked."""

    def __init__(self, text: str) -> None:
        body = text.encode()
        self._portions = Portions(body)
        self._breaks = [found.start() for found in re.finditer(b"\n", body)]
        self._steps: dict[int, dict[str | int, int]] = {}

    def line_of(self, loc: Loc) -> int:
        """The line (from 1) of the value at this path; if it does not exist, of the nearest one around it."""
        at = self._portions.skip(0)
        for step in loc:
            if isinstance(step, str) and self._portions.begins_list(at):
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
            known = self._steps[at] = self._portions.places(at)
        return known


def _last_line_of(text: str, key: str) -> int | None:
    place = text.rfind(f'"{key}"')
    return None if place < 0 else text.count("\n", 0, place) + 1
