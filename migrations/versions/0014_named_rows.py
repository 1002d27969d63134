"""Rows within rows have named types: a PostgreSQL of many nodes passes no others from node to node.

Revision: 0014, after 0013. A released migration is never edited.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TYPES = {
    "usher_screening_facts": (
        "id bigint, theater_id bigint, layout_revision integer, timezone text, starts_at timestamptz,"
        " sales_open_at timestamptz, sales_close_at timestamptz, cancelled_at timestamptz, hold_seconds integer,"
        " max_hold_seconds integer, prices jsonb, max_seats_per_reservation integer, max_seats_per_user integer,"
        " max_active_reservations_per_user integer, bookings_per_user_per_day integer, revision integer"
    ),
    "usher_screening": "facts usher_screening_facts, version bigint",
    "usher_key": (
        "owner_id bigint, key text, fingerprint bytea, user_id bigint, created boolean, location text, body bytea,"
        " created_at timestamptz, screening_id bigint"
    ),
    "usher_claim": (
        "screening_id bigint, seat_id bigint, status text, user_id bigint, reservation_id uuid, booking_id uuid,"
        " expires_at timestamptz, reason text"
    ),
    # A seat of a reservation or of a booking: until when it was one.
    "usher_seat": "seat_id bigint, amount_minor bigint, currency text, ended_at timestamptz",
    "usher_reservation": (
        "screening_id bigint, id uuid, user_id bigint, status text, created_at timestamptz, first_held_at timestamptz,"
        " expires_at timestamptz, booking_id uuid, version bigint, seats usher_seat[]"
    ),
    "usher_found_reservation": "reservation usher_reservation, claims usher_claim[]",
    "usher_booking": (
        "screening_id bigint, id uuid, user_id bigint, reservation_id uuid, status text, payment_status text,"
        " payment_reference text, created_at timestamptz, cancelled_at timestamptz, version bigint, seats usher_seat[]"
    ),
    "usher_found_booking": "booking usher_booking, claims usher_claim[]",
    "usher_lapse": (
        "screening_id bigint, user_id bigint, seat_id bigint, first_held_at timestamptz, ended_at timestamptz"
    ),
    "usher_held_from": "address bytea, network bytea, found usher_found_reservation",
    "usher_seat_change": (
        "version bigint, seat_id bigint, status text, expires_at timestamptz, user_id bigint, previous_user_id bigint"
    ),
}


def upgrade() -> None:
    for name, columns in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")


def downgrade() -> None:
    for name in reversed(TYPES):
        op.execute(f"DROP TYPE {name}")
