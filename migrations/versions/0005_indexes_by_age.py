"""Old keys and events are found by their age in B-trees.

A block range index never forgets the oldest row that a page once had: when deleted rows' places are taken again, every
page seems old. Indexes are built while others write.

Revision: 0005, after 0004.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

AGES = (("idempotency_keys_by_age", "idempotency_keys", "created_at"), ("seat_events_by_age", "seat_events", "at"))


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, column in AGES:
            _build(name, table, column, "btree")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, column in AGES:
            _build(name, table, column, "brin")


def _build(name: str, table: str, column: str, using: str) -> None:
    """Another index of this name; what an interrupted attempt left is in the way."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}_new")
    op.execute(f"CREATE INDEX CONCURRENTLY {name}_new ON {table} USING {using} ({column})")
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")
