"""Whoever has a reservation or a booking from before exists too.

Revision: 0011, after 0010.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("reservations", "bookings"):
        # The guests of those who held before guests were written down with what they take, and were lost in a crash.
        op.execute(f"""
            INSERT INTO users (id, is_guest)
            SELECT DISTINCT t.user_id, true FROM {table} t
             WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = t.user_id)
        """)  # noqa: S608 - our own names
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_user_id_fkey")


def downgrade() -> None:
    """The guests stay: nothing tells them from others."""
