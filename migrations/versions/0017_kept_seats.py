"""How callers without an account kept seats from an address, as a keyed hash, until that is forgotten.

Revision: 0017, after 0016.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TYPE = (
    "screening_id bigint, address bytea, seat_id bigint, reservation_id uuid, counted_ms bigint, began_at timestamptz,"
    " ended_at timestamptz"
)


def upgrade() -> None:
    op.create_table(
        "kept_seats",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("address_key", sa.LargeBinary(), nullable=False),
        sa.Column("seat_id", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.UUID(), nullable=False),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("forget_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("screening_id", "address_key", "seat_id", name=op.f("kept_seats_pkey")),
    )
    op.create_index("kept_seats_by_age", "kept_seats", ["forget_at"])
    op.execute(f"CREATE TYPE usher_kept_seat AS ({TYPE})")


def downgrade() -> None:
    op.execute("DROP TYPE usher_kept_seat")
    op.drop_table("kept_seats")
