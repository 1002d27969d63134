"""Layouts as they were, for screenings that had begun before they were changed.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_layouts",
        sa.Column("theater_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seats", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["theater_id"], ["theaters.id"], name=op.f("former_layouts_theater_id_fkey")),
        sa.PrimaryKeyConstraint("theater_id", "revision", name=op.f("former_layouts_pkey")),
    )


def downgrade() -> None:
    op.drop_table("former_layouts")
