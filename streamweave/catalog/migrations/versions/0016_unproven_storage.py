"""Alerts about storage locations whose copies are not proven."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KINDS = (
    "'overdue_files', 'failing_share', 'unwatched_share', 'silent_instrument', 'damaged_copies', 'failing_hooks', "
    "'full_storage'"
)
KNOWN = "ck_alerts_kind_is_known"


def upgrade() -> None:
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS}, 'unproven_storage')")


def downgrade() -> None:
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.execute("DELETE FROM alerts WHERE kind = 'unproven_storage'")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS})")
