"""Hooks that call out: their secrets, their runs, and the files that wait for them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

IMPLEMENTATION_IS_KNOWN = "ck_hooks_implementation_is_known"
WAITING = ("hook_failures", "failing_hook_id", "failing_hooks", "hook_retry_at")


def upgrade() -> None:
    op.add_column("hooks", sa.Column("sealed_webhook_secret", sa.LargeBinary(), nullable=True))
    op.drop_constraint(op.f(IMPLEMENTATION_IS_KNOWN), "hooks", type_="check")
    op.create_check_constraint(
        op.f(IMPLEMENTATION_IS_KNOWN), "hooks", "implementation IN ('builtin', 'python_script', 'http_webhook')"
    )
    _add_waiting()
    _create_hook_runs()


def _add_waiting() -> None:
    op.add_column(
        "file_versions",
        sa.Column(
            "hook_failures", sa.BigInteger(), nullable=False, server_default="0", comment="of one hook, in a row"
        ),
    )
    op.add_column("file_versions", sa.Column("failing_hook_id", sa.Uuid(), nullable=True))
    op.add_column(
        "file_versions",
        sa.Column("failing_hooks", sa.Text(), nullable=True, comment="fingerprint of the hooks of which one failed"),
    )
    op.add_column(
        "file_versions",
        sa.Column(
            "hook_retry_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="these hooks are not asked before",
        ),
    )
    op.create_index(
        "ix_file_versions_hook_retry_at",
        "file_versions",
        ["instrument_id", "hook_retry_at"],
        postgresql_where=sa.text("hook_retry_at IS NOT NULL"),
    )


def _create_hook_runs() -> None:
    op.create_table(
        "hook_runs",
        sa.Column("hook_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("diagnostics", sa.Text(), nullable=True, comment="the end of a script's standard error, for admins"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("trigger IN ('pre_transfer', 'post_transfer')", name=op.f("ck_hook_runs_trigger_is_known")),
        sa.CheckConstraint(
            "outcome IN ('proceed', 'skip', 'redirect', 'enriched', 'failed', 'timed_out')",
            name=op.f("ck_hook_runs_outcome_is_known"),
        ),
        sa.ForeignKeyConstraint(["hook_id"], ["hooks.id"], name=op.f("fk_hook_runs_hook_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file_records.id"], name=op.f("fk_hook_runs_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["file_versions.id"], name=op.f("fk_hook_runs_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_runs")),
    )
    newest_first: list[Any] = [sa.literal_column("started_at DESC"), sa.literal_column("id DESC")]
    op.create_index("ix_hook_runs_started_at", "hook_runs", newest_first)
    op.create_index("ix_hook_runs_hook_id", "hook_runs", ["hook_id", *newest_first])
    op.create_index("ix_hook_runs_file_id", "hook_runs", ["file_id", *newest_first])
    op.create_index("ix_hook_runs_version_id", "hook_runs", ["version_id"])
    op.create_index(
        "ix_hook_runs_failed",
        "hook_runs",
        newest_first,
        postgresql_where=sa.text("outcome IN ('failed', 'timed_out')"),
    )


def downgrade() -> None:
    op.drop_table("hook_runs")
    op.drop_index("ix_file_versions_hook_retry_at", table_name="file_versions")
    for column in WAITING:
        op.drop_column("file_versions", column)
    # the older StreamWeave can't run them, and must not take them for built-in ones
    op.execute("DELETE FROM hooks WHERE implementation <> 'builtin'")
    op.drop_constraint(op.f(IMPLEMENTATION_IS_KNOWN), "hooks", type_="check")
    op.create_check_constraint(op.f(IMPLEMENTATION_IS_KNOWN), "hooks", "implementation IN ('builtin')")
    op.drop_column("hooks", "sealed_webhook_secret")
