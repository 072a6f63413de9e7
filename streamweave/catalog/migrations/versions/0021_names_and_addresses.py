"""When an instrument last got another address; and files that failed because their name was taken go on.

They get the next free name now. Nobody need ask for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

COMMENT = "when it last got another host, share or base path; null: never"
NAME_WAS_TAKEN = """
UPDATE file_versions AS version
SET state = 'settled', reason = 'its name in the archive was taken: the next free one is tried', state_since = now(),
    failures = 0, retry_at = NULL
WHERE version.is_newest AND version.state = 'failed' AND (
    SELECT last.error_kind FROM file_transfers AS last
    WHERE last.file_id = version.file_id AND last.version_id = version.id AND last.status = 'failed'
    ORDER BY last.created_at DESC, last.id DESC LIMIT 1
) = 'destination_occupied'
"""


def upgrade() -> None:
    op.add_column(
        "instruments", sa.Column("address_changed_at", sa.DateTime(timezone=True), nullable=True, comment=COMMENT)
    )
    op.execute(NAME_WAS_TAKEN)


def downgrade() -> None:
    op.drop_column("instruments", "address_changed_at")
