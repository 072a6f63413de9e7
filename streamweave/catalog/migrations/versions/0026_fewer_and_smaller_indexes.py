"""Fewer and smaller indexes, which know less of states: the steps to an archived file are no longer written into them.

Lists of all instruments are merged from those of each; digests of paths and contents are 16 bytes and no text; what
versions and transfers repeat of their file is held together by the one reference that leads there.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

LIVE = "status IN ('pending', 'in_progress', 'completed')"
OPEN = "status IN ('pending', 'in_progress')"
LIVE_COMMENT = "true or null: a version has one live transfer in a storage location"
PATH = "\"left\"((source_path || '/'::text), 500)"
UNDERWAY = "state IN ('settling', 'settled', 'pending')"
DONE = "state IN ('archived', 'unchanged')"
GENERATED: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "indexed_state": (sa.Text(), f"CASE WHEN {UNDERWAY} THEN 'underway' ELSE state END"),
    "indexed_since": (sa.DateTime(timezone=True), f"CASE WHEN NOT ({UNDERWAY}) THEN state_since END"),
    "indexed_destinations": (sa.Text(), f"CASE WHEN {DONE} THEN decided_destinations END"),
}
NEWEST = "file_versions (instrument_id, {}) WHERE is_newest AND {}"
REPEATED = (
    ("file_versions", "instrument_id", "instruments", None),
    ("file_transfers", "instrument_id", "instruments", None),
    ("file_transfers", "file_id", "file_records", "CASCADE"),
)

GONE = {
    "ix_file_records_source_path": f"file_records ({PATH}, id)",
    "ix_file_records_size_bytes": "file_records (size_bytes, id)",
    "ix_file_transfers_run_id": "file_transfers (run_id) WHERE status = 'in_progress'",
    "ix_file_transfers_file_id": "file_transfers (file_id, created_at DESC)",
    "ix_file_transfers_storage_location_id": "file_transfers (storage_location_id)",
    "ix_file_transfers_waiting": f"file_transfers (instrument_id, status, created_at, id) WHERE {OPEN}",
}
NEW = {
    "ix_file_transfers_open": "file_transfers (instrument_id, created_at, id) WHERE completed_at IS NULL",
    "uq_file_records_persistent_id": "file_records ((md5(persistent_id)::uuid))",
}
CHANGED = {
    "ix_file_records_instrument_path": (
        f"file_records (instrument_id, {PATH}, id)",
        f"file_records (instrument_id, {PATH})",
    ),
    "uq_file_records_instrument_id_source_path": (
        "file_records (instrument_id, md5(source_path))",
        "file_records (instrument_id, (md5(source_path)::uuid))",
    ),
    "ix_file_records_instrument_id_folder": (
        "file_records (instrument_id, md5(folder))",
        "file_records (instrument_id, (md5(folder)::uuid))",
    ),
    "uq_file_versions_content": (
        "file_versions (file_id, sha256) WHERE sha256 IS NOT NULL AND state <> 'unchanged'",
        "file_versions (file_id, (md5(sha256)::uuid)) WHERE sha256 IS NOT NULL AND indexed_state <> 'unchanged'",
    ),
    "ix_file_versions_newest_state": (
        "file_versions (state, first_discovered_at DESC, file_id DESC) INCLUDE (state_since) WHERE is_newest",
        "file_versions (indexed_state, first_discovered_at, file_id) INCLUDE (indexed_since) WHERE is_newest",
    ),
    "ix_file_versions_instrument_state_day": (
        "file_versions (instrument_id, state, acquisition_day)",
        "file_versions (instrument_id, indexed_state, acquisition_day)",
    ),
    "ix_file_versions_decided_destinations": (
        NEWEST.format("decided_destinations", DONE),
        NEWEST.format("indexed_destinations", f"indexed_{DONE}"),
    ),
    "ix_file_versions_enriched_hooks": (
        NEWEST.format("enriched_hooks", DONE),
        NEWEST.format("enriched_hooks", f"indexed_{DONE}"),
    ),
    "ix_file_versions_rereading": (
        NEWEST.format("coalesce(source_reread_at, state_since)", DONE),
        NEWEST.format("coalesce(source_reread_at, indexed_since)", f"indexed_{DONE}"),
    ),
    "ix_file_versions_undecided": (
        "file_versions (instrument_id) WHERE is_newest AND state = 'settled' AND retry_at IS NOT NULL",
        "file_versions (instrument_id) WHERE is_newest AND indexed_state = 'underway' AND retry_at IS NOT NULL",
    ),
    "ix_file_records_first_discovered_at": (
        "file_records (first_discovered_at DESC, id DESC)",
        "file_records (first_discovered_at, id)",
    ),
    "ix_file_records_instrument_first_discovered": (
        "file_records (instrument_id, first_discovered_at DESC, id DESC)",
        "file_records (instrument_id, first_discovered_at, id)",
    ),
    "ix_file_records_owner_id": (
        "file_records (owner_id, first_discovered_at DESC, id DESC) WHERE owner_id IS NOT NULL",
        "file_records (owner_id, first_discovered_at, id) WHERE owner_id IS NOT NULL",
    ),
    "ix_file_records_extension": (
        "file_records (extension, first_discovered_at DESC, id DESC)",
        "file_records (extension, first_discovered_at, id)",
    ),
    "ix_file_transfers_created_at": (
        "file_transfers (created_at DESC, id DESC)",
        "file_transfers (created_at, id)",
    ),
    "ix_file_versions_newest_day": (
        "file_versions (acquisition_day, instrument_id) INCLUDE (size_bytes) WHERE is_newest",
        "file_versions (acquisition_day, instrument_id) WHERE is_newest",
    ),
    "uq_file_transfers_live": (
        f"file_transfers (version_id, storage_location_id) WHERE {LIVE}",
        "file_transfers (version_id, storage_location_id, is_live)",
    ),
    "ix_file_transfers_last_verified_at": (
        "file_transfers (storage_location_id, last_verified_at NULLS FIRST, id) INCLUDE (instrument_id)"
        " WHERE status = 'completed'",
        "file_transfers (storage_location_id, last_verified_at NULLS FIRST, instrument_id)"
        " WHERE is_live IS TRUE AND completed_at IS NOT NULL",
    ),
    "ix_file_transfers_tried_again": (
        "file_transfers (storage_location_id) WHERE status = 'pending' AND attempt > 1",
        "file_transfers (storage_location_id) WHERE completed_at IS NULL AND attempt > 1",
    ),
}


RETRIES = ("hook_failures", "failing_hook_id", "failing_hooks", "hook_retry_at")
FAILING = "hook_retry_at IS NOT NULL AND failing_hooks IS NOT NULL"


def upgrade() -> None:
    for table, column, _, _ in REPEATED:
        op.drop_constraint(f"fk_{table}_{column}", table)
    _drop(*GONE, *CHANGED)
    op.drop_constraint("uq_file_records_persistent_id", "file_records")
    op.execute(
        "UPDATE file_transfers SET completed_at = CASE"
        f" WHEN NOT {OPEN} THEN coalesce(started_at, created_at) END WHERE (completed_at IS NULL) <> ({OPEN})"
    )
    for name, (kind, expression) in GENERATED.items():
        generated = sa.Computed(expression, persisted=True)
        op.add_column("file_versions", sa.Column(name, kind, generated, nullable=name != "indexed_state"))
    live = sa.Computed(f"CASE WHEN {LIVE} THEN true END", persisted=True)
    op.add_column("file_transfers", sa.Column("is_live", sa.Boolean(), live, nullable=True, comment=LIVE_COMMENT))
    op.create_check_constraint("ended_has_a_time", "file_transfers", f"({OPEN}) = (completed_at IS NULL)")
    _create(NEW | {name: definition for name, (_, definition) in CHANGED.items()})

    _move_retries_out()


def downgrade() -> None:
    _move_retries_back()
    _drop(*NEW, *CHANGED)
    op.create_unique_constraint("uq_file_records_persistent_id", "file_records", ["persistent_id"])
    op.drop_constraint(op.f("ck_file_transfers_ended_has_a_time"), "file_transfers")
    op.drop_column("file_transfers", "is_live")
    for name in GENERATED:
        op.drop_column("file_versions", name)
    _create(GONE | {name: definition for name, (definition, _) in CHANGED.items()})
    for table, column, referred, ondelete in REPEATED:
        op.create_foreign_key(f"fk_{table}_{column}", table, referred, [column], ["id"], ondelete=ondelete)


def _move_retries_out() -> None:
    op.create_table(
        "hook_retries",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False, comment="of one hook, in a row"),
        sa.Column("hook_id", sa.Uuid(), nullable=True, comment="the one that failed"),
        sa.Column("hooks", sa.Text(), nullable=False, comment="fingerprint of the hooks of which one failed"),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=False, comment="these hooks are not asked before"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["file_versions.id"], name=op.f("fk_hook_retries_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_hook_retries")),
    )
    op.execute(f"INSERT INTO hook_retries SELECT id, {', '.join(RETRIES)} FROM file_versions WHERE {FAILING}")
    for column in RETRIES:
        op.drop_column("file_versions", column)


def _move_retries_back() -> None:
    op.add_column(
        "file_versions",
        sa.Column(
            "hook_failures", sa.BigInteger(), nullable=False, server_default="0", comment="of one hook, in a row"
        ),
    )
    op.add_column("file_versions", sa.Column("failing_hook_id", sa.Uuid(), nullable=True))
    hooks = "fingerprint of the hooks of which one failed"
    op.add_column("file_versions", sa.Column("failing_hooks", sa.Text(), nullable=True, comment=hooks))
    asked = sa.DateTime(timezone=True)
    comment = "these hooks are not asked before"
    op.add_column("file_versions", sa.Column("hook_retry_at", asked, nullable=True, comment=comment))
    op.execute(
        "UPDATE file_versions SET hook_failures = retries.failures, failing_hook_id = retries.hook_id,"
        " failing_hooks = retries.hooks, hook_retry_at = retries.retry_at FROM hook_retries AS retries"
        " WHERE retries.version_id = file_versions.id"
    )
    op.drop_table("hook_retries")
    op.execute(
        "CREATE INDEX ix_file_versions_hook_retry_at ON file_versions (instrument_id, hook_retry_at)"
        " WHERE hook_retry_at IS NOT NULL"
    )


def _drop(*indexes: str) -> None:
    for name in indexes:
        op.drop_index(name)


def _create(indexes: dict[str, str]) -> None:
    for name, definition in indexes.items():
        unique = "UNIQUE " if name.startswith("uq_") else ""
        op.execute(f"CREATE {unique}INDEX {name} ON {definition}")
