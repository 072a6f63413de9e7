"""Alerts about storage locations whose journals and catalog differ."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

KINDS = (
    "'overdue_files', 'failing_share', 'unlisted_folders', 'unwatched_share', 'silent_instrument', 'damaged_copies', "
    "'failing_hooks', 'full_storage', 'unproven_storage', 'refused_storage'"
)
KNOWN = "ck_alerts_kind_is_known"


def upgrade() -> None:
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS}, 'conflicting_journals')")


def downgrade() -> None:
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.execute("DELETE FROM alerts WHERE kind = 'conflicting_journals'")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS})")
