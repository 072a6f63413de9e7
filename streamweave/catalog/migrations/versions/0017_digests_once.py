"""A content's digests stand with its version alone; the file record no longer repeats those of the newest.

So a harvest does not write records again, and their pages need no room for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


COMMENTS = {"xxhash": "XXH64 with seed 0, 16 hexadecimal digits", "sha256": "64 hexadecimal digits"}


def upgrade() -> None:
    for name, comment in COMMENTS.items():
        op.alter_column("file_versions", name, comment=comment)
        op.drop_column("file_records", name)
    op.execute("ALTER TABLE file_records RESET (fillfactor)")


def downgrade() -> None:
    op.execute("ALTER TABLE file_records SET (fillfactor = 50)")
    for name, comment in COMMENTS.items():
        op.add_column("file_records", sa.Column(name, sa.Text(), nullable=True, comment=comment))
        op.alter_column("file_versions", name, comment=None, existing_comment=comment)
    op.execute(
        "UPDATE file_records SET xxhash = newest.xxhash, sha256 = newest.sha256 FROM file_versions AS newest "
        "WHERE newest.file_id = file_records.id AND newest.is_newest"
    )
