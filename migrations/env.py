"""What Alembic runs. The service hands over a connection, locked already; the command line gets one just so, here."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from app.db.migrations import with_migration_lock
from app.db.schema import metadata
from app.settings import settings_or_exit


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    """Which schemas are compared: that of the connection, and the dummy's."""
    return kind != "schema" or name in (None, "dummy_bank")


def migrate(connection: Connection) -> None:
    """Run what was asked for on this connection: each migration in a transaction of its own."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
        include_schemas=True,
        include_name=_is_ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if (handed_over := context.config.attributes.get("connection")) is not None:
    migrate(handed_over)
elif context.is_offline_mode():
    context.configure(url="postgresql+asyncpg://", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (url := (settings := settings_or_exit()).migrations_database_url or settings.database_url) is not None:
    asyncio.run(with_migration_lock(url, migrate))
else:
    raise SystemExit("The alembic command needs DATABASE_URL: the embedded PostgreSQL runs only as long as Usher does.")
