"""Availability in JSON, in its forms (docs/api.md, section 6).

Most of the JSON of a seat never changes. So each seat's JSON is written once per layout and prices, and a map is put
together from these texts; only taken seats get new ones.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.domain.money import Money as Amount
from app.domain.seat_maps.nearness import Nearness
from app.domain.seat_maps.occupancy import Taken
from app.domain.seat_maps.runs import Runs, SectionLeft
from app.domain.seats import Layout, Seat, SeatStatus
from app.schemas.format.moments import MomentOut, moment
from app.schemas.format.money import Money, money_json
from app.schemas.seats import NamedSeat

_COUNTS: Final[JsonDict] = {"available": 79, "reserved": 1, "booked": 0, "blocked": 0}

_BLOCK: Final = 64
"""How many seats are written again when one of them changes."""

_PORTION: Final = 40
"""How many blocks are written in milliseconds."""


class Counts(BaseModel):
    """How many seats of the theater have each status."""

    available: int
    reserved: int
    booked: int
    blocked: int


class MapSeat(NamedSeat):
    """A seat of a screening, for everybody or as the caller sees it."""

    section: str
    row: str
    number: int
    category: str
    accessible: bool
    companion: bool
    price: Money | None
    status: SeatStatus
    is_mine: bool
    expires_at: MomentOut | None


class SeatMapOut(BaseModel):
    """Every seat of a screening. Counts are those of the whole house under any filter."""

    screening_id: int
    version: int
    counts: Counts
    seats: list[MapSeat]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "screening_id": 1,
                    "version": 1,
                    "counts": _COUNTS,
                    "seats": [
                        {
                            "seat_id": 1,
                            "label": "A1",
                            "section": "A",
                            "row": "A",
                            "number": 1,
                            "category": "premium",
                            "accessible": False,
                            "companion": False,
                            "price": {"amount_minor": 4500, "currency": "EUR"},
                            "status": "reserved",
                            "is_mine": False,
                            "expires_at": "2026-11-20T11:58:28.235Z",
                        }
                    ],
                }
            ]
        }
    )


class SectionLeftOut(BaseModel):
    """How many seats of a section are available, and how many of them at most are side by side."""

    name: str
    available: int
    largest_block: int


class CompactMapOut(BaseModel):
    """The taken seats only, as [seat_id, status, expires_at]. A seat that is not listed is available."""

    screening_id: int
    version: int
    counts: Counts
    sections: list[SectionLeftOut]
    accessible: list[int] = Field(description="The seats for wheelchair users, free or not.")
    companion: list[int] = Field(description="The seats for their companions, free or not.")
    taken: list[Annotated[tuple[int, SeatStatus, MomentOut | None], Field(json_schema_extra={"items": {}})]]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "screening_id": 1,
                    "version": 1,
                    "counts": _COUNTS,
                    "sections": [{"name": "A", "available": 19, "largest_block": 19}],
                    "accessible": [20],
                    "companion": [19],
                    "taken": [[1, "reserved", "2026-11-20T11:58:28.235Z"]],
                }
            ]
        }
    )


class SeatTexts:
    """The JSON of every seat of one layout at one set of prices, as it is while the seat is available."""

    def __init__(self, layout: Layout, prices: Mapping[str, Amount]) -> None:
        self.layout = layout
        self.prices = prices
        self.sections = tuple(dict.fromkeys(seat.section for seat in layout.seats))
        self.position = {seat.id: position for position, seat in enumerate(layout.seats)}
        self.runs = Runs(layout)
        self.reserved_places: dict[str, object] = {
            "accessible": _ids(seat for seat in layout.seats if seat.accessible),
            "companion": _ids(seat for seat in layout.seats if seat.companion),
        }
        self._ids = [seat.id for seat in layout.seats]

    @cached_property
    def _facts(self) -> list[bytes]:
        """What does not change; written at the first use, because the short map does without."""
        return [orjson.dumps(_seat_out(seat, self.prices))[:-1] for seat in self.layout.seats]

    @cached_property
    def _available(self) -> list[bytes]:
        return [facts + _ending(SeatStatus.AVAILABLE, None, is_mine=False) for facts in self._facts]

    @property
    def are_written(self) -> bool:
        return "_available" in self.__dict__

    def write(self) -> None:
        """Write them, unless they are written. It takes a while for a large house."""
        self._available  # noqa: B018 - it is kept

    @cached_property
    def nearness(self) -> Nearness:
        """Finds the nearest free seats; built at the first use."""
        return Nearness(self.layout)

    def of(self, taken: Mapping[int, Taken], me: int | None = None, among: slice = slice(None)) -> list[bytes]:
        """The JSON of all seats in the order of the layout, or of the slice `among`; with `me`, as that user sees them.

        `taken` are the seats that are not available, by id.
        """
        texts, facts = self._available[among], self._facts[among]
        for place, seat_id in enumerate(self._ids[among]):
            if (claim := taken.get(seat_id)) is not None:
                texts[place] = facts[place] + _taken_ending(claim, me)
        return texts

    def taken_of(self, taken: Mapping[int, Taken], among: slice) -> list[bytes]:
        """The compact JSON of the taken seats of the slice `among`, in the order of the layout."""
        claims = [claim for seat_id in self._ids[among] if (claim := taken.get(seat_id)) is not None]
        return [b'[%d,"%b",%b]' % (each.seat_id, each.status.encode(), _end(each.expires_at)) for each in claims]


class Pieces:
    """The JSON of many seats in blocks: only a block with a changed seat is written again.

    `write` returns the JSON of each seat of a slice of the layout.
    """

    def __init__(self, seats: int, write: Callable[[slice], list[bytes]]) -> None:
        self._write = write
        self._blocks = [b""] * -(-seats // _BLOCK)
        self._stale = set(range(len(self._blocks)))

    def change(self, position: int) -> None:
        """Note that the seat at this position of the layout has changed."""
        self._stale.add(position // _BLOCK)

    def write_some(self) -> bool:
        """Write at most a portion of the blocks that have to be written. Whether that were all."""
        self._write_at_most(_PORTION)
        return not self._stale

    def blocks(self) -> Sequence[bytes]:
        """All blocks; the caller joins them with commas."""
        self._write_at_most(len(self._stale))
        return self._blocks

    def _write_at_most(self, blocks: int) -> None:
        for _ in range(min(blocks, len(self._stale))):
            block = self._stale.pop()
            self._blocks[block] = b",".join(self._write(slice(block * _BLOCK, (block + 1) * _BLOCK)))


def full_json(screening_id: int, version: int, counts: Mapping[str, int], seats: Iterable[bytes]) -> bytes:
    """The full form of the map, with the JSON of all seats, or of some."""
    return _map_json({"screening_id": screening_id, "version": version, "counts": counts}, b"seats", seats)


def compact_json(
    screening_id: int,
    version: int,
    counts: Mapping[str, int],
    left: Iterable[SectionLeft],
    taken: Iterable[bytes],
    reserved_places: Mapping[str, object],
) -> bytes:
    """The compact form of the map: a seat that is not listed in `taken` is available."""
    sections = [{"name": one.name, "available": one.available, "largest_block": one.largest_block} for one in left]
    head = {"screening_id": screening_id, "version": version, "counts": counts, "sections": sections, **reserved_places}
    return _map_json(head, b"taken", taken)


def counts_of(layout: Layout, taken: Mapping[int, Taken]) -> dict[str, int]:
    """How many seats of the theater have each status."""
    statuses = Counter(claim.status for seat_id, claim in taken.items() if seat_id in layout.by_id)
    reserved, booked, blocked = (
        statuses[each] for each in (SeatStatus.RESERVED, SeatStatus.BOOKED, SeatStatus.BLOCKED)
    )
    available = len(layout.seats) - reserved - booked - blocked
    return {"available": available, "reserved": reserved, "booked": booked, "blocked": blocked}


def _map_json(head: Mapping[str, object], name: bytes, texts: Iterable[bytes]) -> bytes:
    """The map from its head and the JSON of its seats, which may be megabytes: they are copied once."""
    parts = list(filter(None, texts)) or [b""]
    parts[0] = b'%b,"%b":[%b' % (orjson.dumps(head)[:-1], name, parts[0])
    parts[-1] += b"]}"
    return b",".join(parts)


def _ids(seats: Iterable[Seat]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps([seat.id for seat in seats]))


def _seat_out(seat: Seat, prices: Mapping[str, Amount]) -> dict[str, object]:
    price = prices.get(seat.category)
    return {
        "seat_id": seat.id,
        "label": seat.label,
        "section": seat.section,
        "row": seat.row,
        "number": seat.number,
        "category": seat.category,
        "accessible": seat.accessible,
        "companion": seat.companion,
        "price": money_json(price) if price else None,
    }


def status_for(claim: Taken | None, me: int | None) -> SeatStatus:
    """The status of a seat as this user sees it; None: as everybody does."""
    if claim is None:
        return SeatStatus.AVAILABLE
    if claim.status is SeatStatus.RESERVED and me is not None and claim.user_id == me:
        return SeatStatus.RESERVED_BY_ME
    return claim.status


def _taken_ending(claim: Taken, me: int | None) -> bytes:
    is_mine = me is not None and claim.user_id == me
    return _ending(status_for(claim, me), claim.expires_at, is_mine=is_mine)


@lru_cache(maxsize=4096)
def _ending(status: SeatStatus, expires_at: datetime | None, *, is_mine: bool) -> bytes:
    """The last members of a seat's JSON. Cached: they are the same for all seats of a hold, and all booked seats."""
    return b',"status":"%b","is_mine":%b,"expires_at":%b}' % (
        status.encode(),
        b"true" if is_mine else b"false",
        _end(expires_at),
    )


@lru_cache(maxsize=4096)
def _end(expires_at: datetime | None) -> bytes:
    return b'"%b"' % moment(expires_at).encode() if expires_at else b"null"
