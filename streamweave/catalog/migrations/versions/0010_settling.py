"""Acquisitions that settle as one, growing files as versions, sources that are read again, cleaned-up shares."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
CHECKS = {
    "acquisition_depth_is_positive": "acquisition_depth >= 1",
    "marker_name_has_a_folder": "marker_name IS NULL OR acquisition_depth IS NOT NULL",
    "growing_files_is_known": "growing_files IN ('wait', 'versions')",
    "rehash_share_is_a_share": "rehash_share BETWEEN 0 AND 1",
    "rehash_bytes_are_not_negative": "rehash_bytes >= 0",
}


def _of_instruments() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "acquisition_depth",
            sa.BigInteger(),
            nullable=True,
            comment="folders so many levels below the base path are one acquisition each, and settle as one",
        ),
        sa.Column(
            "marker_name",
            sa.Text(),
            nullable=True,
            comment="an acquisition is finished once a file of this name stands in its folder",
        ),
        sa.Column("growing_files", sa.Text(), server_default="wait", nullable=False),
        sa.Column(
            "rehash_share",
            sa.Float(),
            server_default="0.01",
            nullable=False,
            comment="of the archived files, how many are read again at the source by each harvest",
        ),
        sa.Column(
            "rehash_bytes",
            sa.BigInteger(),
            server_default="268435456",
            nullable=False,
            comment="what one harvest reads again at most",
        ),
        sa.Column(
            "rehash_debt_bytes",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="what earlier harvests have read again beyond that; the next ones read so much less",
        ),
        sa.Column(
            "cleanup_acknowledged_at",
            TIME,
            nullable=True,
            comment="when a person said that the share was cleaned up; the next look in doubt is believed",
        ),
    ]


def _of_versions() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "unfinished",
            sa.Text(),
            nullable=True,
            comment="why it goes into the archive though the instrument may not have finished it; null: it had",
        ),
        sa.Column(
            "found_by_rereading",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="its size and mtime are those of the version before; only its content differs",
        ),
        sa.Column(
            "source_reread_at",
            TIME,
            nullable=True,
            comment="when the source was last to be read again, whatever came of it",
        ),
        sa.Column(
            "source_verified_at",
            TIME,
            nullable=True,
            comment="when the source was last read again and had the archived content",
        ),
    ]


def _of_scans() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "acknowledged",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="it is believed because a person had said that the share was cleaned up",
        )
    ]


ADDED = {"instruments": _of_instruments, "file_versions": _of_versions, "scans": _of_scans}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns():
            has_default = column.server_default is not None
            op.add_column(table, column)
            if has_default:
                op.alter_column(table, column.name, server_default=None)
    for name, condition in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_instruments_{name}"), "instruments", condition)
    op.create_index(
        "ix_file_versions_rereading",
        "file_versions",
        ["instrument_id", sa.text("coalesce(source_reread_at, state_since)")],
        postgresql_where=sa.text("is_newest AND state IN ('archived', 'unchanged')"),
    )


def downgrade() -> None:
    op.drop_index("ix_file_versions_rereading", "file_versions")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_instruments_{name}"), "instruments")
    for table, columns in ADDED.items():
        for column in reversed(columns()):
            op.drop_column(table, column.name)
