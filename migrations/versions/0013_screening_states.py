"""What organizers say of a screening, and what every batch locks and moves, apart; ids have 64 bits.

Every table with an id in it is written anew, and nothing can be sold meanwhile. An older release cannot serve on with
this schema, nor sell: it looks for a column that is not there any more.

Revision: 0013, after 0012. A released migration is never edited.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# The columns of each table that become bigint, all at once: a table is written anew once.
IDS = {
    "theaters": ("id",),
    "seats": ("id", "theater_id"),
    "former_layouts": ("theater_id",),
    "screenings": ("id", "theater_id"),
    "seat_claims": ("screening_id", "seat_id"),
    "reservations": ("screening_id",),
    "reservation_seats": ("screening_id", "seat_id"),
    "anonymous_holds": ("screening_id",),
    "bookings": ("screening_id",),
    "booking_seats": ("screening_id", "seat_id"),
    "idempotency_keys": ("screening_id",),
    "seat_events": ("screening_id", "seat_id"),
}
REFERRING = ("reservations", "bookings")
SAME = (
    "starts_at, sales_open_at, sales_close_at, hold_seconds, max_hold_seconds, prices, max_seats_per_reservation, "
    "max_seats_per_user, max_active_reservations_per_user, bookings_per_user_per_day, orphan_rule, cancelled_at, "
    "layout_revision, revision, version"
)


def upgrade() -> None:
    _lock_everything()
    _retype("bigint")
    moment = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "screening_states",
        sa.Column("screening_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("theater_id", sa.BigInteger(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("starts_at", moment, nullable=False),
        sa.Column("sales_open_at", moment, nullable=True),
        sa.Column("sales_close_at", moment, nullable=True),
        sa.Column("hold_seconds", sa.Integer(), nullable=True),
        sa.Column("max_hold_seconds", sa.Integer(), nullable=True),
        sa.Column("prices", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_seats_per_reservation", sa.Integer(), nullable=True),
        sa.Column("max_seats_per_user", sa.Integer(), nullable=True),
        sa.Column("max_active_reservations_per_user", sa.Integer(), nullable=True),
        sa.Column("bookings_per_user_per_day", sa.Integer(), nullable=True),
        sa.Column("orphan_rule", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cancelled_at", moment, nullable=True),
        sa.Column("layout_revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("screening_id", name=op.f("screening_states_pkey")),
        postgresql_with={"fillfactor": "70"},
    )
    columns = ", ".join(f"s.{column}" for column in SAME.split(", "))
    op.execute(f"""
        INSERT INTO screening_states (screening_id, theater_id, timezone, {SAME})
        SELECT s.id, s.theater_id, t.timezone, {columns} FROM screenings s JOIN theaters t ON t.id = s.theater_id
    """)  # noqa: S608 - our own names
    for table in REFERRING:
        op.drop_constraint(op.f(f"{table}_screening_id_fkey"), table)
        op.create_foreign_key(
            op.f(f"{table}_screening_id_fkey"), table, "screening_states", ["screening_id"], ["screening_id"]
        )
    op.drop_column("screenings", "version")
    op.execute("ALTER TABLE screenings RESET (fillfactor)")


def downgrade() -> None:
    """Fails if an id is larger than 32 bits hold: then there is no way back."""
    _lock_everything("screening_states")
    op.add_column("screenings", sa.Column("version", sa.BigInteger(), server_default="0", nullable=False))
    # A fence may have moved the revision of the state alone; the sum that maps count with must never fall.
    op.execute("""
        UPDATE screenings s SET version = c.version, revision = greatest(s.revision, c.revision)
          FROM screening_states c WHERE c.screening_id = s.id
    """)
    for table in REFERRING:
        op.drop_constraint(op.f(f"{table}_screening_id_fkey"), table)
        op.create_foreign_key(op.f(f"{table}_screening_id_fkey"), table, "screenings", ["screening_id"], ["id"])
    op.drop_table("screening_states")
    _retype("integer")
    op.execute("ALTER TABLE screenings SET (fillfactor = 70)")


def _lock_everything(*others: str) -> None:
    """Wait for the tables in one order, before anything is done: whoever holds one of them long is not waited for."""
    op.execute(f"LOCK TABLE {', '.join((*IDS, *others))} IN ACCESS EXCLUSIVE MODE")


def _retype(kind: str) -> None:
    """Each table once. A foreign key between two kinds of integers is allowed, so the order does not matter."""
    for table, columns in IDS.items():
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"ALTER COLUMN {column} TYPE {kind}" for column in columns))
