"""Pages of claims keep room for the hold that becomes a booking.

Revision: 0006, after 0005.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE seat_claims SET (fillfactor = 70)")


def downgrade() -> None:
    op.execute("ALTER TABLE seat_claims RESET (fillfactor)")
