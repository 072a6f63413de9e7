"""Lists that need nothing but indexes: when files of an acquisition time were discovered, and which are withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ACQUIRED = {
    "ix_file_records_source_mtime": ["source_mtime", "id"],
    "ix_file_records_instrument_source_mtime": ["instrument_id", "source_mtime", "id"],
}
WITHDRAWN = "ix_file_records_withdrawn"


def upgrade() -> None:
    for index, columns in ACQUIRED.items():
        op.drop_index(index, "file_records")
        op.create_index(index, "file_records", columns, postgresql_include=["first_discovered_at"])
    op.create_index(WITHDRAWN, "file_records", ["id"], postgresql_where=sa.text("withdrawn_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index(WITHDRAWN, "file_records")
    for index, columns in ACQUIRED.items():
        op.drop_index(index, "file_records")
        op.create_index(index, "file_records", columns)
