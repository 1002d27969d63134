"""Accounts: usernames with passwords, sessions with refresh tokens, and API keys for machines.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)

RULES = {
    "a_username_has_its_key": "(username IS NULL) = (username_key IS NULL)",
    "a_password_has_its_username": "password_hash IS NULL OR username IS NOT NULL",
    "a_guest_has_no_username": "NOT is_guest OR username IS NULL",
    "a_deleted_user_has_no_data": (
        "deleted_at IS NULL OR (username IS NULL AND email IS NULL AND password_hash IS NULL)"
    ),
}


def upgrade() -> None:
    op.add_column("users", sa.Column("username_key", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("password_hash", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("era", sa.Integer(), server_default="0", nullable=False))
    op.add_column("users", sa.Column("spared_session_id", sa.UUID(), nullable=True))
    op.add_column("users", sa.Column("era_began_at", MOMENT, nullable=True))
    op.add_column("users", sa.Column("deleted_at", MOMENT, nullable=True))
    op.execute("UPDATE users SET username_key = lower(username) WHERE username IS NOT NULL")
    for name, rule in RULES.items():
        op.create_check_constraint(op.f(name), "users", rule)
    op.drop_index("users_username_key", table_name="users")
    op.create_index("users_username_key", "users", ["username_key"], unique=True)
    op.create_index("users_by_era", "users", ["era_began_at"], postgresql_where=sa.text("era_began_at IS NOT NULL"))
    op.create_table(
        "sessions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("era", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("sessions_user_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sessions_pkey")),
    )
    op.create_index("sessions_by_end", "sessions", ["expires_at"])
    op.create_index("sessions_ended", "sessions", ["ended_at"], postgresql_where=sa.text("ended_at IS NOT NULL"))
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("a_key_is_good_for_something")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("api_keys_created_by_fkey")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("api_keys_user_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pkey")),
        sa.UniqueConstraint("key_hash", name=op.f("api_keys_key_hash_key")),
        sa.UniqueConstraint("user_id", name=op.f("api_keys_user_id_key")),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_table("sessions")
    op.drop_index("users_by_era", table_name="users")
    op.drop_index("users_username_key", table_name="users")
    op.create_index("users_username_key", "users", [sa.text("lower(username)")], unique=True)
    for name in RULES:
        op.drop_constraint(op.f(name), "users", type_="check")
    for column in ("deleted_at", "era_began_at", "spared_session_id", "era", "password_hash", "username_key"):
        op.drop_column("users", column)
