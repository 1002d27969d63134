"""Whether the books are right, in SQL: what was taken and did not go back is the price of what is sold.

All questions are of one moment. Each names what is wrong: nothing, if all is well.
"""

from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class Total(NamedTuple):
    """All money of one currency, in minor units: taken, given back, on its way back; and what is sold for it."""

    currency: str
    payments: int
    captured_minor: int
    refunded_minor: int
    refunding_minor: int
    sold_minor: int


_TOTALS = text("""
SELECT currency, sum(payments)::bigint, sum(captured)::bigint, sum(refunded)::bigint, sum(refunding)::bigint,
       sum(sold)::bigint
  FROM (SELECT currency, count(*) AS payments, sum(captured_minor) AS captured, sum(refunded_minor) AS refunded,
               sum(refunding_minor) AS refunding, 0 AS sold FROM payments GROUP BY currency
         UNION ALL
        SELECT currency, 0, 0, 0, 0, sum(amount_minor) FROM booking_seats WHERE cancelled_at IS NULL GROUP BY currency
       ) of_each GROUP BY currency ORDER BY currency
""")
_OPEN = text("SELECT count(*) FROM payments WHERE next_ask_at IS NOT NULL")

# The bookings of takers, each with the first of the bookings from which its seats came.
_CAME_FROM: Final = """
handed_over AS (
    SELECT t.screening_id, t.accepted_as AS booking_id, t.booking_id AS from_id
      FROM transfers t WHERE t.accepted_as IS NOT NULL),
came_from AS (
    SELECT h.screening_id, h.booking_id, h.from_id AS first_id FROM handed_over h
     WHERE NOT EXISTS (SELECT FROM handed_over o WHERE o.screening_id = h.screening_id AND o.booking_id = h.from_id)
     UNION ALL
    SELECT h.screening_id, h.booking_id, c.first_id FROM handed_over h
      JOIN came_from c ON c.screening_id = h.screening_id AND c.booking_id = h.from_id)
"""

