"""What finding seats needs: where people look, aisles that no coordinates show, three orphan rules, reserved places.

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TYPES = {
    "usher_taken": "screening_id bigint, seat_ids bigint[]",
    "usher_missed": "screening_id bigint, version bigint, seat_id bigint, is_taken boolean",
}
PLANNED = ("screenings", "screening_states")


def upgrade() -> None:
    op.add_column("seats", sa.Column("aisle_after", sa.Boolean(), server_default="false", nullable=False))
    for table in ("theaters", "former_layouts"):
        op.add_column(table, sa.Column("focal_x", sa.Double(), nullable=True))
        op.add_column(table, sa.Column("focal_y", sa.Double(), nullable=True))
        op.create_check_constraint(
            op.f(f"{table}_focal_point_is_whole"), table, "(focal_x IS NULL) = (focal_y IS NULL)"
        )
    for table in PLANNED:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN orphan_rule DROP DEFAULT")
        op.execute(f"""
            ALTER TABLE {table} ALTER COLUMN orphan_rule TYPE text
                  USING CASE WHEN orphan_rule THEN 'lenient' ELSE 'off' END
        """)
        op.execute(f"ALTER TABLE {table} ALTER COLUMN orphan_rule SET DEFAULT 'off'")
        op.add_column(table, sa.Column("reserved_places", sa.Text(), server_default="kept", nullable=False))
    op.create_check_constraint(
        op.f("orphan_rule_is_known"), "screenings", "orphan_rule IN ('off', 'lenient', 'strict')"
    )
    op.create_check_constraint(
        op.f("reserved_places_are_known"), "screenings", "reserved_places IN ('kept', 'released')"
    )
    op.execute("ALTER TYPE usher_screening_facts ADD ATTRIBUTE orphan_rule text, ADD ATTRIBUTE reserved_places text")
    for name, columns in TYPES.items():
        op.execute(f"CREATE TYPE {name} AS ({columns})")


def downgrade() -> None:
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")
    op.execute("ALTER TYPE usher_screening_facts DROP ATTRIBUTE orphan_rule, DROP ATTRIBUTE reserved_places")
    op.drop_constraint(op.f("orphan_rule_is_known"), "screenings")
    for table in PLANNED:
        op.drop_column(table, "reserved_places")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN orphan_rule DROP DEFAULT")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN orphan_rule TYPE boolean USING orphan_rule <> 'off'")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN orphan_rule SET DEFAULT false")
    for table in ("theaters", "former_layouts"):
        op.drop_column(table, "focal_x")
        op.drop_column(table, "focal_y")
    op.drop_column("seats", "aisle_after")
