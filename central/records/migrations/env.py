"""Runs Alembic's migrations on the connection, and within the transaction, of open_records."""

from alembic import context
from sqlalchemy import Connection

from central.records.schema import metadata


def run(connection: Connection) -> None:
    """Bring the tables behind the connection to the wanted version."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,  # also on SQLite: an upgrade happens whole or not at all
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


run(context.config.attributes["connection"])
