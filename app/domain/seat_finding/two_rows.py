"""Two blocks in rows of a section that follow each other in the layout, as equal as possible."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.domain.seat_finding.blocks import block, longest, nearest_of, starts_of
from app.domain.seat_finding.picture import Picture, ones


def in_two_rows(picture: Picture, free: int, count: int) -> int | None:
    """The mask of two blocks of free seats, or None. Nobody sits alone, unless two or three seats are wanted."""
    fewest = max(1 if count in (2, 3) else 2, count - longest(free))
    for smaller in range(count // 2, fewest - 1, -1):
        chosen = _best(picture, free, smaller, count - smaller)
        if chosen is not None:
            return chosen
    return None


def _best(picture: Picture, free: int, smaller: int, larger: int) -> int | None:
    """The best of these two sizes, whichever is in front."""
    few = _InRows(picture, free, smaller)
    many = few if smaller == larger else _InRows(picture, free, larger)
    best: tuple[int, list[int], int] | None = None
    for front, back in ((few, many),) if few is many else ((few, many), (many, few)):
        for reach, here, behind in sorted(_pairs(picture, front, back)):
            if best is not None and reach > best[0]:
                break
            chosen = block(here, front.size) | block(behind, back.size)
            candidate = (reach, picture.positions(ones(chosen)), chosen)
            best = candidate if best is None else min(best, candidate)
    return None if best is None else best[-1]


def _pairs(picture: Picture, front: "_InRows", back: "_InRows") -> Iterator[tuple[int, int, int]]:
    """Of each two rows that follow each other, the nearest blocks: how near they are together, and their places.

    They are independent of each other: who has the lowest positions in one row has them together with any other.
    """
    for row in front.rows():
        behind = picture.behind.get(row)
        if behind is not None and (there := back.nearest(behind)) is not None:
            here = front.nearest(row)
            if here is not None:
                yield here[0] + there[0], here[1], there[1]


@dataclass(slots=True)
class _InRows:
    """The blocks of one size, row by row."""

    picture: Picture
    free: int
    size: int
    _starts: bytes = field(init=False)
    _known: dict[int, tuple[int, int] | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._starts = starts_of(self.free, self.size).to_bytes(self.picture.length, "little")

    def rows(self) -> list[int]:
        """The rows that have such a block."""
        runs = self.picture.runs
        return list(dict.fromkeys(runs[number].row for number in self.picture.runs_in(self._starts)))

    def nearest(self, row: int) -> tuple[int, int] | None:
        """How near the nearest block of a row is, and its place; of equals, that of the lowest positions."""
        if row not in self._known:
            self._known[row] = self._nearest(row)
        return self._known[row]

    def _nearest(self, row: int) -> tuple[int, int] | None:
        starts = [
            run.start + offset
            for run in self.picture.runs[self.picture.rows[row]]
            for offset in ones(int.from_bytes(self._starts[run.bytes], "little"))
        ]
        best = nearest_of(self.picture, starts, self.size)
        return None if best is None else (self.picture.reach(best, self.size), best)
