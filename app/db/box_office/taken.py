"""What a batch reads where its commands look for seats: all that is taken in a screening, or what changed since."""

from typing import Final, NamedTuple

from app.db.rows import maker

MISSED_AT_MOST: Final = 1_000
"""Whoever missed more reads what is taken as a whole, which costs less."""

_DUE_AT_MOST: Final = 1_000
"""Holds that have run out and were not swept yet. What is beyond reads as taken until then."""

TAKEN: Final = "ROW(c.screening_id, array_agg(c.seat_id))::usher_taken"
TAKEN_OF_MANY: Final = "FROM seat_claims c WHERE c.screening_id = ANY({0}::bigint[]) GROUP BY c.screening_id"
TAKEN_OF_ONE: Final = "FROM seat_claims c WHERE c.screening_id = $1 GROUP BY c.screening_id"

# Young events only: one that is about to be deleted for its age is not counted on. Versions are the way to them: said
# like this, their age is none.
_YOUNG: Final = (
    "AND statement_timestamp() - i.at < interval '30 minutes'"
    f" ORDER BY i.screening_id, i.version LIMIT {MISSED_AT_MOST + 1}"
)
MISSED: Final = "ROW(e.screening_id, e.version, e.seat_id, e.to_status <> 'available')::usher_missed"
MISSED_OF_MANY: Final = (
    "FROM unnest({0}::bigint[], {1}::bigint[]) AS w(screening_id, since), LATERAL ("
    "SELECT * FROM seat_events i WHERE i.screening_id = w.screening_id AND i.version > w.since " + _YOUNG + ") e"
)
MISSED_OF_ONE: Final = (
    "FROM (SELECT * FROM seat_events i WHERE i.screening_id = $1 AND i.version > ({0}::bigint[])[1] " + _YOUNG + ") e"
)

# A moment ahead: the batch's time is read a little later.
_ENDED: Final = (
    "AND i.status = 'held' AND i.expires_at <= statement_timestamp() + interval '1 second'"
    f" ORDER BY i.expires_at LIMIT {_DUE_AT_MOST}"
)
DUE_OF_MANY: Final = (
    "FROM unnest({0}::bigint[]) AS w(screening_id), LATERAL ("
    "SELECT * FROM reservations i WHERE i.screening_id = w.screening_id " + _ENDED + ") r"
)
DUE_OF_ONE: Final = "FROM (SELECT * FROM reservations i WHERE i.screening_id = $1 " + _ENDED + ") r"


class TakenRow(NamedTuple):
    """All seats of a screening that have a claim."""

    screening_id: int
    seat_ids: list[int]


class MissedRow(NamedTuple):
    """A seat that changed with this version: whether somebody has it since."""

    screening_id: int
    version: int
    seat_id: int
    is_taken: bool


taken_row = maker(TakenRow)
missed_row = maker(MissedRow)
