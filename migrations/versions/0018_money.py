"""Money: payments and what happened with them, refunds to be carried out, the books of the dummy, `cancel_until`.

What was booked before has been paid to the dummy, which took everything: now its books and ours say so.

Revision: 0018, after 0016.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
TYPES = {
    "usher_payment": (
        "screening_id bigint, id uuid, user_id bigint, reservation_id uuid, booking_id uuid, provider text,"
        " reference text, status text, amount_minor bigint, currency text, captured_minor bigint,"
        " refunded_minor bigint, refunding_minor bigint, cause text, decline_reason text, redirect_url text,"
        " client_secret text, deadline timestamptz, plan jsonb, created_at timestamptz"
    ),
}


def upgrade() -> None:
    for table in ("screenings", "screening_states"):
        op.add_column(table, sa.Column("cancel_until", MOMENT, nullable=True))
    _payments()
    _entries()
    _refunds()
    _dummy_bank()
    for name, columns in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")


def downgrade() -> None:
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
    op.drop_table("dummy_refunds", schema="dummy_bank")
    op.drop_table("dummy_charges", schema="dummy_bank")
    op.execute("DROP SCHEMA dummy_bank")
    op.drop_table("refunds")
    op.drop_table("payment_entries")
    op.drop_table("payments")
    for table in ("screenings", "screening_states"):
        op.drop_column(table, "cancel_until")


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.UUID(), nullable=True),
        sa.Column("booking_id", sa.UUID(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunding_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("decline_reason", sa.Text(), nullable=True),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("client_secret", sa.Text(), nullable=True),
        sa.Column("deadline", MOMENT, nullable=True),
        sa.Column("next_ask_at", MOMENT, nullable=True),
        sa.Column("asks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("plan", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'requires_action', 'captured', 'failed', 'voided')", name=op.f("payment_is_known")
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("a_payment_is_not_negative")),
        sa.CheckConstraint("captured_minor IN (0, amount_minor)", name=op.f("a_capture_is_whole")),
        sa.CheckConstraint("captured_minor = 0 OR status = 'captured'", name=op.f("money_was_captured")),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refunding_minor >= 0 AND refunded_minor + refunding_minor <= captured_minor",
            name=op.f("no_more_goes_back_than_came"),
        ),
        sa.CheckConstraint(
            "(status IN ('pending', 'requires_action')) = (next_ask_at IS NOT NULL)",
            name=op.f("what_is_open_is_asked_for"),
        ),
        sa.CheckConstraint("next_ask_at IS NULL OR deadline IS NOT NULL", name=op.f("what_is_open_has_a_deadline")),
        sa.PrimaryKeyConstraint("screening_id", "id", name=op.f("payments_pkey")),
    )
    op.create_index(
        "one_open_payment_per_reservation",
        "payments",
        ["screening_id", "reservation_id"],
        unique=True,
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )
    op.create_index("payments_of_booking", "payments", ["screening_id", "booking_id"])
    op.create_index("payments_to_ask", "payments", ["next_ask_at"], postgresql_where=sa.text("next_ask_at IS NOT NULL"))
    op.create_index("payments_by_reference", "payments", ["reference"])
    op.create_index("payments_newest_first", "payments", ["id"])


def _entries() -> None:
    op.create_table(
        "payment_entries",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('capture', 'refund', 'void', 'fail')", name=op.f("entry_kind_is_known")),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("an_entry_is_not_negative")),
        sa.PrimaryKeyConstraint("screening_id", "payment_id", "id", name=op.f("payment_entries_pkey")),
    )


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("a_refund_is_of_something")),
        sa.CheckConstraint(
            "cause IN ('cancelled', 'exchanged', 'screening_cancelled', 'too_late', 'wrong_amount')",
            name=op.f("refund_cause_is_known"),
        ),
        sa.CheckConstraint(
            "(next_try_at IS NULL) = (done_at IS NOT NULL)", name=op.f("a_refund_is_tried_until_it_is_done")
        ),
        sa.PrimaryKeyConstraint("screening_id", "id", name=op.f("refunds_pkey")),
    )
    op.create_index("refunds_of_booking", "refunds", ["screening_id", "booking_id"])
    op.create_index("refunds_to_try", "refunds", ["next_try_at"], postgresql_where=sa.text("next_try_at IS NOT NULL"))


def _dummy_bank() -> None:
    op.execute("CREATE SCHEMA dummy_bank")
    op.create_table(
        "dummy_charges",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("charged_at", MOMENT, nullable=True),
        sa.Column("decides_at", MOMENT, nullable=True),
        sa.Column("becomes", sa.Text(), nullable=True),
        sa.Column("is_stubborn", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("refunds_to_fail", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reports", sa.Integer(), server_default="0", nullable=False),
        sa.Column("report_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND (refunded_minor = 0 OR refunded_minor <= amount_minor)",
            name=op.f("the_bank_gives_back_what_it_has"),
        ),
        sa.PrimaryKeyConstraint("screening_id", "key", name=op.f("dummy_charges_pkey")),
        schema="dummy_bank",
    )
    op.create_index("dummy_charges_by_reference", "dummy_charges", ["reference"], schema="dummy_bank")
    op.create_index(
        "dummy_charges_to_report",
        "dummy_charges",
        ["report_at"],
        schema="dummy_bank",
        postgresql_where=sa.text("reports > 0"),
    )
    op.create_table(
        "dummy_refunds",
        sa.Column("screening_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("screening_id", "key", name=op.f("dummy_refunds_pkey")),
        schema="dummy_bank",
    )
