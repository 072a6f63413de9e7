"""Runs the migrations over the connection that ``streamweave.catalog.schema`` hands in."""

from alembic import context

from streamweave.catalog.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
