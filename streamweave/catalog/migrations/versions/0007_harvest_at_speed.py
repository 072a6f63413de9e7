"""Harvests at speed: looks that go on where the last was cut short, claims in the order of planning."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

IS_DONE = "is_newest AND state IN ('archived', 'unchanged')"
FINGERPRINTS = {
    "ix_file_versions_decided_destinations": ["instrument_id", "decided_destinations"],
    "ix_file_versions_enriched_hooks": ["instrument_id", "enriched_hooks"],
}
# A row is written again within minutes: with room left on its page, that costs no entry in any index of columns that
# stay as they are.
OFTEN_REWRITTEN = ("file_records", "file_versions", "file_transfers")


def upgrade() -> None:
    op.add_column(
        "scans",
        sa.Column(
            "continued",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="it went on where the last one ran out of time",
        ),
    )
    op.alter_column("scans", "continued", server_default=None)
    op.create_table(
        "unfinished_looks",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="of the folder that was looked at"),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the first of the looks began that saw this",
        ),
        sa.Column("cut_short_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "folders",
            sa.LargeBinary(),
            nullable=False,
            comment="MD5 of each folder without folders that was seen, 16 bytes each",
        ),
        sa.Column(
            "missing",
            sa.LargeBinary(),
            nullable=False,
            comment="MD5 of each known path that was missing in them, 16 bytes each",
        ),
        sa.Column("files", sa.BigInteger(), nullable=False, comment="how many files stand in them"),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
            name=op.f("fk_unfinished_looks_instrument_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("instrument_id", name=op.f("pk_unfinished_looks")),
    )
    op.drop_index("ix_file_transfers_waiting", "file_transfers")
    op.create_index(
        "ix_file_transfers_waiting",
        "file_transfers",
        ["instrument_id", "status", "created_at", "id"],
        postgresql_where=sa.text("status IN ('pending', 'in_progress')"),
    )
    op.drop_index("ix_file_transfers_run_id", "file_transfers")
    op.create_index(
        "ix_file_transfers_run_id", "file_transfers", ["run_id"], postgresql_where=sa.text("status = 'in_progress'")
    )
    for name, columns in FINGERPRINTS.items():
        op.drop_index(name, "file_versions")
        op.create_index(name, "file_versions", columns, postgresql_where=sa.text(IS_DONE))
    for table in OFTEN_REWRITTEN:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")


def downgrade() -> None:
    for table in OFTEN_REWRITTEN:
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
    for name, columns in FINGERPRINTS.items():
        op.drop_index(name, "file_versions")
        op.create_index(name, "file_versions", columns)
    op.drop_index("ix_file_transfers_run_id", "file_transfers")
    op.create_index("ix_file_transfers_run_id", "file_transfers", ["run_id"])
    op.drop_index("ix_file_transfers_waiting", "file_transfers")
    op.create_index(
        "ix_file_transfers_waiting",
        "file_transfers",
        ["instrument_id", "status"],
        postgresql_where=sa.text("status IN ('pending', 'in_progress')"),
    )
    op.drop_table("unfinished_looks")
    op.drop_column("scans", "continued")
