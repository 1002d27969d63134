"""Programs sell for customers of their own; guests join accounts, which are found by their email.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("joined_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("users_joined_id_fkey"), "users", "users", ["joined_id"], ["id"])
    op.create_check_constraint(op.f("only_a_guest_joins"), "users", "joined_id IS NULL OR is_guest")
    op.add_column("users", sa.Column("owner_id", sa.BigInteger(), nullable=True))
    op.add_column("users", sa.Column("reference", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("users_owner_id_fkey"), "users", "users", ["owner_id"], ["id"])
    op.create_check_constraint(op.f("a_reference_has_its_owner"), "users", "(owner_id IS NULL) = (reference IS NULL)")
    op.create_index(
        "users_owner_id_reference_key",
        "users",
        ["owner_id", "reference"],
        unique=True,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "users_of_email",
        "users",
        [sa.text("lower(email)")],
        postgresql_where=sa.text("email IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("users_of_email", "users")
    op.drop_index("users_owner_id_reference_key", "users")
    op.drop_constraint(op.f("a_reference_has_its_owner"), "users")
    op.drop_constraint(op.f("users_owner_id_fkey"), "users")
    op.drop_column("users", "reference")
    op.drop_column("users", "owner_id")
    op.drop_constraint(op.f("only_a_guest_joins"), "users")
    op.drop_constraint(op.f("users_joined_id_fkey"), "users")
    op.drop_column("users", "joined_id")
