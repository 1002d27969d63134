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
    _bookings()
    for name, columns in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")
    op.execute("ALTER TYPE usher_screening_facts ADD ATTRIBUTE cancel_until timestamptz")


def downgrade() -> None:
    op.execute("ALTER TYPE usher_screening_facts DROP ATTRIBUTE cancel_until")
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
    _bookings_as_before()
    op.drop_table("dummy_refunds", schema="dummy_bank")
    op.drop_table("dummy_charges", schema="dummy_bank")
    op.execute("DROP SCHEMA dummy_bank")
    op.drop_table("refunds")
    op.drop_table("payment_entries")
    op.drop_table("payments")
    for table in ("screenings", "screening_states"):
        op.drop_column(table, "cancel_until")


def _bookings() -> None:
    """What was booked is paid for, and what was cancelled has gone back."""
    op.add_column("bookings", sa.Column("payment_provider", sa.Text(), server_default="dummy", nullable=False))
    op.add_column("bookings", sa.Column("paid_minor", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("nobody_pays_less_than_nothing"), "bookings", "paid_minor >= 0")
    op.execute("""
        INSERT INTO payments (screening_id, id, user_id, reservation_id, booking_id, provider, reference, status,
                              amount_minor, currency, captured_minor, refunded_minor, cause, created_at)
        SELECT b.screening_id, b.id, b.user_id, b.reservation_id, b.id, 'dummy', b.payment_reference, 'captured',
               s.paid, s.currency, s.paid, s.refunded, CASE WHEN s.refunded > 0 THEN 'cancelled' END, b.created_at
          FROM bookings b
          JOIN (SELECT screening_id, booking_id, sum(amount_minor) AS paid, min(currency) AS currency,
                       coalesce(sum(amount_minor) FILTER (WHERE cancelled_at IS NOT NULL), 0) AS refunded
                  FROM booking_seats GROUP BY screening_id, booking_id) s
            ON s.screening_id = b.screening_id AND s.booking_id = b.id
    """)
    op.execute("""
        INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference)
        SELECT screening_id, id, id, created_at, 'capture', captured_minor, currency, reference
          FROM payments WHERE captured_minor > 0
    """)
    op.execute("""
        INSERT INTO refunds (screening_id, id, payment_id, booking_id, amount_minor, currency, cause, created_at,
                             tries, done_at)
        SELECT screening_id, md5(booking_id::text || cancelled_at::text)::uuid, booking_id, booking_id,
               sum(amount_minor), min(currency), 'cancelled', cancelled_at, 1, cancelled_at
          FROM booking_seats WHERE cancelled_at IS NOT NULL GROUP BY screening_id, booking_id, cancelled_at
        HAVING sum(amount_minor) > 0
    """)
    op.execute("""
        INSERT INTO payment_entries (screening_id, payment_id, id, at, kind, amount_minor, currency, reference, cause)
        SELECT r.screening_id, r.payment_id, r.id, r.done_at, 'refund', r.amount_minor, r.currency, p.reference, r.cause
          FROM refunds r JOIN payments p ON p.screening_id = r.screening_id AND p.id = r.payment_id
    """)
    op.execute("""
        INSERT INTO dummy_bank.dummy_charges (screening_id, key, reference, status, amount_minor, currency,
                                              refunded_minor, created_at, charged_at)
        SELECT screening_id, concat(screening_id, '.', id), reference, 'captured', amount_minor, currency,
               refunded_minor, created_at, created_at
          FROM payments WHERE captured_minor > 0
    """)
    op.execute("""
        UPDATE bookings b SET paid_minor = p.amount_minor FROM payments p
         WHERE p.screening_id = b.screening_id AND p.id = b.id
    """)
    op.drop_column("bookings", "payment_status")
    op.execute("""
        ALTER TYPE usher_booking DROP ATTRIBUTE payment_status, ADD ATTRIBUTE payment_provider text,
            ADD ATTRIBUTE paid_minor bigint, ADD ATTRIBUTE refunded_minor bigint, ADD ATTRIBUTE refunding_minor bigint
    """)


def _bookings_as_before() -> None:
    op.add_column("bookings", sa.Column("payment_status", sa.Text(), server_default="paid", nullable=False))
    op.execute("UPDATE bookings SET payment_status = 'refunded' WHERE status = 'cancelled'")
    op.execute("""
        UPDATE bookings b SET payment_status = 'partly_refunded' WHERE b.status = 'confirmed' AND EXISTS (
            SELECT FROM booking_seats s
             WHERE s.screening_id = b.screening_id AND s.booking_id = b.id AND s.cancelled_at IS NOT NULL)
    """)
    op.execute("ALTER TABLE bookings ALTER COLUMN payment_status DROP DEFAULT")
    op.create_check_constraint(
        op.f("payment_status_is_known"), "bookings", "payment_status IN ('paid', 'partly_refunded', 'refunded')"
    )
    op.drop_column("bookings", "paid_minor")
    op.drop_column("bookings", "payment_provider")
    # The order of its members is that in which they are asked for.
    op.execute("""
        ALTER TYPE usher_booking DROP ATTRIBUTE payment_provider, DROP ATTRIBUTE paid_minor,
            DROP ATTRIBUTE refunded_minor, DROP ATTRIBUTE refunding_minor, DROP ATTRIBUTE payment_reference,
            DROP ATTRIBUTE created_at, DROP ATTRIBUTE cancelled_at, DROP ATTRIBUTE version, DROP ATTRIBUTE seats
    """)
    op.execute("""
        ALTER TYPE usher_booking ADD ATTRIBUTE payment_status text, ADD ATTRIBUTE payment_reference text,
            ADD ATTRIBUTE created_at timestamptz, ADD ATTRIBUTE cancelled_at timestamptz, ADD ATTRIBUTE version bigint,
            ADD ATTRIBUTE seats usher_seat[]
    """)


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
