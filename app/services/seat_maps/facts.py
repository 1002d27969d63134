"""The facts of a screening as Redis keeps them, without user ids."""

from datetime import UTC, datetime, timedelta

import orjson

from app.domain.money import Money
from app.domain.seat_maps.occupancy import Occupancy, Taken
from app.domain.seats import SeatStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def facts_json(occupancy: Occupancy) -> bytes:
    """The facts, with times in microseconds since 1970, so that they are not rounded."""
    return orjson.dumps(
        {
            "screening_id": occupancy.screening_id,
            "theater_id": occupancy.theater_id,
            "layout_revision": occupancy.layout_revision,
            "map_version": occupancy.map_version,
            "version": occupancy.version,
            "prices": {category: [price.amount_minor, price.currency] for category, price in occupancy.prices.items()},
            "claims": [
                [claim.seat_id, claim.status, (claim.expires_at - _EPOCH) // _MICROSECOND if claim.expires_at else None]
                for claim in occupancy.claims
            ],
        }
    )


def facts_from(kept: bytes) -> Occupancy:
    """The facts that `facts_json` wrote."""
    facts = orjson.loads(kept)
    facts["prices"] = {category: Money(*price) for category, price in facts["prices"].items()}
    facts["claims"] = tuple(
        Taken(seat_id, SeatStatus(status), None if end is None else _EPOCH + end * _MICROSECOND)
        for seat_id, status, end in facts["claims"]
    )
    return Occupancy(**facts)
