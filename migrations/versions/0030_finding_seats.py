"""What finding seats needs: where people look, aisles that no coordinates show, three orphan rules, reserved places.

Revision: 0030, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("seats", sa.Column("aisle_after", sa.Boolean(), server_default="false", nullable=False))
    for table in ("theaters", "former_layouts"):
        op.add_column(table, sa.Column("focal_x", sa.Double(), nullable=True))
        op.add_column(table, sa.Column("focal_y", sa.Double(), nullable=True))
        op.create_check_constraint(
            op.f(f"{table}_focal_point_is_whole"), table, "(focal_x IS NULL) = (focal_y IS NULL)"
        )
    op.execute("ALTER TABLE screenings ALTER COLUMN orphan_rule DROP DEFAULT")
    op.execute("""
        ALTER TABLE screenings ALTER COLUMN orphan_rule TYPE text
              USING CASE WHEN orphan_rule THEN 'lenient' ELSE 'off' END
    """)
    op.execute("ALTER TABLE screenings ALTER COLUMN orphan_rule SET DEFAULT 'off'")
    op.create_check_constraint(
        op.f("orphan_rule_is_known"), "screenings", "orphan_rule IN ('off', 'lenient', 'strict')"
    )
    op.add_column("screenings", sa.Column("reserved_places", sa.Text(), server_default="kept", nullable=False))
    op.create_check_constraint(
        op.f("reserved_places_are_known"), "screenings", "reserved_places IN ('kept', 'released')"
    )


def downgrade() -> None:
    op.drop_column("screenings", "reserved_places")
    op.drop_constraint(op.f("orphan_rule_is_known"), "screenings")
    op.execute("ALTER TABLE screenings ALTER COLUMN orphan_rule DROP DEFAULT")
    op.execute("ALTER TABLE screenings ALTER COLUMN orphan_rule TYPE boolean USING orphan_rule <> 'off'")
    op.execute("ALTER TABLE screenings ALTER COLUMN orphan_rule SET DEFAULT false")
    for table in ("theaters", "former_layouts"):
        op.drop_column(table, "focal_x")
        op.drop_column(table, "focal_y")
    op.drop_column("seats", "aisle_after")
