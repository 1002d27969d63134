"""Two indexes that are taken for what they are for, and for nothing else, even by a plan made of an empty table.

Revision: 0022, after 0021.

A table may be empty when a statement is planned, and have ten thousand rows a minute later. Of an empty one all ways
cost the same to PostgreSQL, which then takes the index that was made last. So the claims of a user are found by an
index that does not fit who looks for a seat, and the keys of an owner by one that is newer than the primary key. Both
are built while others write.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

CLAIMS, CLAIMS_BEFORE = "claims_of_user", "seat_claims_of_user"
KEYS, KEYS_BEFORE = "keys_of_owner", "idempotency_keys_of_owner"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name in (CLAIMS, KEYS):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # of an attempt that was interrupted
        op.execute(
            f"CREATE INDEX CONCURRENTLY {CLAIMS} ON seat_claims (screening_id, user_id) WHERE user_id IS NOT NULL"
        )
        op.execute(f"CREATE INDEX CONCURRENTLY {KEYS} ON idempotency_keys (owner_id, key)")
        for name in (CLAIMS_BEFORE, KEYS_BEFORE):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def downgrade() -> None:
    op.create_index(CLAIMS_BEFORE, "seat_claims", ["screening_id", "user_id"])
    op.create_index(KEYS_BEFORE, "idempotency_keys", ["owner_id", "key"])
    op.drop_index(CLAIMS, "seat_claims")
    op.drop_index(KEYS, "idempotency_keys")