_CHECKS: Final = {
    "what was taken and given back is not what its entries say": """
SELECT p.id FROM payments p LEFT JOIN (
    SELECT screening_id, payment_id, sum(amount_minor) FILTER (WHERE kind = 'capture') AS captured,
           sum(CASE kind WHEN 'refund' THEN amount_minor WHEN 'fail' THEN -amount_minor END)
               FILTER (WHERE cause IS NOT NULL) AS refunded
      FROM payment_entries GROUP BY screening_id, payment_id) e
    ON e.screening_id = p.screening_id AND e.payment_id = p.id
 WHERE p.captured_minor <> coalesce(e.captured, 0) OR p.refunded_minor <> coalesce(e.refunded, 0)
""",
    "what goes back is not what its refunds say": """
SELECT p.id FROM payments p LEFT JOIN (
    SELECT screening_id, payment_id, sum(amount_minor) FILTER (WHERE done_at IS NULL) AS refunding,
           sum(amount_minor) FILTER (WHERE done_at IS NOT NULL) AS refunded
      FROM refunds GROUP BY screening_id, payment_id) r
    ON r.screening_id = p.screening_id AND r.payment_id = p.id
 WHERE p.refunding_minor <> coalesce(r.refunding, 0) OR p.refunded_minor <> coalesce(r.refunded, 0)
""",
    "money was kept for which nothing was booked": """
SELECT p.id FROM payments p
 WHERE p.booking_id IS NULL AND p.captured_minor > p.refunded_minor + p.refunding_minor
""",
    "a booking's money is not the price of its seats": """
SELECT b.id FROM bookings b
  LEFT JOIN (SELECT screening_id, booking_id, sum(amount_minor) AS back
               FROM refunds WHERE booking_id IS NOT NULL GROUP BY screening_id, booking_id) r
    ON r.screening_id = b.screening_id AND r.booking_id = b.id
  LEFT JOIN (SELECT screening_id, booking_id, sum(amount_minor) AS sold
               FROM booking_seats WHERE cancelled_at IS NULL GROUP BY screening_id, booking_id) s
    ON s.screening_id = b.screening_id AND s.booking_id = b.id
 WHERE b.paid_minor - coalesce(r.back, 0) <> coalesce(s.sold, 0)
""",
    # What was handed over stands on the payments of the booking from which it all came, and on later ones.
    "payments are not the price of the seats that they stand behind": f"""
WITH RECURSIVE {_CAME_FROM}
SELECT coalesce(c.first_id, b.id) FROM bookings b
  LEFT JOIN came_from c ON c.screening_id = b.screening_id AND c.booking_id = b.id
  LEFT JOIN (SELECT screening_id, booking_id, sum(captured_minor - refunded_minor - refunding_minor) AS kept
               FROM payments WHERE booking_id IS NOT NULL GROUP BY screening_id, booking_id) p
    ON p.screening_id = b.screening_id AND p.booking_id = b.id
  LEFT JOIN (SELECT screening_id, booking_id, sum(amount_minor) AS sold
               FROM booking_seats WHERE cancelled_at IS NULL GROUP BY screening_id, booking_id) s
    ON s.screening_id = b.screening_id AND s.booking_id = b.id
 GROUP BY b.screening_id, coalesce(c.first_id, b.id)
HAVING sum(coalesce(p.kept, 0)) <> sum(coalesce(s.sold, 0))
""",  # noqa: S608 - our own names
    "a refund is from a payment that does not stand behind its booking": """
SELECT r.id FROM refunds r
  JOIN payments p ON p.screening_id = r.screening_id AND p.id = r.payment_id
  LEFT JOIN shared_payments h
    ON h.screening_id = r.screening_id AND h.booking_id = r.booking_id AND h.payment_id = r.payment_id
 WHERE r.booking_id IS NOT NULL AND p.booking_id IS DISTINCT FROM r.booking_id AND h.payment_id IS NULL
""",
    "the dummy's books say something else": """
SELECT p.id FROM payments p LEFT JOIN dummy_bank.dummy_charges c
    ON c.screening_id = p.screening_id AND c.key = concat(p.screening_id, '.', p.id)
 WHERE p.provider = 'dummy' AND p.captured_minor > 0
   AND (c.status IS DISTINCT FROM 'captured' AND coalesce(c.decides_at > statement_timestamp(), true)
        OR c.amount_minor IS DISTINCT FROM p.captured_minor OR c.currency IS DISTINCT FROM p.currency
        OR c.refunded_minor NOT BETWEEN p.refunded_minor AND p.refunded_minor + p.refunding_minor)
""",
    "the dummy took money of which nobody knows": """
SELECT c.reference FROM dummy_bank.dummy_charges c LEFT JOIN payments p
    ON p.screening_id = c.screening_id AND p.id = CAST(split_part(c.key, '.', 2) AS uuid)
 WHERE c.status = 'captured' AND c.reports = 0 AND coalesce(p.captured_minor, 0) = 0 AND p.next_ask_at IS NULL
""",
}


class Wrong(NamedTuple):
    """Something that is not right, how often, and some of the ids where."""

    what: str
    times: int
    ids: list[str]


async def wrong(connection: AsyncConnection) -> list[Wrong]:
    """All that is not right."""
    found: list[Wrong] = []
    for what, question in _CHECKS.items():
        ids = [str(each) for each in (await connection.execute(text(question))).scalars()]
        if ids:
            found.append(Wrong(what, len(ids), ids[:5]))
    return found


async def totals(connection: AsyncConnection) -> list[Total]:
    """All money, by currency."""
    return [Total(*row) for row in await connection.execute(_TOTALS)]


async def still_open(connection: AsyncConnection) -> int:
    """How many payments are not decided."""
    count: int = (await connection.execute(_OPEN)).scalar_one()
    return count
