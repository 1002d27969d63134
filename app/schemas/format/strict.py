"""Strict JSON: what two parsers might read differently is refused (RFC 8259 and RFC 7493, I-JSON).

UTF-8 only, no member twice, no NaN, no number beyond a double, no lone surrogate, no NUL, at most 64 levels deep.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import orjson

from app.schemas.format.faults import Malformed, UnsupportedMediaType, mistake
from app.schemas.format.json_rules import CAREFUL, DEEPEST, MOST_MEMBERS, too_deep, too_many_members
from app.schemas.format.portions import Portions

SEND_JSON = "Send JSON, with the header Content-Type: application/json (curl: --json)."

MOST_OBJECTS: Final = 1_000
"""Of ordinary bodies: nothing of ours needs half as many."""

LARGE: Final = 64 * 1024
MOST_VALUES: Final = 700_000
"""Of a larger body: 50,000 seats with all that may be said of each have fewer."""

_NESTED: Final = frozenset((dict, list))
_JSON_TYPE = re.compile(r"application/(?:json|[\w!#$&^.+-]+\+json)", re.IGNORECASE | re.ASCII)
_UTF_8 = re.compile(r"\s*charset\s*=\s*(?:utf-?8|\"utf-?8\")\s*", re.IGNORECASE | re.ASCII)


@lru_cache(maxsize=256)
def is_json(content_type: bytes) -> bool:
    """Whether this Content-Type is JSON. A charset, if there is one, must be UTF-8."""
    kind, *parameters = content_type.decode("latin-1").split(";")
    if not _JSON_TYPE.fullmatch(kind.strip()):
        return False
    return all(_UTF_8.fullmatch(one) for one in parameters if "charset" in one.lower())


def must_be_json(content_type: bytes | None, content_encoding: bytes | None) -> None:
    """Raises UnsupportedMediaType unless the headers announce JSON that is not compressed."""
    if content_encoding is not None and content_encoding.lower() != b"identity":
        raise UnsupportedMediaType("Compressed bodies are not supported. Send the body without Content-Encoding.")
    if content_type is None:
        raise UnsupportedMediaType(f"The body has no Content-Type. {SEND_JSON}")
    if not is_json(content_type):
        raise UnsupportedMediaType(f"The Content-Type of the body is not JSON in UTF-8. {SEND_JSON}")


def parse(body: bytes) -> Any:
    """The value of this JSON. A large one is read in portions: do it in a thread.

    Raises:
        Malformed: it is not strict JSON.
        UnsupportedMediaType: it is in UTF-16 or UTF-32.
    """
    try:
        value = loads(body)
    except orjson.JSONDecodeError as error:
        raise _explained(body, error) from None
    return must_be_free_of_nul(body, value)


def loads(body: bytes) -> Any:
    """The same, but a text may have NULs. Raises Malformed, and orjson.JSONDecodeError if it is not JSON at all."""
    if len(body) > LARGE:
        _must_be_readable(body)
        return Portions(body).whole()
    value = orjson.loads(body)
    if body.count(b":") != _count_keys(value, DEEPEST):
        _must_name_keys_once(body)
    return value


def must_be_simple(body: bytes) -> None:
    """Raises Malformed if there are too many lists, objects or members for an ordinary body. Texts count as well."""
    if body.count(b"[") + body.count(b"{") > MOST_OBJECTS or body.count(b":") > MOST_MEMBERS:
        raise mistake(
            ["body"], "json_too_large", f"The JSON has more than {MOST_OBJECTS} lists and objects, or too many members."
        )


def _must_be_readable(body: bytes) -> None:
    """Raises Malformed before a large body is parsed, if its parts are too many."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise mistake(["body"], "json_too_large", f"The JSON has more than {MOST_VALUES} values.")


def _explained(body: bytes, error: orjson.JSONDecodeError) -> Malformed | UnsupportedMediaType:
    """UTF-16 and UTF-32 begin with a byte order mark or have an early zero byte; all else is a mistake in the JSON."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in body[:2]:
        return UnsupportedMediaType("The body is not in UTF-8. Send JSON in UTF-8.")
    return mistake(["body"], "json_invalid", f"This is not valid JSON: {error.msg} at character {error.pos}.")


def must_be_free_of_nul(body: bytes, value: Any) -> Any:
    """The value of this body. Raises Malformed if a text in it has a NUL, which PostgreSQL cannot store in a text."""
    if b"\\u0000" in body:  # it may be written in no other way
        _must_be_free_of_nul(value)
    return value


def _must_be_free_of_nul(value: Any) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _must_be_free_of_nul(key)
            _must_be_free_of_nul(member)
    elif isinstance(value, list):
        for member in value:
            _must_be_free_of_nul(member)
    elif isinstance(value, str) and "\x00" in value:
        raise mistake(["body"], "string_nul", "A string contains a NUL character. Remove it.")


def _count_keys(value: Any, levels: int) -> int:
    """How many members all objects have together. JSON has as many colons, unless a member is there twice.

    Raises Malformed if the value has more levels than these.
    """
    within: Iterable[Any]
    if isinstance(value, dict):
        within, count = value.values(), len(value)
        if count > MOST_MEMBERS:
            raise too_many_members()
    elif isinstance(value, list):
        within, count = value, 0
    else:
        return 0
    if not levels:
        raise too_deep()
    if _NESTED.isdisjoint(map(type, within)):  # the usual case, without a step of ours for each seat of a list
        return count
    for member in within:
        if isinstance(member, (dict, list)):
            count += _count_keys(member, levels - 1)
    return count


def _must_name_keys_once(body: bytes) -> None:
    """Parses again, slowly: there are more colons than members, so a string has one, or a member is there twice."""
    try:
        CAREFUL.decode(body.decode())
    except RecursionError:  # in the first of two members of one name, which nobody has looked at
        raise too_deep() from None
