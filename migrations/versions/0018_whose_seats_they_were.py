"""Seats of a reservation say whose it is: so somebody's earlier hold of a seat is found by the two.

Revision: 0018, after 0017.

What is filled in is of reservations that may still count. The index is built while others write.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEX = "reservation_seats_of_user"

# Ids begin with the time in milliseconds (UUID version 7). Screening by screening: no row is locked for long.
FILL_IN = sa.text("""
UPDATE reservation_seats s SET user_id = r.user_id FROM reservations r
 WHERE r.screening_id = :screening_id AND s.screening_id = :screening_id AND s.reservation_id = r.id
   AND s.user_id IS NULL AND r.id > CAST(
       lpad(to_hex(CAST(extract(epoch FROM now() - interval '15 days') * 1000 AS bigint)), 12, '0') || repeat('0', 20)
       AS uuid)
""")


def upgrade() -> None:
    op.add_column("reservation_seats", sa.Column("user_id", sa.BigInteger(), nullable=True))
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        for screening_id in connection.scalars(sa.text("SELECT screening_id FROM screening_states")).all():
            connection.execute(FILL_IN, {"screening_id": screening_id})
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")  # of an attempt that was interrupted
        op.execute(
            f"CREATE INDEX CONCURRENTLY {INDEX} ON reservation_seats (screening_id, user_id, seat_id, reservation_id)"
        )


def downgrade() -> None:
    op.drop_index(INDEX, "reservation_seats")
    op.drop_column("reservation_seats", "user_id")
