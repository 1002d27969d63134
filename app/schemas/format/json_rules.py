"""What JSON must keep to beyond its grammar: how deep it may be, how many members an object has, each of them once."""

from json import JSONDecoder
from typing import Any, Final

from app.schemas.format.faults import Malformed, mistake

DEEPEST: Final = 64
"""Levels of lists and objects within each other. Nothing of ours needs ten; what is done with each level recurses."""

MOST_MEMBERS: Final = 2_000
"""Of one object, and of an ordinary body: nothing of ours needs half as many, and each may become a mistake to tell."""

LONGEST_TEXT: Final = 1024 * 1024
"""Bytes of a text: nothing of ours needs a thousandth, but plans of others may have pictures in them. It is read in one
go, and keeps the interpreter meanwhile."""


def too_deep() -> Malformed:
    """The mistake of somebody who sent more levels."""
    return mistake(["body"], "json_too_deep", f"The JSON is nested more than {DEEPEST} levels deep.")


def too_many_members() -> Malformed:
    """The mistake of somebody who sent an object with more members."""
    return mistake(["body"], "json_too_large", f"An object of the JSON has more than {MOST_MEMBERS} members.")


def too_long_text() -> Malformed:
    """The mistake of somebody who sent a longer text."""
    return mistake(["body"], "json_too_large", f"A text of the JSON has more than {LONGEST_TEXT} bytes.")


def member_twice(name: str) -> Malformed:
    """The mistake of somebody who named a member twice: which one counts would be a guess."""
    return mistake(["body", name], "duplicate_key", "This member is there more than once.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise member_twice(key)
        members[key] = value
    return members


CAREFUL: Final = JSONDecoder(object_pairs_hook=_once)
"""Raises `member_twice`. It is slow."""
