"""Alembic's entry: runs on the connection, and in the transaction, that `migrate.upgrade` opened."""

from alembic import context

from fabd.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
