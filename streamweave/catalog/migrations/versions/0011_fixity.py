"""Fixity: re-readings on record, damaged copies beside those that repair them, and holds until a person has looked."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STATUS_IS_KNOWN = "ck_file_transfers_status_is_known"
STATUSES = "'pending', 'in_progress', 'completed', 'failed', 'skipped'"
TURNS = "ix_file_transfers_last_verified_at"
COMPLETED = sa.text("status = 'completed'")

# harvests cannot say when it was found: the last re-reading did find it
DATE_DAMAGE = """
UPDATE file_transfers SET damage_found_at = coalesce(last_verified_at, completed_at, created_at)
WHERE damage IS NOT NULL
"""
# the earlier schema knows one copy for each version and location: the one that was repaired stays, else the damaged one
GIVE_UP_REPAIRED = """
UPDATE file_transfers AS damaged SET status = 'failed', error_kind = 'damaged', error_message = damage
WHERE status = 'damaged' AND EXISTS (
    SELECT FROM file_transfers AS other
    WHERE other.version_id = damaged.version_id
        AND other.storage_location_id = damaged.storage_location_id
        AND (
            other.status IN ('pending', 'in_progress', 'completed')
            OR other.status = 'damaged' AND other.id > damaged.id
        )
)
"""
TAKE_BACK_DAMAGED = "UPDATE file_transfers SET status = 'completed' WHERE status = 'damaged'"

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change_of_fixity_checks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'fixity checks are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON fixity_checks FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change_of_fixity_checks()
"""
AUDIT_HOLDS = """
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON fixity_holds FOR EACH ROW
WHEN (coalesce(current_setting('streamweave.actor', true), '') <> '')
EXECUTE FUNCTION write_audit_entry()
"""


def upgrade() -> None:
    _change_transfers()
    _create_sweeps()
    _create_checks()
    _create_holds()


def _change_transfers() -> None:
    op.add_column(
        "file_transfers",
        sa.Column(
            "damage_found_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a re-reading first found it so",
        ),
    )
    op.execute(DATE_DAMAGE)
    op.drop_constraint(op.f(STATUS_IS_KNOWN), "file_transfers", type_="check")
    op.create_check_constraint(op.f(STATUS_IS_KNOWN), "file_transfers", f"status IN ({STATUSES}, 'damaged')")
    op.create_check_constraint(
        op.f("ck_file_transfers_damaged_is_described"), "file_transfers", "status != 'damaged' OR damage IS NOT NULL"
    )
    op.drop_index(TURNS, table_name="file_transfers")
    op.create_index(
        TURNS,
        "file_transfers",
        ["storage_location_id", sa.literal_column("last_verified_at ASC NULLS FIRST"), "id"],
        postgresql_where=COMPLETED,
        postgresql_include=["instrument_id"],
    )
    op.create_index(
        "ix_file_transfers_damage",
        "file_transfers",
        ["storage_location_id", "damage_found_at"],
        postgresql_where=sa.text("damage IS NOT NULL"),
    )


def _create_sweeps() -> None:
    op.create_table(
        "fixity_sweeps",
        sa.Column("storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dagster_run_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "damaged",
            sa.BigInteger(),
            nullable=False,
            comment="damaged, missing and unreadable copies among the files",
        ),
        sa.Column("trouble", sa.Text(), nullable=True, comment="why it ended early, or what it could not keep up with"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind IN ('nightly', 'complete')", name=op.f("ck_fixity_sweeps_kind_is_known")),
        sa.ForeignKeyConstraint(
            ["storage_location_id"], ["storage_locations.id"], name=op.f("fk_fixity_sweeps_storage_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixity_sweeps")),
    )
    newest_first: Any = sa.literal_column("started_at DESC")
    op.create_index("ix_fixity_sweeps_started_at", "fixity_sweeps", [newest_first, sa.literal_column("id DESC")])
    op.create_index("ix_fixity_sweeps_storage_location_id", "fixity_sweeps", ["storage_location_id", newest_first])


def _create_checks() -> None:
    op.create_table(
        "fixity_checks",
        sa.Column("sweep_id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=True, comment="what is wrong; null for an intact copy"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('intact', 'damaged', 'missing', 'unreadable')", name=op.f("ck_fixity_checks_outcome_is_known")
        ),
        sa.CheckConstraint("(outcome = 'intact') = (found IS NULL)", name=op.f("ck_fixity_checks_damage_is_described")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixity_checks")),
    )
    op.create_index(
        "ix_fixity_checks_file_id",
        "fixity_checks",
        ["file_id", sa.literal_column("checked_at DESC"), sa.literal_column("id DESC")],
    )
    op.execute(REFUSE_CHANGE)
    op.execute(APPEND_ONLY)


def _create_holds() -> None:
    op.create_table(
        "fixity_holds",
        sa.Column("storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("sweep_id", sa.Uuid(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["released_by_id"], ["users.id"], name=op.f("fk_fixity_holds_released_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["storage_location_id"], ["storage_locations.id"], name=op.f("fk_fixity_holds_storage_location_id")
        ),
        sa.ForeignKeyConstraint(["sweep_id"], ["fixity_sweeps.id"], name=op.f("fk_fixity_holds_sweep_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fixity_holds")),
    )
    op.create_index(
        "ix_fixity_holds_held_at", "fixity_holds", [sa.literal_column("held_at DESC"), sa.literal_column("id DESC")]
    )
    op.create_index(
        "uq_fixity_holds_open",
        "fixity_holds",
        ["storage_location_id"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_index("ix_fixity_holds_storage_location_id", "fixity_holds", ["storage_location_id", "released_at"])
    op.create_index("ix_fixity_holds_sweep_id", "fixity_holds", ["sweep_id"])
    op.create_index(
        "ix_fixity_holds_released_by_id",
        "fixity_holds",
        ["released_by_id"],
        postgresql_where=sa.text("released_by_id IS NOT NULL"),
    )
    op.execute(AUDIT_HOLDS)


def downgrade() -> None:
    op.drop_table("fixity_holds")
    op.drop_table("fixity_checks")
    op.execute("DROP FUNCTION refuse_change_of_fixity_checks()")
    op.drop_table("fixity_sweeps")
    op.drop_index("ix_file_transfers_damage", table_name="file_transfers")
    op.drop_index(TURNS, table_name="file_transfers")
    op.create_index(
        TURNS, "file_transfers", ["instrument_id", "last_verified_at"], unique=False, postgresql_where=COMPLETED
    )
    op.execute(GIVE_UP_REPAIRED)
    op.drop_constraint(op.f("ck_file_transfers_damaged_is_described"), "file_transfers", type_="check")
    op.execute(TAKE_BACK_DAMAGED)
    op.drop_constraint(op.f(STATUS_IS_KNOWN), "file_transfers", type_="check")
    op.create_check_constraint(op.f(STATUS_IS_KNOWN), "file_transfers", f"status IN ({STATUSES})")
    op.drop_column("file_transfers", "damage_found_at")
