"""From where callers without an account hold seats, as keyed hashes, while they hold them.

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "anonymous_holds",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.UUID(), nullable=False),
        sa.Column("address_key", sa.LargeBinary(), nullable=False),
        sa.Column("network_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("screening_id", "reservation_id", name=op.f("anonymous_holds_pkey")),
    )
    op.create_index("anonymous_holds_of_network", "anonymous_holds", ["screening_id", "network_key"])


def downgrade() -> None:
    op.drop_table("anonymous_holds")
