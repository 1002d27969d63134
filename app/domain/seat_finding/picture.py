"""One picture of the rows of a house, as numbers: built once per layout, asked again and again.

Every seat has a *place*: the number of a bit. Runs lie one after the other, each from a new byte on, with at least one
empty bit behind it; so two seats are neighbours if, and only if, their places follow each other, and a question about
all seats is a few operations on whole numbers. Any set of seats is such a number: a *mask*.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from math import frexp, hypot
from re import finditer
from typing import Final, NamedTuple

from app.domain.seat_maps.runs import neighbours_of, rows_of, runs_in
from app.domain.seats import Layout, Point, Seat
from app.domain.values import value

_FINENESS: Final = 36
"""Distances are whole numbers: the size of the house is about two to this power. So the last digits of floats decide
nothing, and two blocks on either side of the middle are equally far from it."""
_BELIEVED: Final = 42
"""So many bits of a float are believed, of 53."""
FINER: Final = 16
"""Coordinates are finer by so many bits, so that rounding them does not show in a distance."""
UNIT: Final = 2.0**-FINER
"""The unit of coordinates, in that of distances."""
_SIZES_KEPT: Final = 32
_AROUND_KEPT: Final = 256


@value(frozen=True, slots=True)
class Run:
    """Seats side by side: the first place, how many they are, and the number of their row."""

    start: int
    size: int
    row: int

    @property
    def bytes(self) -> slice:
        """Where its bits are in the bytes of a mask."""
        return slice(self.start // 8, (self.start + self.size) // 8 + 1)


class Slope(NamedTuple):
    """How far the blocks of one size in a run are from the focal point: at least so far.

    The nearest ones begin at the offset `first`, and so many more as `middle` has ones; from there on to either side
    each is farther than the one before. None: that is not so in this run.
    """

    least: int
    start: int
    bytes: slice
    first: int | None
    middle: int


class Picture:
    """The rows, runs and distances of one layout. It never changes; sets of seats are masks that the caller keeps."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.runs: list[Run] = []
        self.rows: list[slice] = []
        """Of each row, its runs."""
        self.behind: dict[int, int] = {}
        """Of each row, the one that follows it in its section, in the order of the layout."""
        self._run_at: list[int] = []
        """Of each byte of a mask, the number of its run."""
        self._by_place: list[Seat | None] = []
        self._lay_out()
        self.length = len(self._by_place) // 8
        """In bytes, of a mask of all seats."""
        self.place = {seat.id: place for place, seat in enumerate(self._by_place) if seat}
        numbers = {seat.id: position for position, seat in enumerate(layout.seats)}
        self.position = [numbers[seat.id] if seat else -1 for seat in self._by_place]
        self._measure(layout.focal_point or middle_of_the_front(layout))
        self.whole = self.mask(self.place)
        self.accessible = self._mask_where(lambda seat: seat.accessible)
        self.companion = self._mask_where(lambda seat: seat.companion and not seat.accessible)
        self.ordinary = self.whole & ~self.accessible & ~self.companion
        self.ends = self._ends()
        """The seats beside an aisle or at an end of their row."""
        self.sections = self._masks_by("section")
        self.categories = self._masks_by("category")
        self.category_masks = list(self.categories.values())
        numbered = {name: number for number, name in enumerate(self.categories)}
        self.category = [numbered[seat.category] if seat else -1 for seat in self._by_place]
        """Of each place, the number of its category."""
        self._least: dict[int, list[tuple[int, int]]] = {}
        self._around: dict[int, list[tuple[int, int]]] = {}
        self._slopes: dict[int, dict[int, Slope]] = {}

    def mask(self, seat_ids: Iterable[int]) -> int:
        """These seats as a mask. Ids of other theaters are ignored."""
        bits, place_of = bytearray(self.length), self.place.get
        for seat_id in seat_ids:
            place = place_of(seat_id)
            if place is not None:
                bits[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(bits, "little")

    def free(self, taken: Iterable[int]) -> int:
        """The mask of all seats except those with these ids."""
        return self.whole & ~self.mask(taken)

    def seats(self, mask: int) -> tuple[Seat, ...]:
        """The seats of a mask, in the order of the layout."""
        return tuple(self.layout.seats[position] for position in self.positions(ones(mask)))

    def positions(self, places: Iterable[int]) -> list[int]:
        """The positions of these seats in the layout, the lowest first. Of equals, the lower list comes first."""
        return sorted(map(self.position.__getitem__, places))

    def kind(self, section: str | None, categories: Collection[str] | None) -> int:
        """The mask of the seats of a section and of these categories; None: of all."""
        mask = self.whole if section is None else self.sections.get(section, 0)
        if categories is not None:
            among = 0
            for category in categories:
                among |= self.categories.get(category, 0)
            mask &= among
        return mask

    def reach(self, start: int, size: int) -> int:
        """How far a block is from the focal point: the sum over its seats."""
        return self.far_sums[start + size] - self.far_sums[start]

    def between(self, one: int, other: int) -> int:
        """The distance between the seats at two places."""
        return whole_distance(self.xs[one] - self.xs[other], self.ys[one] - self.ys[other])

    def away_from_run(self, number: int, box: tuple[int, int, int, int]) -> int:
        """No seat of a run is nearer to what is between these least and greatest x and y, in the unit of `xs`."""
        left, right, front, back = self.boxes[number]
        west, east, south, north = box
        return whole_distance(max(left - east, west - right, 0), max(front - north, south - back, 0)) - 1

    def around(self, number: int) -> Sequence[tuple[int, int]]:
        """All runs, the nearest to a run first: how far at least a seat of it is from the seats of that run, and its
        number."""
        known = self._around.get(number)
        if known is None:
            box = self.boxes[number]
            known = sorted((self.away_from_run(other, box), other) for other in range(len(self.runs)))
            if len(self._around) >= _AROUND_KEPT:
                del self._around[next(iter(self._around))]
            self._around[number] = known
        return known

    def run_of(self, place: int) -> int:
        """The number of the run that a seat is in."""
        return self._run_at[place >> 3]

    def runs_in(self, data: bytes) -> list[int]:
        """The numbers of the runs that have seats of a mask, which is given as bytes."""
        return list(dict.fromkeys(self._run_at[found.start()] for found in finditer(rb"[^\0]", data)))

    def least(self, size: int) -> Sequence[tuple[int, int]]:
        """Of each run that is long enough, how near a block of this size can be, and its number; the nearest first."""
        known = self._least.get(size)
        if known is None:
            known = self._least_of(size)
            if len(self._least) >= _SIZES_KEPT:
                del self._least[next(iter(self._least))]
            self._least[size] = known
        return known

    def slopes(self, size: int) -> Mapping[int, Slope]:
        """As `least`, by the number of the run, and where in each run the nearest blocks are."""
        known = self._slopes.get(size)
        if known is None:
            known = {number: self._slope(size, least, self.runs[number]) for least, number in self.least(size)}
            if len(self._slopes) >= _SIZES_KEPT:
                del self._slopes[next(iter(self._slopes))]
            self._slopes[size] = known
        return known

    def neighbours(self) -> tuple[tuple[int | None, int | None], ...]:
        """Of each seat, in the order of the layout, its left and right neighbours' ids; None at an aisle or end."""
        return neighbours_of(self.layout)

    def _lay_out(self) -> None:
        section_before: str | None = None
        for number, row in enumerate(rows_of(self.layout)):
            if row[0].section == section_before:
                self.behind[number - 1] = number
            section_before = row[0].section
            first = len(self.runs)
            for run in runs_in(row):
                self._run_at += [len(self.runs)] * (len(run) // 8 + 1)
                self.runs.append(Run(len(self._by_place), len(run), number))
                self._by_place += run
                self._by_place += [None] * (8 - len(run) % 8)
            self.rows.append(slice(first, len(self.runs)))

    def _measure(self, focal_point: Point) -> None:
        """Distances from the focal point and places in the house, as whole numbers of one small unit."""
        seats = [seat or focal_point for seat in self._by_place]
        far = [hypot(seat.x - focal_point.x, seat.y - focal_point.y) for seat in seats]
        unit = _parts_of_a_seat_width(self.layout.seats, max(far, default=0.0))
        fine = unit * 2.0**FINER
        first = self.layout.seats[0] if self.layout.seats else focal_point
        self.far = [round(each * unit) for each in far]
        self.xs = [round((seat.x - first.x) * fine) for seat in seats]
        self.ys = [round((seat.y - first.y) * fine) for seat in seats]
        self.boxes = [self._box(range(run.start, run.start + run.size)) for run in self.runs]
        """Of each run, its least and greatest x and y."""
        self.far_sums = list(accumulate(self.far, initial=0))
        self.x_sums = list(accumulate(self.xs, initial=0))
        self.y_sums = list(accumulate(self.ys, initial=0))

    def _box(self, places: range) -> tuple[int, int, int, int]:
        xs, ys = [self.xs[place] for place in places], [self.ys[place] for place in places]
        return min(xs), max(xs), min(ys), max(ys)

    def _mask_where(self, holds: Callable[[Seat], bool]) -> int:
        return self.mask(seat.id for seat in self.layout.seats if holds(seat))

    def _masks_by(self, what: str) -> dict[str, int]:
        ids: dict[str, list[int]] = {}
        for seat in self.layout.seats:
            ids.setdefault(getattr(seat, what), []).append(seat.id)
        return {name: self.mask(members) for name, members in ids.items()}

    def _ends(self) -> int:
        return self.whole & ~((self.whole << 1) & (self.whole >> 1))

    def _slope(self, size: int, least: int, run: Run) -> Slope:
        sums = self.far_sums
        far = [sums[at + size] - sums[at] for at in range(run.start, run.start + run.size - size + 1)]
        first = far.index(least)
        last = len(far) - 1 - far[::-1].index(least)
        is_one_valley = (
            all(before > after for before, after in pairwise(far[: first + 1]))
            and all(each == least for each in far[first : last + 1])
            and all(before < after for before, after in pairwise(far[last:]))
        )
        return Slope(least, run.start, run.bytes, first if is_one_valley else None, (1 << last - first + 1) - 1)

    def _least_of(self, size: int) -> list[tuple[int, int]]:
        sums, found = self.far_sums, []
        for number, run in enumerate(self.runs):
            if run.size >= size:
                low, high = run.start, run.start + run.size + 1
                blocks = zip(sums[low + size : high], sums[low:high], strict=False)
                found.append((min(after - before for after, before in blocks), number))
        return sorted(found)


def _parts_of_a_seat_width(seats: Sequence[Seat], farthest: float) -> float:
    """How many units a seat width has: a power of two."""
    xs, ys = [seat.x for seat in seats] or [0.0], [seat.y for seat in seats] or [0.0]
    size = hypot(max(xs) - min(xs), max(ys) - min(ys))
    greatest = max(farthest, *map(abs, xs), *map(abs, ys))
    return 2.0 ** min(_FINENESS - frexp(size)[1], _BELIEVED - frexp(greatest)[1])


def whole_distance(aside: float, behind: float) -> int:
    """How far apart two places are whose coordinates (`xs`, `ys`) differ by so much."""
    return round(hypot(aside, behind) * UNIT)


def middle_of_the_front(layout: Layout) -> Point:
    """Where people look if the layout does not say: the mean of the least and greatest x, the least y."""
    xs = [seat.x for seat in layout.seats] or [0.0]
    return Point((min(xs) + max(xs)) / 2, min((seat.y for seat in layout.seats), default=0.0))


def ones(mask: int) -> list[int]:
    """The places of a mask, the lowest first."""
    text, found = bin(mask)[:1:-1], []
    place = text.find("1")
    while place >= 0:
        found.append(place)
        place = text.find("1", place + 1)
    return found
