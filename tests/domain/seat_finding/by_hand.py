"""Finding seats by looking at everything: slow, plain, and independent of the picture. Right in small houses only."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, pairwise
from math import dist
from typing import Any, TypeAlias

from app.domain.seats import Layout, Seat

Places: TypeAlias = frozenset[int]
"""Some seats by their positions in the layout."""


class ByHand:
    """A house and who is free in it; positions say which seats are meant."""

    def __init__(self, layout: Layout, free: Iterable[int], released: bool = False) -> None:
        self.seats = layout.seats
        self.sections: dict[str, dict[str, list[int]]] = {}
        for position, seat in enumerate(layout.seats):
            self.sections.setdefault(seat.section, {}).setdefault(seat.row, []).append(position)
        self.rows = [row for section in self.sections.values() for row in section.values()]
        self.runs = [run for row in self.rows for run in self._runs(row)]
        self.beside: dict[int, set[int]] = {position: set() for position in range(len(layout.seats))}
        for run in self.runs:
            for one, other in pairwise(run):
                self.beside[one].add(other)
                self.beside[other].add(one)
        self.free = frozenset(free)
        self.ordinary = frozenset(at for at in self.free if released or not self._is_reserved(self.seats[at]))
        xs = [seat.x for seat in layout.seats]
        middle = ((min(xs) + max(xs)) / 2, min(seat.y for seat in layout.seats))
        point = layout.focal_point
        self.focal_point = (point.x, point.y) if point else middle

    def _is_reserved(self, seat: Seat) -> bool:
        return seat.accessible or seat.companion

    def _runs(self, row: list[int]) -> Iterator[list[int]]:
        row.sort(key=lambda at: (self.seats[at].x, self.seats[at].y, at))
        steps = [self.apart(one, other) for one, other in pairwise(row)]
        usual = sorted(steps)[(len(steps) - 1) // 2] if steps else 0.0
        run = [row[0]]
        for (one, other), step in zip(pairwise(row), steps, strict=True):
            if self.seats[one].aisle_after or step > 1.5 * usual + 1e-9:
                yield run
                run = []
            run.append(other)
        yield run

    def place(self, at: int) -> tuple[float, float]:
        return self.seats[at].x, self.seats[at].y

    def apart(self, one: int, other: int) -> float:
        return round(dist(self.place(one), self.place(other)), 9)

    def blocks(self, size: int, among: Places) -> list[Places]:
        return [
            frozenset(run[start : start + size])
            for run in self.runs
            for start in range(len(run) - size + 1)
            if among.issuperset(run[start : start + size])
        ]

    def is_block(self, chosen: Places) -> bool:
        return chosen in self.blocks(len(chosen), chosen)

    def singles(self, free: Places) -> Places:
        return frozenset(at for at in free if not self.beside[at] & free)

    def strands(self, chosen: Places, free: Places | None = None) -> Places:
        before = self.ordinary if free is None else free
        return self.singles(before - chosen) - self.singles(before)

    def far(self, chosen: Places) -> float:
        return round(sum(dist(self.place(at), self.focal_point) for at in chosen) / len(chosen), 9)

    def alone(self, chosen: Places) -> int:
        return sum(not self.beside[at] & chosen for at in chosen)

    def best(self, count: int, fits: Callable[[Seat], bool], is_required: bool = False) -> Places | None:
        """The seats that must be chosen."""
        among = frozenset(at for at in self.ordinary if fits(self.seats[at]))
        for choices in self.stages(count, among, is_required):
            if choices:
                return min(choices, key=lambda chosen: (self.far(chosen), sorted(chosen)))
        return None

    def stages(self, count: int, among: Places, is_required: bool) -> Iterator[list[Places]]:
        """The choices that may be made, in the order in which they count."""
        blocks = self.blocks(count, among)
        yield [chosen for chosen in blocks if not self.strands(chosen)]
        yield blocks
        if is_required or len(among) < count:
            return
        for smaller in range(count // 2, 0, -1):
            if smaller > 1 or count in (2, 3):
                yield list(self.in_two_rows(smaller, count - smaller, among))
        yield self.closest(count, among)

    def in_two_rows(self, smaller: int, larger: int, among: Places) -> Iterator[Places]:
        for section in self.sections.values():
            for front, back in pairwise(section.values()):
                for here, there in ((smaller, larger), (larger, smaller)):
                    for one in self.blocks(here, among.intersection(front)):
                        for other in self.blocks(there, among.intersection(back)):
                            yield one | other

    def closest(self, count: int, among: Places) -> list[Places]:
        def rank(chosen: Places) -> tuple[int, float]:
            return self.alone(chosen), max((self.apart(*pair) for pair in combinations(chosen, 2)), default=0.0)

        choices = {chosen: rank(chosen) for chosen in map(frozenset, combinations(among, count))}
        best = min(choices.values())
        return [chosen for chosen, rank in choices.items() if rank == best]

    def best_accessible(self, count: int, wheels: int, is_required: bool = False) -> Places | None:
        """The seats that must be chosen for so many wheelchair users and their company."""

        def rank(chosen: Places) -> Any:
            spots = [at for at in chosen if self.seats[at].accessible]
            company = [at for at in chosen if self.is_company(at, chosen)]
            others = chosen.difference(spots, company)
            blocks = len(self.pieces(chosen))
            away = round(sum(min(self.apart(at, spot) for spot in spots) for at in others), 7)
            return -len(company), blocks, away, self.far(chosen), sorted(chosen)

        choices = [
            chosen
            for chosen in map(frozenset, combinations(sorted(self.free), count))
            if sum(self.seats[at].accessible for at in chosen) == wheels
            and all(self.seats[at].accessible or self.is_company(at, chosen) or at in self.ordinary for at in chosen)
            and (not is_required or self.is_block(chosen))
        ]
        return min(choices, key=rank, default=None)

    def is_company(self, at: int, chosen: Places) -> bool:
        seat = self.seats[at]
        return (
            seat.companion
            and not seat.accessible
            and any(self.seats[near].accessible for near in self.beside[at] & chosen)
        )

    def may_be_alone(self, at: int, rule: str) -> bool:
        return rule == "off" or (rule == "lenient" and len(self.beside[at]) < 2)

    def left_alone(self, chosen: Places, rule: str, free: Places | None = None) -> Places:
        return frozenset(at for at in self.strands(chosen, free) if not self.may_be_alone(at, rule))

    def pieces(self, chosen: Places) -> list[Places]:
        """The runs of some seats."""
        found = []
        for run in self.runs:
            piece: list[int] = []
            for at in [*run, -1]:
                if at in chosen:
                    piece.append(at)
                elif piece:
                    found.append(frozenset(piece))
                    piece = []
        return found

    def kinds(self, chosen: Iterable[int]) -> Counter[str]:
        return Counter(self.seats[at].category for at in chosen)

    def refuses(self, chosen: Places, rule: str, given: Places = frozenset()) -> bool:
        alone = self.left_alone(chosen, rule)
        for piece in self.pieces(chosen & self.ordinary):
            if any(self.beside[at] & alone for at in piece):
                free = self.ordinary - chosen | piece
                places = free if rule == "strict" else next(run for run in self.pieces(free) if piece <= run)
                if any(
                    self.kinds(other) == self.kinds(piece) and not self.left_alone(other, rule, free)
                    for other in self.blocks(len(piece), places)
                    if not other & given
                ):
                    return True
        return False

    def suggestions(self, wanted: Places) -> list[Places]:
        def centre(chosen: Places) -> tuple[float, float]:
            return (
                sum(self.seats[at].x for at in chosen) / len(chosen),
                sum(self.seats[at].y for at in chosen) / len(chosen),
            )

        alike = [each for each in self.blocks(len(wanted), self.ordinary) if self.kinds(each) == self.kinds(wanted)]
        return sorted(
            alike,
            key=lambda each: (
                bool(self.strands(each)),
                round(dist(centre(each), centre(wanted)), 7),
                sorted(each),
            ),
        )[:3]
