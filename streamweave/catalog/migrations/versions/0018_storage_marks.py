"""The catalog has an identity, and storage locations have marks that name it; a location that is refused says why."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KINDS = (
    "'overdue_files', 'failing_share', 'unwatched_share', 'silent_instrument', 'damaged_copies', 'failing_hooks', "
    "'full_storage', 'unproven_storage'"
)
KNOWN = "ck_alerts_kind_is_known"
COLUMNS = (
    sa.Column(
        "marked_at",
        sa.DateTime(timezone=True),
        nullable=True,
        comment="when the mark that stands at the place was made; null: not marked since marks say whose they are",
    ),
    sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True, comment="since when the place is refused"),
    sa.Column("refusal", sa.Text(), nullable=True, comment="why the place is not taken for the location"),
)
# a dump from before this migration that is restored and migrated once more must get the same id again
IDENTITY = """
INSERT INTO catalog_identity (id) SELECT coalesce(
    (SELECT md5('catalog of ' || id)::uuid FROM storage_locations ORDER BY created_at, id LIMIT 1), gen_random_uuid()
)
"""
AUDIT = """
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON catalog_identity FOR EACH ROW
WHEN (coalesce(current_setting('streamweave.actor', true), '') <> '')
EXECUTE FUNCTION write_audit_entry()
"""


def upgrade() -> None:
    op.create_table(
        "catalog_identity",
        sa.Column("is_only", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("previous_id", sa.Uuid(), nullable=True, comment="what it was before it was given a new identity"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("is_only", name=op.f("ck_catalog_identity_is_the_only_row")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("pk_catalog_identity")),
    )
    op.execute(IDENTITY)
    op.execute(AUDIT)
    for column in COLUMNS:
        op.add_column("storage_locations", column)
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS}, 'refused_storage')")


def downgrade() -> None:
    op.drop_constraint(op.f(KNOWN), "alerts")
    op.execute("DELETE FROM alerts WHERE kind = 'refused_storage'")
    op.create_check_constraint(op.f(KNOWN), "alerts", f"kind IN ({KINDS})")
    for column in COLUMNS:
        op.drop_column("storage_locations", column.name)
    op.drop_table("catalog_identity")
