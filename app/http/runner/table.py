"""Finds the operation of a path: a tree of segments, built once. A hundred routes cost no more than ten."""

import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

_PARAMETER = re.compile(r"\{(\w+)\}([^{}]*)")


@dataclass(slots=True)
class _Node(Generic[T]):
    literal: dict[str, "_Node[T]"] = field(default_factory=dict)
    # By what follows the parameter within the segment (".svg"), the longest first; normally only "".
    parameter: list[tuple[str, "_Node[T]"]] = field(default_factory=list)
    methods: dict[str, T] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What a path leads to: an operation for each method, and the parameters in order, as text."""

    methods: dict[str, T]
    parameters: tuple[str, ...]


class Table(Generic[T]):
    """Operations by path and method. A literal segment wins over a parameter."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, method: str, operation: T) -> None:
        """Enter an operation under a path such as `/screenings/{screening_id}/seats` or `/tickets/{ticket_id}.svg`.

        Raises ValueError if the path has an unknown form, or is there already.
        """
        node = self._root
        for segment in path.split("/")[1:]:
            node = self._child(node, segment)
        if node.methods.setdefault(method, operation) is not operation:
            raise ValueError(f"two operations for {method} {path}")

    def find(self, path: str) -> Found[T] | None:
        """The operations of a path; None if there are none."""
        return _walk(self._root, path.split("/"), 1, ())

    def _child(self, node: _Node[T], segment: str) -> _Node[T]:
        if "{" not in segment:
            return node.literal.setdefault(segment, _Node())
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None:
            raise ValueError(f"not a segment that the table knows: {segment}")
        ending = parameter[2]
        for known, child in node.parameter:
            if known == ending:
                return child
        child = _Node[T]()
        node.parameter.append((ending, child))
        node.parameter.sort(key=lambda entry: -len(entry[0]))
        return child


def _walk(node: _Node[T], segments: list[str], at: int, values: tuple[str, ...]) -> Found[T] | None:
    while at < len(segments):
        child = node.literal.get(segments[at])
        if child is None or node.parameter:
            return _try(node, segments, at, values)
        node = child
        at += 1
    return Found(node.methods, values) if node.methods else None


def _try(node: _Node[T], segments: list[str], at: int, values: tuple[str, ...]) -> Found[T] | None:
    """Where both are possible, the literal segment is tried first, then the parameter."""
    segment = segments[at]
    if (child := node.literal.get(segment)) and (found := _walk(child, segments, at + 1, values)):
        return found
    for ending, child in node.parameter:
        value = segment.removesuffix(ending) if ending else segment
        if value and (not ending or value != segment) and (found := _walk(child, segments, at + 1, (*values, value))):
            return found
    return None
