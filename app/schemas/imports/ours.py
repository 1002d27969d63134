"""What Usher writes into the `seat_guid` of a plan of pretix, which has no place for it elsewhere.

`usher:A1` is the label; `usher:A1 [accessible, aisle_after]` says what else is true of the seat.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

FLAGS: Final = ("accessible", "companion", "restricted_view", "aisle_after")
PIXELS: Final = 20
"""Of a seat's width in a plan that Usher writes."""

_OURS: Final = re.compile(r"usher:(.+?)(?: \[([a-z_, ]+)\])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ours:
    """A seat of ours in somebody else's format."""

    label: str
    flags: frozenset[str]

    def values(self, x: float, y: float) -> dict[str, Any]:
        """The members of the seat; its place is given in pixels."""
        place = {"x": round(x / PIXELS, 6), "y": round(y / PIXELS, 6)}
        return {"label": self.label, **place, **{flag: flag in self.flags for flag in FLAGS}}


def guid(label: str, flags: Iterable[str]) -> str:
    """What is written of a seat."""
    said = ", ".join(flags)
    return f"usher:{label} [{said}]" if said else f"usher:{label}"


def ours_of(guids: Iterable[str]) -> Mapping[str, Ours]:
    """Each guid's seat, if all of them were written by Usher; nothing otherwise."""
    found: dict[str, Ours] = {}
    for each in guids:
        if (match := _OURS.fullmatch(each)) is None:
            return {}
        flags = frozenset((match[2] or "").split(", ")) - {""}
        if flags <= set(FLAGS):
            found[each] = Ours(match[1], flags)
        else:
            found[each] = Ours(each.removeprefix("usher:"), frozenset())
    return found
