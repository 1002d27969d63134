"""Transfers: seats of a booking that are offered to others, and payments that stand behind several bookings.

Revision: 0020, after 0019.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TYPES = {
    "usher_transfer": (
        "screening_id bigint, id uuid, booking_id uuid, seat_ids bigint[], code_hash bytea, status text,"
        " created_at timestamptz, accepted_as uuid"
    ),
    "usher_shared_payment": "booking_id uuid, payment usher_payment",
}


def upgrade() -> None:
    op.create_table(
        "transfers",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=False),
        sa.Column("seat_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("accepted_as", sa.UUID(), nullable=True),
        sa.CheckConstraint("status IN ('offered', 'accepted', 'withdrawn')", name=op.f("transfer_status_is_known")),
        sa.CheckConstraint(
            "(status = 'accepted') = (accepted_as IS NOT NULL)", name=op.f("what_is_accepted_is_in_a_booking")
        ),
        sa.CheckConstraint("cardinality(seat_ids) > 0", name=op.f("a_transfer_is_of_something")),
        sa.PrimaryKeyConstraint("screening_id", "id", name=op.f("transfers_pkey")),
    )
    op.create_index("transfers_by_code", "transfers", ["screening_id", "code_hash"], unique=True)
    op.create_index("transfers_of_booking", "transfers", ["screening_id", "booking_id"])
    op.create_table(
        "shared_payments",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("screening_id", "booking_id", "payment_id", name=op.f("shared_payments_pkey")),
    )
    op.create_index(
        "payments_for_nothing",
        "payments",
        ["screening_id", "reservation_id"],
        postgresql_where=sa.text("booking_id IS NULL"),
    )
    for name, columns in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")


def downgrade() -> None:
    for name in reversed(TYPES):
        op.execute(f"DROP TYPE {name}")
    op.drop_index("payments_for_nothing", "payments")
    op.drop_table("shared_payments")
    op.drop_table("transfers")
