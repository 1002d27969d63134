"""One process asks which holds end next, for all of them.

Revision: 0015, after 0014. A released migration is never edited.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sweeper_lease",
        sa.Column("is_the_only_one", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("holder", sa.UUID(), nullable=True),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("is_the_only_one", name=op.f("sweeper_lease_is_one_row")),
        sa.PrimaryKeyConstraint("is_the_only_one", name=op.f("sweeper_lease_pkey")),
    )
    op.execute("INSERT INTO sweeper_lease (until) VALUES ('-infinity')")


def downgrade() -> None:
    op.drop_table("sweeper_lease")
