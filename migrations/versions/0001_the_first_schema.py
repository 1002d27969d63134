"""The first schema.

Revision: 0001, after nothing. A released migration is never edited.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("replayed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("screening_id", "owner_id", "key", name=op.f("idempotency_keys_pkey")),
    )
    op.create_index(
        "idempotency_keys_by_age", "idempotency_keys", ["created_at"], unique=False, postgresql_using="brin"
    )
    op.create_index("idempotency_keys_of_owner", "idempotency_keys", ["owner_id", "key"], unique=False)
    op.create_table(
        "reservation_seats",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("reservation_id", sa.UUID(), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("released_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("a_held_price_is_not_negative")),
        sa.PrimaryKeyConstraint("screening_id", "reservation_id", "seat_id", name=op.f("reservation_seats_pkey")),
    )
    op.create_table(
        "seat_claims",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("reservation_id", sa.UUID(), nullable=True),
        sa.Column("booking_id", sa.UUID(), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(status = 'blocked') = (user_id IS NULL)", name=op.f("a_claim_is_somebodys_or_the_houses")),
        sa.CheckConstraint("(status = 'booked') = (booking_id IS NOT NULL)", name=op.f("a_booked_claim_has_a_booking")),
        sa.CheckConstraint("(status = 'held') = (expires_at IS NOT NULL)", name=op.f("a_hold_has_an_end")),
        sa.CheckConstraint("status <> 'held' OR reservation_id IS NOT NULL", name=op.f("a_hold_has_a_reservation")),
        sa.CheckConstraint("status IN ('held', 'booked', 'blocked')", name=op.f("claim_status_is_known")),
        sa.PrimaryKeyConstraint("screening_id", "seat_id", name=op.f("seat_claims_pkey")),
    )
    op.create_index("seat_claims_of_user", "seat_claims", ["screening_id", "user_id"], unique=False)
    op.create_table(
        "seat_events",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("previous_user_id", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint("cause IN ('api', 'expiry', 'staff')", name=op.f("event_cause_is_known")),
        sa.PrimaryKeyConstraint("screening_id", "version", "seat_id", name=op.f("seat_events_pkey")),
    )
    op.create_index("seat_events_by_age", "seat_events", ["at"], unique=False, postgresql_using="brin")
    op.create_table(
        "theaters",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("layout_revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("theaters_pkey")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), server_default="customer", nullable=False),
        sa.Column("is_guest", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('customer', 'staff', 'organizer', 'admin')", name=op.f("user_role_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("users_pkey")),
    )
    op.create_index(
        "guests_of_email",
        "users",
        [sa.literal_column("lower(email)")],
        unique=False,
        postgresql_where=sa.text("is_guest"),
    )
    op.create_index("users_username_key", "users", [sa.literal_column("lower(username)")], unique=True)
    op.create_table(
        "screenings",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("theater_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("starts_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sales_open_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("sales_close_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("hold_seconds", sa.Integer(), nullable=True),
        sa.Column("max_hold_seconds", sa.Integer(), nullable=True),
        sa.Column("prices", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_seats_per_reservation", sa.Integer(), nullable=True),
        sa.Column("max_seats_per_user", sa.Integer(), nullable=True),
        sa.Column("max_active_reservations_per_user", sa.Integer(), nullable=True),
        sa.Column("bookings_per_user_per_day", sa.Integer(), nullable=True),
        sa.Column("orphan_rule", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cancelled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("hold_seconds > 0 AND max_hold_seconds > 0", name=op.f("screening_holds_take_time")),
        sa.ForeignKeyConstraint(["theater_id"], ["theaters.id"], name=op.f("screenings_theater_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("screenings_pkey")),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("screenings_of_theater", "screenings", ["theater_id", "starts_at", "id"], unique=False)
    op.create_index("screenings_soonest_first", "screenings", ["starts_at", "id"], unique=False)
    op.create_table(
        "seats",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("theater_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("accessible", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("companion", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("restricted_view", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["theater_id"], ["theaters.id"], name=op.f("seats_theater_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("seats_pkey")),
    )
    op.create_index("seats_in_order", "seats", ["theater_id", "position"], unique=False)
    op.create_index(
        "seats_label_in_use",
        "seats",
        ["theater_id", "label"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "bookings",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.UUID(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("payment_status", sa.Text(), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("cancelled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(status = 'cancelled') = (cancelled_at IS NOT NULL)", name=op.f("a_cancelled_booking_says_when")
        ),
        sa.CheckConstraint(
            "payment_status IN ('paid', 'partly_refunded', 'refunded')", name=op.f("payment_status_is_known")
        ),
        sa.CheckConstraint("status IN ('confirmed', 'cancelled')", name=op.f("booking_status_is_known")),
        sa.ForeignKeyConstraint(["screening_id"], ["screenings.id"], name=op.f("bookings_screening_id_fkey")),
        sa.PrimaryKeyConstraint("screening_id", "id", name=op.f("bookings_pkey")),
    )
    op.create_index("bookings_newest_first", "bookings", ["id"], unique=False)
    op.create_index("bookings_of_user", "bookings", ["user_id", "id"], unique=False)
    op.create_table(
        "reservations",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("first_held_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(status = 'booked') = (booking_id IS NOT NULL)", name=op.f("a_booked_reservation_has_a_booking")
        ),
        sa.CheckConstraint(
            "status IN ('held', 'paying', 'booked', 'released', 'expired')", name=op.f("reservation_status_is_known")
        ),
        sa.CheckConstraint("first_held_at <= created_at AND created_at < expires_at", name=op.f("a_hold_takes_time")),
        sa.ForeignKeyConstraint(["screening_id"], ["screenings.id"], name=op.f("reservations_screening_id_fkey")),
        sa.PrimaryKeyConstraint("screening_id", "id", name=op.f("reservations_pkey")),
    )
    op.create_index("reservations_of_user", "reservations", ["user_id", "id"], unique=False)
    op.create_index(
        "reservations_run_out",
        "reservations",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('held', 'paying')"),
    )
    op.create_table(
        "booking_seats",
        sa.Column("screening_id", sa.Integer(), nullable=False),
        sa.Column("booking_id", sa.UUID(), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cancelled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("a_booked_price_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["screening_id", "booking_id"],
            ["bookings.screening_id", "bookings.id"],
            name=op.f("booking_seats_screening_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("screening_id", "booking_id", "seat_id", name=op.f("booking_seats_pkey")),
    )
    op.create_index(
        "one_live_booking_per_seat",
        "booking_seats",
        ["screening_id", "seat_id"],
        unique=True,
        postgresql_where=sa.text("cancelled_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "one_live_booking_per_seat", table_name="booking_seats", postgresql_where=sa.text("cancelled_at IS NULL")
    )
    op.drop_table("booking_seats")
    op.drop_index(
        "reservations_run_out", table_name="reservations", postgresql_where=sa.text("status IN ('held', 'paying')")
    )
    op.drop_index("reservations_of_user", table_name="reservations")
    op.drop_table("reservations")
    op.drop_index("bookings_of_user", table_name="bookings")
    op.drop_index("bookings_newest_first", table_name="bookings")
    op.drop_table("bookings")
    op.drop_index("seats_label_in_use", table_name="seats", postgresql_where=sa.text("removed_at IS NULL"))
    op.drop_index("seats_in_order", table_name="seats")
    op.drop_table("seats")
    op.drop_index("screenings_soonest_first", table_name="screenings")
    op.drop_index("screenings_of_theater", table_name="screenings")
    op.drop_table("screenings")
    op.drop_index("users_username_key", table_name="users")
    op.drop_index("guests_of_email", table_name="users", postgresql_where=sa.text("is_guest"))
    op.drop_table("users")
    op.drop_table("theaters")
    op.drop_index("seat_events_by_age", table_name="seat_events", postgresql_using="brin")
    op.drop_table("seat_events")
    op.drop_index("seat_claims_of_user", table_name="seat_claims")
    op.drop_table("seat_claims")
    op.drop_table("reservation_seats")
    op.drop_index("idempotency_keys_of_owner", table_name="idempotency_keys")
    op.drop_index("idempotency_keys_by_age", table_name="idempotency_keys", postgresql_using="brin")
    op.drop_table("idempotency_keys")
