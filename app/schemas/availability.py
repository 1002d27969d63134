"""Availability in JSON, in its forms (api.md, section 6).

A large house is mostly text that never changes, so each seat's text is written once for a layout and its prices; a map
is then put together from those texts, with new ones for the seats that are taken.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import orjson

from app.domain.money import Money
from app.domain.occupancy import Conclusions, Occupancy, Taken
from app.domain.runs import Runs
from app.domain.seats import Layout, Seat, SeatStatus
from app.schemas.moments import moment
from app.schemas.money import money_json

ORDERS_KEPT: Final = 2_000_000
"""How many places in orders of nearness a house may keep: about 16 MB."""


class SeatTexts:
    """The text of every seat of one layout at one set of prices, as it reads while the seat is available."""

    def __init__(self, layout: Layout, prices: Mapping[str, Money]) -> None:
        self.layout = layout
        self.prices = prices
        self.position = {seat.id: position for position, seat in enumerate(layout.seats)}
        self.runs = Runs(layout)
        self._near: dict[int, list[Seat]] = {}
        self._facts = [orjson.dumps(_seat_out(seat, prices))[:-1] for seat in layout.seats]
        self._available = [facts + _ending(SeatStatus.AVAILABLE, None, is_mine=False) for facts in self._facts]

    def near(self, seat_id: int) -> Sequence[Seat]:
        """All seats, the nearest to this one first. A house does not move: each order is worked out once."""
        here = self.layout.by_id.get(seat_id)
        if here is None:
            return self.layout.seats
        if (known := self._near.get(seat_id)) is None:
            if len(self._near) * len(self.layout.seats) > ORDERS_KEPT:
                self._near.clear()
            known = self._near[seat_id] = sorted(
                self.layout.seats, key=lambda seat: (seat.x - here.x) ** 2 + (seat.y - here.y) ** 2
            )
        return known

    def of(self, taken: Mapping[int, Taken], me: int | None = None) -> list[bytes]:
        """The texts of all seats in their order. With `me`, as that user sees them."""
        texts = self._available.copy()
        for seat_id, claim in taken.items():
            position = self.position.get(seat_id)
            if position is not None:
                texts[position] = self._facts[position] + _taken_ending(claim, me)
        return texts


def full_json(occupancy: Occupancy, counts: Mapping[str, int], seats: Iterable[bytes]) -> bytes:
    """The map with every seat written out, or with some of them."""
    head = {"screening_id": occupancy.screening_id, "version": occupancy.version, "counts": counts}
    return orjson.dumps(head)[:-1] + b',"seats":[' + b",".join(seats) + b"]}"


def compact_json(occupancy: Occupancy, counts: Mapping[str, int], found: Conclusions, runs: Runs) -> bytes:
    """The map for large houses: a seat that is not listed is available."""
    return orjson.dumps(
        {
            "screening_id": occupancy.screening_id,
            "version": occupancy.version,
            "counts": counts,
            "sections": [
                {"name": left.name, "available": left.available, "largest_block": left.largest_block}
                for left in runs.left(found.taken)
            ],
            "taken": [
                [claim.seat_id, claim.status, moment(claim.expires_at) if claim.expires_at else None]
                for claim in found.taken.values()
                if claim.seat_id in runs
            ],
        }
    )


def counts_of(layout: Layout, found: Conclusions) -> dict[str, int]:
    """How many seats of the house are what."""
    taken = Counter(claim.status for seat_id, claim in found.taken.items() if seat_id in layout.by_id)
    reserved, booked, blocked = taken[SeatStatus.RESERVED], taken[SeatStatus.BOOKED], taken[SeatStatus.BLOCKED]
    available = len(layout.seats) - reserved - booked - blocked
    return {"available": available, "reserved": reserved, "booked": booked, "blocked": blocked}


def _seat_out(seat: Seat, prices: Mapping[str, Money]) -> dict[str, object]:
    price = prices.get(seat.category)
    return {
        "seat_id": seat.id,
        "label": seat.label,
        "section": seat.section,
        "row": seat.row,
        "number": seat.number,
        "category": seat.category,
        "accessible": seat.accessible,
        "price": money_json(price) if price else None,
    }


def status_for(claim: Taken | None, me: int | None) -> SeatStatus:
    """What a seat is to this user, or to everybody."""
    if claim is None:
        return SeatStatus.AVAILABLE
    if claim.status is SeatStatus.RESERVED and me is not None and claim.user_id == me:
        return SeatStatus.RESERVED_BY_ME
    return claim.status


def _taken_ending(claim: Taken, me: int | None) -> bytes:
    is_mine = me is not None and claim.user_id == me
    return _ending(status_for(claim, me), moment(claim.expires_at) if claim.expires_at else None, is_mine=is_mine)


def _ending(status: SeatStatus, expires_at: str | None, *, is_mine: bool) -> bytes:
    return b"," + orjson.dumps({"status": status, "is_mine": is_mine, "expires_at": expires_at})[1:]
