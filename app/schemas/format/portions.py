"""Large JSON, parsed and written in portions: whoever waits for Python's interpreter gets it between two of them.

orjson keeps the interpreter until it has read all of a text: 30 ms and more for a house of 50,000 seats, in whatever
thread. Here expressions find where items end, and orjson reads the items, many at a time. It also decides what is
valid: a portion in brackets is a list exactly if the portion is whole items.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from app.schemas.format.json_rules import (
    CAREFUL,
    DEEPEST,
    LONGEST_TEXT,
    MOST_MEMBERS,
    member_twice,
    too_deep,
    too_long_text,
    too_many_members,
)

PORTION: Final = 64 * 1024
"""Bytes that are parsed at once; a text may be longer, up to `LONGEST_TEXT`."""

_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_TEXT: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT: Final = rb'[^][{}"]*+(?:%b[^][{}"]*+)*+' % _TEXT
_SMALL: Final = re.compile(rb'\{%b\}|\[%b\]|[^][{}",:\s]++' % (_FLAT, _FLAT), re.DOTALL)
"""An object or a list without others in it, a number, true, false or null."""
_ITEMS: Final = re.compile(rb'(?:\s*+(?:\{%b\}|\[%b\]|%b|[^][{}",:\s]++)\s*+,)++' % (_FLAT, _FLAT, _TEXT), re.DOTALL)
"""Such items of a list, each with the comma behind it."""


_AT_ONCE: Final = 500
"""So many items are written at once, if each has few members."""

_FEW: Final = 20
"""A seat has a dozen."""

_NESTED: Final = frozenset((dict, list))


def written(value: Any) -> orjson.Fragment:
    """A part of something large, as JSON: to write the whole is to join its parts, then, and takes little time."""
    return orjson.Fragment(orjson.dumps(value))


def dump(value: Any) -> Iterator[bytes]:
    """What orjson writes of this value, its members in the order of their names: in portions."""
    if isinstance(value, list):
        yield b"["
        for begun in range(0, len(value), _AT_ONCE):
            yield b"," if begun else b""
            yield from _dump_some(value[begun : begun + _AT_ONCE])
        yield b"]"
    elif isinstance(value, dict) and not _is_flat(value.values()):
        for number, name in enumerate(sorted(value)):
            yield b"%b%b:" % (b"," if number else b"{", orjson.dumps(name))
            yield from dump(value[name])
        yield b"}"
    else:
        yield orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _dump_some(items: list[Any]) -> Iterator[bytes]:
    """Items of a list, with commas between them."""
    if all(_is_small(item) for item in items):
        yield orjson.dumps(items, option=orjson.OPT_SORT_KEYS)[1:-1]
        return
    for number, item in enumerate(items):
        yield b"," if number else b""
        yield from dump(item)


def _is_small(item: Any) -> bool:
    if isinstance(item, dict):
        return len(item) <= _FEW and _is_flat(item.values())
    return not isinstance(item, list)


def _is_flat(values: Iterable[Any]) -> bool:
    return _NESTED.isdisjoint(map(type, values))


class Portions:
    """One text. `at` and `end` are places in its bytes."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def whole(self) -> Any:
        """The value of the text. Raises orjson.JSONDecodeError, and Malformed as the rules say."""
        value, end = self.value(self.skip(0))
        if (end := self.skip(end)) != len(self._body):
            raise self._invalid("unexpected content after document", end)
        return value

    def skip(self, at: int) -> int:
        """The next place that has no white space."""
        space = _SPACE.match(self._body, at)
        return space.end() if space else at

    def value(self, at: int, level: int = 0) -> tuple[Any, int]:
        """The value that begins there, within so many others, and where it ends. Raises as `whole`."""
        body = self._body
        first = body[at : at + 1]
        if first == b'"':
            end = self._end_of_text(at)
        elif small := _SMALL.match(body, at, at + PORTION):
            end = small.end()
        elif first == b"{":
            return self._object(at, level + 1)
        elif first == b"[":
            return self._list(at, level + 1)
        else:
            raise self._invalid("unexpected character" if first else "unexpected end of data", at)
        return self._parsed(at, end, level)[0], end

    def begins_list(self, at: int) -> bool:
        """Whether the value that begins there is a list."""
        return self._body[at : at + 1] == b"["

    def places(self, at: int) -> dict[str | int, int]:
        """Where each member or item of the list or object begins that begins there; nothing of what is neither."""
        if self._body[at : at + 1] not in (b"{", b"["):
            return {}
        found: dict[str | int, int] = {}
        is_object = self._body[at : at + 1] == b"{"
        at = self.skip(at + 1)
        while self._body[at : at + 1] not in (b"}", b"]"):
            name: str | int = len(found)
            if is_object:
                name, at = self._name(at)
            found[name] = at
            at = self.skip(self.value(at)[1])
            if self._body[at : at + 1] == b",":
                at = self.skip(at + 1)
        return found

    def _list(self, at: int, level: int) -> tuple[list[Any], int]:
        _must_be_allowed(level)
        items: list[Any] = []
        at = self.skip(at + 1)
        if self._body[at : at + 1] == b"]":
            return items, at + 1
        while True:
            if (some := _ITEMS.match(self._body, at, at + PORTION)) is not None:
                items += self._parsed(at, some.end() - 1, level)
                at = self.skip(some.end())
                continue
            item, end = self.value(at, level)
            items.append(item)
            at, is_last = self._after(end, b"]")
            if is_last:
                return items, at

    def _object(self, at: int, level: int) -> tuple[dict[str, Any], int]:
        _must_be_allowed(level)
        members: dict[str, Any] = {}
        at = self.skip(at + 1)
        if self._body[at : at + 1] == b"}":
            return members, at + 1
        while True:
            name, at = self._name(at)
            if name in members:
                raise member_twice(name)
            members[name], end = self.value(at, level)
            if len(members) > MOST_MEMBERS:
                raise too_many_members()
            at, is_last = self._after(end, b"}")
            if is_last:
                return members, at

    def _name(self, at: int) -> tuple[str, int]:
        """The name of a member, and where its value begins."""
        if self._body[at : at + 1] != b'"':
            raise self._invalid("object key must be a string", at)
        end = self._end_of_text(at)
        [name] = self._parsed(at, end, 0)
        colon = self.skip(end)
        if self._body[colon : colon + 1] != b":":
            raise self._invalid("expected ':'", colon)
        return name, self.skip(colon + 1)

    def _after(self, end: int, closing: bytes) -> tuple[int, bool]:
        """Where it goes on behind an item, and whether that was the last one."""
        at = self.skip(end)
        match self._body[at : at + 1]:
            case b",":
                return self.skip(at + 1), False
            case last if last == closing:
                return at + 1, True
        raise self._invalid("expected ',' or the end of a list or object", at)

    def _end_of_text(self, at: int) -> int:
        """Behind the quotation mark that closes a text: the next one before which the backslashes are even."""
        body, begun, longest = self._body, at + 1, at + LONGEST_TEXT
        while (found := body.find(b'"', begun, longest)) >= 0:
            before = body[begun:found]
            if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
                return found + 1
            begun = found + 1
        if longest < len(body):
            raise too_long_text()
        raise self._invalid("unexpected end of data", len(body))

    def _parsed(self, at: int, end: int, level: int) -> list[Any]:
        """The items of a portion, which are within so many lists and objects. None has others in it."""
        portion = self._body[at:end]
        try:
            items: list[Any] = orjson.loads(b"[%b]" % portion)
        except orjson.JSONDecodeError as error:
            raise self._invalid(error.msg, at + max(error.pos - 1, 0)) from None
        if b"[" in portion or b"{" in portion:
            _must_name_members_once(portion, items, level + 1)
        return items

    def _invalid(self, why: str, at: int) -> orjson.JSONDecodeError:
        read = self._body[:at].decode(errors="ignore")
        return orjson.JSONDecodeError(why, read + " ", len(read))


def _must_name_members_once(portion: bytes, items: list[Any], level: int) -> None:
    """JSON has as many colons as members, unless a member is there twice, or a text has a colon."""
    count = 0
    for item in items:
        if isinstance(item, (dict, list)):
            _must_be_allowed(level)
        if isinstance(item, dict):
            count += len(item)
            if len(item) > MOST_MEMBERS:
                raise too_many_members()
    if portion.count(b":") != count:
        CAREFUL.decode(f"[{portion.decode()}]")


def _must_be_allowed(level: int) -> None:
    if level > DEEPEST:
        raise too_deep()
