"""One email is one buyer: which users had which email, as a keyed hash that stays as long as limits count it.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_secret",
        sa.Column("is_the_only_one", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("is_the_only_one", name=op.f("email_secret_is_one_row")),
        sa.PrimaryKeyConstraint("is_the_only_one", name=op.f("email_secret_pkey")),
    )
    op.execute(
        "INSERT INTO email_secret (secret) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
    )
    op.create_table(
        "buyer_emails",
        sa.Column("email_key", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("left_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("buyer_emails_user_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("email_key", "user_id", name=op.f("buyer_emails_pkey")),
    )
    op.execute("""
        INSERT INTO buyer_emails (email_key, user_id)
        SELECT sha256((SELECT secret FROM email_secret) || convert_to(lower(email), 'UTF8')), id
          FROM users WHERE email IS NOT NULL
    """)
    op.create_index("emails_of_user", "buyer_emails", ["user_id"])
    op.create_index("emails_left", "buyer_emails", ["left_at"], postgresql_where=sa.text("left_at IS NOT NULL"))
    op.drop_index("guests_of_email", table_name="users")


def downgrade() -> None:
    op.create_index("guests_of_email", "users", [sa.text("lower(email)")], postgresql_where=sa.text("is_guest"))
    op.drop_table("buyer_emails")
    op.drop_table("email_secret")
