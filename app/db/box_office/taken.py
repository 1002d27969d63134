"""What a batch reads where its commands look for seats: all that is taken in a screening, or what changed since."""

from typing import Final, NamedTuple

from app.db.rows import maker

MISSED_AT_MOST: Final = 1_000
"""Whoever missed more reads what is taken as a whole, which costs less."""

_DUE_AT_MOST: Final = 1_000
"""Holds that have run out and were not swept yet. What is beyond reads as taken until then."""

TAKEN: Final = """
SELECT ROW(c.screening_id, array_agg(c.seat_id))
  FROM seat_claims c WHERE c.screening_id = ANY({0}::int[]) GROUP BY c.screening_id"""

# Young events only: one that is about to be deleted for its age is not counted on.
MISSED: Final = f"""
SELECT ROW(e.screening_id, e.version, e.seat_id, e.to_status <> 'available')
  FROM unnest({{0}}::int[], {{1}}::bigint[]) AS w(screening_id, since), LATERAL (
       SELECT * FROM seat_events i WHERE i.screening_id = w.screening_id AND i.version > w.since
          AND i.at > statement_timestamp() - interval '30 minutes'
        ORDER BY i.version LIMIT {MISSED_AT_MOST + 1}) e"""  # noqa: S608 - our own names

# A moment ahead: the batch's time is read a little later.
DUE: Final = f"""
SELECT ROW(ROW({{reservation}}), {{claims}})
  FROM unnest({{0}}::int[]) AS w(screening_id), LATERAL (
       SELECT * FROM reservations i WHERE i.screening_id = w.screening_id AND i.status IN ('held', 'paying')
          AND i.expires_at <= statement_timestamp() + interval '1 second'
        ORDER BY i.expires_at LIMIT {_DUE_AT_MOST}) r"""  # noqa: S608


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
