"""What the processes tell each other about Redis.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "redis_mistrust",
        sa.Column("is_the_only_one", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("is_the_only_one", name=op.f("redis_mistrust_is_one_row")),
        sa.PrimaryKeyConstraint("is_the_only_one", name=op.f("redis_mistrust_pkey")),
    )


def downgrade() -> None:
    op.drop_table("redis_mistrust")
