"""Whoever gets a reservation or a booking exists; a session knows the tokens that it ever had.

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("family_hash", sa.LargeBinary(), nullable=True))
    # From now on; what is there already is looked at by 0011, without locking the tables for so long.
    for table in ("reservations", "bookings"):
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_user_id_fkey "
            "FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID"
        )


def downgrade() -> None:
    for table in ("bookings", "reservations"):
        op.drop_constraint(op.f(f"{table}_user_id_fkey"), table)
    op.drop_column("sessions", "family_hash")
