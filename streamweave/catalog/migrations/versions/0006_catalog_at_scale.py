"""A million files: each state's and each owner's files in the order of lists."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATES = "ix_file_versions_newest_state"
OWNERS = "ix_file_records_owner_id"
IS_OWNED = sa.text("owner_id IS NOT NULL")
IS_NEWEST = sa.text("is_newest")

REPEAT_FIRST_DISCOVERED_AT = """
CREATE FUNCTION repeat_first_discovered_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT first_discovered_at INTO NEW.first_discovered_at FROM file_records WHERE id = NEW.file_id;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.add_column("file_versions", sa.Column("first_discovered_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE file_versions SET first_discovered_at = file_records.first_discovered_at"
        " FROM file_records WHERE file_records.id = file_id"
    )
    op.alter_column("file_versions", "first_discovered_at", nullable=False)
    op.execute(REPEAT_FIRST_DISCOVERED_AT)
    op.execute(
        "CREATE TRIGGER repeat_first_discovered_at BEFORE INSERT ON file_versions"
        " FOR EACH ROW WHEN (NEW.first_discovered_at IS NULL) EXECUTE FUNCTION repeat_first_discovered_at()"
    )
    op.drop_index(STATES, "file_versions")
    op.create_index(
        STATES,
        "file_versions",
        ["state", sa.text("first_discovered_at DESC"), sa.text("file_id DESC")],
        postgresql_where=IS_NEWEST,
        postgresql_include=["state_since"],
    )
    op.drop_index(OWNERS, "file_records")
    op.create_index(
        OWNERS,
        "file_records",
        ["owner_id", sa.text("first_discovered_at DESC"), sa.text("id DESC")],
        postgresql_where=IS_OWNED,
    )


def downgrade() -> None:
    op.drop_index(OWNERS, "file_records")
    op.create_index(OWNERS, "file_records", ["owner_id"], postgresql_where=IS_OWNED)
    op.drop_index(STATES, "file_versions")
    op.execute("DROP TRIGGER repeat_first_discovered_at ON file_versions")
    op.execute("DROP FUNCTION repeat_first_discovered_at")
    op.drop_column("file_versions", "first_discovered_at")
    op.create_index(STATES, "file_versions", ["state", "state_since"], postgresql_where=IS_NEWEST)
