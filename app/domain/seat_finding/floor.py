"""Which seats of a house are free, and what was seen when somebody looked: for many looks, one after the other, while
seats are taken and given back.

Whether a block strands somebody, and how near it is, depends on its run alone. So of each run that was looked at, its
nearest block is remembered until a seat of that run changes; and no run is looked at in which no block could be nearer
than the one that is found.
"""

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

from app.domain.money import Money
from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.blocks import block, nearest_in, nearest_of, starts_of, that_strand_nobody
from app.domain.seat_finding.picture import Picture, Slope
from app.domain.seat_finding.wishes import Found, NotEnough, Wish

_KINDS_KEPT: Final = 4
"""For so many kinds of wishes something is remembered; the first ones are forgotten first."""

_Kind: TypeAlias = tuple[int, str | None, frozenset[str] | None, bool]
"""How many seats, of which section and categories, and whether reserved places are on sale as ordinary seats."""

_Nearest: TypeAlias = tuple[int, int, int, int]
"""How far the nearest block of a run is from the focal point, its lowest position, its first place, and the run."""


class Floor:
    """Which seats of a house are free. It changes with them."""

    __slots__ = ("_bits", "_free", "_lookouts", "picture")

    def __init__(self, picture: Picture, free: int) -> None:
        """`free` is a mask of the picture."""
        self.picture = picture
        self._free: int | None = free
        self._bits = bytearray(free.to_bytes(picture.length, "little"))
        self._lookouts: dict[_Kind, tuple[_Lookout, _Lookout]] = {}

    @property
    def free(self) -> int:
        """The same as a mask."""
        if self._free is None:
            self._free = int.from_bytes(self._bits, "little")
        return self._free

    @property
    def remembered(self) -> int:
        """Of how many blocks something is remembered."""
        return sum([len(clean) + len(any_block) for clean, any_block in self._lookouts.values()])

    def copy(self) -> "Floor":
        """The same seats are free. It remembers nothing."""
        other = Floor.__new__(Floor)
        other.picture, other._free, other._bits, other._lookouts = self.picture, self._free, self._bits[:], {}
        return other

    def mark(self, seat_id: int, is_free: bool) -> None:
        """This seat is free from now on, or is not. One of another house is ignored."""
        place = self.picture.place.get(seat_id)
        if place is None:
            return
        if is_free:
            self._bits[place >> 3] |= 1 << (place & 7)
        else:
            self._bits[place >> 3] &= ~(1 << (place & 7))
        self._free = None
        if self._lookouts:
            run = self.picture.run_of(place)
            for clean, any_block in self._lookouts.values():
                clean.changed.add(run)
                any_block.changed.add(run)

    def best(self, wish: Wish, prices: Mapping[str, Money], *, released: bool = False) -> Found | NotEnough:
        """What `best_available` finds."""
        picture = self.picture
        if not wish.accessible:
            clean, any_block = self._lookouts_for(wish, prices, released)
            start = clean.nearest()
            if start is None:
                start = any_block.nearest()
            if start is not None:
                positions = picture.positions(range(start, start + wish.count))
                seats = picture.layout.seats
                return Found(tuple([seats[each] for each in positions]), True, block(start, wish.count))
        return best_available(picture, self.free, wish, prices, released=released)

    def _lookouts_for(self, wish: Wish, prices: Mapping[str, Money], released: bool) -> "tuple[_Lookout, _Lookout]":
        """For blocks that strand nobody, and for all."""
        kind = wish.count, wish.section, wish.categories(self.picture, prices), released
        known = self._lookouts.get(kind)
        if known is None:
            picture = self.picture
            general = (picture.whole if released else picture.ordinary).to_bytes(picture.length, "little")
            fitting = wish.kind(picture, prices).to_bytes(picture.length, "little")
            clean = _Lookout(picture, self._bits, general, fitting, wish.count, may_strand=False)
            known = clean, _Lookout(picture, self._bits, general, fitting, wish.count, may_strand=True)
            if len(self._lookouts) >= _KINDS_KEPT:
                del self._lookouts[next(iter(self._lookouts))]
            self._lookouts[kind] = known
        return known


class _Lookout:
    """The nearest blocks of one size and kind, run by run, as far as anybody had to look."""

    __slots__ = (
        "_ahead", "_bits", "_fitting", "_general", "_heap", "_may_strand", "_next", "_now", "_picture", "_size",
        "_slopes", "changed",
    )  # fmt: skip

    def __init__(
        self, picture: Picture, bits: bytearray, general: bytes, fitting: bytes, size: int, *, may_strand: bool
    ) -> None:
        """Masks, as bytes: what is free now and later, ordinary seats (`general`), seats of the kind (`fitting`)."""
        self.changed: set[int] = set()
        """The runs in which seats have changed since somebody looked."""
        self._picture, self._bits, self._size, self._may_strand = picture, bits, size, may_strand
        self._general, self._fitting = general, fitting
        self._slopes: Mapping[int, Slope] = picture.slopes(size)
        self._ahead: Iterator[tuple[int, Slope]] = iter(self._slopes.items())
        self._next = next(self._ahead, None)
        """The run that comes next, of those where nobody has looked; and how near a block of it could be."""
        self._now: dict[int, _Nearest] = {}
        self._heap: list[_Nearest] = []
        """Those of now, and some that are no more."""

    def __len__(self) -> int:
        return len(self._heap)

    def nearest(self) -> int | None:
        """The first place of the nearest block; of equals, the one with the lowest positions. None if there is none."""
        if self.changed:
            self._look_again()
        heap, now = self._heap, self._now
        while True:
            while heap and now.get(heap[0][3]) is not heap[0]:
                heappop(heap)
            if self._next is None or (heap and heap[0][0] < self._next[1].least):
                return heap[0][2] if heap else None
            self._look(*self._next)
            self._next = next(self._ahead, None)

    def _look_again(self) -> None:
        """Look at the runs that have changed. Where nobody has looked yet, there is time."""
        for number in self.changed:
            slope = self._slopes.get(number)
            if slope and (self._next is None or (slope.least, number) < (self._next[1].least, self._next[0])):
                self._look(number, slope)
        self.changed.clear()
        if len(self._heap) > 2 * len(self._now) + len(self._picture.runs):
            self._heap = list(self._now.values())
            heapify(self._heap)

    def _look(self, number: int, slope: Slope) -> None:
        where, size = slope.bytes, self._size
        general = int.from_bytes(self._bits[where], "little") & int.from_bytes(self._general[where], "little")
        starts = 0
        if general:
            starts = starts_of(general & int.from_bytes(self._fitting[where], "little"), size)
            if not self._may_strand:
                starts = that_strand_nobody(starts, general, size)
        if not starts:
            self._now.pop(number, None)
            return
        picture, first, offsets = self._picture, slope.start, nearest_in(slope, starts)
        one = len(offsets) == 1
        start = first + offsets[0] if one else nearest_of(picture, [first + offset for offset in offsets], size)
        assert start is not None  # noqa: S101 (there are some)
        lowest = min(picture.position[start : start + size])
        found = picture.reach(start, size), lowest, start, number
        if self._now.get(number) != found:
            self._now[number] = found
            heappush(self._heap, found)
