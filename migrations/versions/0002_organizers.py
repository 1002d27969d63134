"""Organizers edit: theaters that were taken away, layouts that change under screenings, screenings without a limit.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LIMITS = (
    "max_seats_per_reservation",
    "max_seats_per_user",
    "max_active_reservations_per_user",
    "bookings_per_user_per_day",
)


def upgrade() -> None:
    op.add_column("theaters", sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("screenings", sa.Column("layout_revision", sa.Integer(), server_default="1", nullable=False))
    op.execute(
        "UPDATE screenings SET layout_revision = theaters.layout_revision FROM theaters"
        " WHERE theaters.id = screenings.theater_id AND theaters.layout_revision <> 1"
    )
    for limit in LIMITS:
        op.create_check_constraint(op.f(f"{limit}_is_a_limit"), "screenings", f"{limit} > 0 OR {limit} = -1")


def downgrade() -> None:
    for limit in LIMITS:
        op.drop_constraint(op.f(f"{limit}_is_a_limit"), "screenings", type_="check")
        op.execute(f"UPDATE screenings SET {limit} = NULL WHERE {limit} = -1")  # noqa: S608 - our own names
    op.drop_column("screenings", "layout_revision")
    op.drop_column("theaters", "removed_at")
