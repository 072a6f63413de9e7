"""Scans say of each folder that could not be listed why, and beat while they run; alerts about such folders."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KINDS = (
    "'overdue_files', 'failing_share', 'unwatched_share', 'silent_instrument', 'damaged_copies', 'failing_hooks', "
    "'full_storage', 'unproven_storage', 'refused_storage'"
)
KNOWN = "ck_alerts_kind_is_known"


def upgrade() -> None:
    op.add_column(
        "scans",
        sa.Column(
            "unlisted_reasons",
            postgresql.JSONB(),
            server_default="{}",
            nullable=False,
            comment="why each of the unlisted_folders could not be listed, by folder",
        ),
    )
    # what runs now has 15 s to show that it lives; what was killed long ago is ended by the first who finds it
    op.add_column(
        "scans",
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
            comment="when its process was last heard of, by the database's clock",
        ),
    )
    op.create_index("ix_scans_running", "scans", ["heartbeat_at"], postgresql_where=sa.text("finished_at IS NULL"))
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS}, 'unlisted_folders')")


def downgrade() -> None:
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.execute("DELETE FROM alerts WHERE kind = 'unlisted_folders'")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS})")
    op.drop_index("ix_scans_running", table_name="scans")
    op.drop_column("scans", "heartbeat_at")
    op.drop_column("scans", "unlisted_reasons")
