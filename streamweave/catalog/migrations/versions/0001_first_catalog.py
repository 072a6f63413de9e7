"""The first catalog."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "service_accounts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_service_accounts_name")),
    )
    op.create_table(
        "storage_locations",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("connection_config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("base_path", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("type IN ('posix')", name=op.f("ck_storage_locations_type_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_locations")),
        sa.UniqueConstraint("base_path", name=op.f("uq_storage_locations_base_path")),
        sa.UniqueConstraint("name", name=op.f("uq_storage_locations_name")),
    )
    op.create_table(
        "users",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("role IN ('admin', 'user')", name=op.f("ck_users_role_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_email", "users", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "instruments",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("pid", sa.Text(), nullable=True, comment="the instrument's own persistent identifier"),
        sa.Column("cifs_host", sa.Text(), nullable=False),
        sa.Column("cifs_port", sa.BigInteger(), nullable=False),
        sa.Column("cifs_share", sa.Text(), nullable=False),
        sa.Column("cifs_base_path", sa.Text(), nullable=False),
        sa.Column("service_account_id", sa.Uuid(), nullable=True),
        sa.Column("transfer_adapter", sa.Text(), nullable=False),
        sa.Column("transfer_config", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("archive_folder", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False, comment="IANA name; acquisition days are counted in it"),
        sa.Column("first_acquisition_day", sa.Date(), nullable=False),
        sa.Column("quiet_period_seconds", sa.BigInteger(), nullable=False),
        sa.Column("max_wait_seconds", sa.BigInteger(), nullable=False),
        sa.Column("probe_open_writer", sa.Boolean(), nullable=False),
        sa.Column(
            "marker_suffix", sa.Text(), nullable=True, comment="a file is finished once name + suffix stands beside it"
        ),
        sa.Column(
            "shrink_threshold",
            sa.Float(),
            nullable=False,
            comment="a listing with a smaller share of the known files is suspect; 0 accepts any listing",
        ),
        sa.Column("poll_interval_seconds", sa.BigInteger(), nullable=False),
        sa.Column("max_attempts", sa.BigInteger(), nullable=False),
        sa.Column(
            "retry_delay_seconds",
            sa.BigInteger(),
            nullable=False,
            comment="of the first retry; each next one doubles it",
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("last_harvested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9_]*$'", name=op.f("ck_instruments_slug_is_a_word")),
        sa.CheckConstraint("cifs_port BETWEEN 1 AND 65535", name=op.f("ck_instruments_port_is_a_port")),
        sa.CheckConstraint("max_attempts >= 1", name=op.f("ck_instruments_attempts_are_positive")),
        sa.CheckConstraint(
            "max_wait_seconds >= quiet_period_seconds", name=op.f("ck_instruments_wait_outlasts_quiet_period")
        ),
        sa.CheckConstraint("poll_interval_seconds >= 1", name=op.f("ck_instruments_poll_interval_is_positive")),
        sa.CheckConstraint("quiet_period_seconds >= 1", name=op.f("ck_instruments_quiet_period_is_positive")),
        sa.CheckConstraint("retry_delay_seconds >= 1", name=op.f("ck_instruments_retry_delay_is_positive")),
        sa.CheckConstraint("shrink_threshold BETWEEN 0 AND 1", name=op.f("ck_instruments_shrink_threshold_is_a_share")),
        sa.ForeignKeyConstraint(
            ["service_account_id"], ["service_accounts.id"], name=op.f("fk_instruments_service_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
        sa.UniqueConstraint("archive_folder", name=op.f("uq_instruments_archive_folder")),
        sa.UniqueConstraint("slug", name=op.f("uq_instruments_slug")),
    )
    op.create_index("ix_instruments_service_account_id", "instruments", ["service_account_id"], unique=False)
    op.create_index("uq_instruments_name", "instruments", [sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "file_records",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("source_path", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("persistent_id", sa.Text(), nullable=False),
        sa.Column("persistent_id_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_mtime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xxhash", sa.Text(), nullable=True, comment="XXH64 with seed 0, 16 hexadecimal digits"),
        sa.Column("sha256", sa.Text(), nullable=True, comment="64 hexadecimal digits"),
        sa.Column("first_discovered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "gone_at", sa.DateTime(timezone=True), nullable=True, comment="when a complete listing first lacked it"
        ),
        sa.Column("metadata_", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_file_records_instrument_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_file_records_owner_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_records")),
        sa.UniqueConstraint("persistent_id", name=op.f("uq_file_records_persistent_id")),
    )
    op.create_index(
        "ix_file_records_first_discovered_at",
        "file_records",
        [sa.literal_column("first_discovered_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_file_records_instrument_first_discovered",
        "file_records",
        ["instrument_id", sa.literal_column("first_discovered_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_file_records_instrument_id_folder",
        "file_records",
        ["instrument_id", sa.literal_column("md5(folder)")],
        unique=False,
    )
    op.create_index(
        "ix_file_records_owner_id",
        "file_records",
        ["owner_id"],
        unique=False,
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index(
        "uq_file_records_instrument_id_source_path",
        "file_records",
        ["instrument_id", sa.literal_column("md5(source_path)")],
        unique=True,
    )
    op.create_table(
        "harvest_runs",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("dagster_run_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_harvest_runs_instrument_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_harvest_runs")),
    )
    op.create_index(
        "ix_harvest_runs_instrument_id",
        "harvest_runs",
        ["instrument_id", sa.literal_column("started_at DESC")],
        unique=False,
    )
    op.create_table(
        "hooks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("implementation", sa.Text(), nullable=False),
        sa.Column("builtin_name", sa.Text(), nullable=True),
        sa.Column("script_path", sa.Text(), nullable=True),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("config", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=True),
        sa.Column("priority", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("implementation IN ('builtin')", name=op.f("ck_hooks_implementation_is_known")),
        sa.CheckConstraint("trigger IN ('pre_transfer', 'post_transfer')", name=op.f("ck_hooks_trigger_is_known")),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_hooks_instrument_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hooks")),
    )
    op.create_index("ix_hooks_instrument_id", "hooks", ["instrument_id"], unique=False)
    op.create_table(
        "scans",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("dagster_run_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("folders", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("new_files", sa.BigInteger(), nullable=False),
        sa.Column("changed_files", sa.BigInteger(), nullable=False),
        sa.Column("gone_files", sa.BigInteger(), nullable=False),
        sa.Column("unreadable_folders", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('running', 'complete', 'partial', 'suspect', 'failed')", name=op.f("ck_scans_outcome_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_scans_instrument_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
    )
    op.create_index(
        "ix_scans_instrument_id", "scans", ["instrument_id", sa.literal_column("started_at DESC")], unique=False
    )
    op.create_table(
        "schedules",
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("default_storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("cron_expression", sa.Text(), nullable=False),
        sa.Column("dagster_schedule_name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["default_storage_location_id"],
            ["storage_locations.id"],
            name=op.f("fk_schedules_default_storage_location_id"),
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_schedules_instrument_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("dagster_schedule_name", name=op.f("uq_schedules_dagster_schedule_name")),
    )
    op.create_index(
        "ix_schedules_default_storage_location_id", "schedules", ["default_storage_location_id"], unique=False
    )
    op.create_index("ix_schedules_instrument_id", "schedules", ["instrument_id"], unique=False)
    op.create_table(
        "file_versions",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("is_newest", sa.Boolean(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("source_mtime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acquisition_day", sa.Date(), nullable=False),
        sa.Column(
            "clock_skew_seconds",
            sa.Float(),
            nullable=True,
            comment="how far the mtime lay ahead of our clock, or before the first acquisition day (negative)",
        ),
        sa.Column("xxhash", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("discovered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "unchanged_since",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="our first look at the present size and mtime",
        ),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False, comment="our last look"),
        sa.Column("failures", sa.BigInteger(), nullable=False, comment="failed attempts since it settled"),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_hooks", sa.Text(), nullable=True, comment="fingerprint of the pre hooks that decided"),
        sa.Column(
            "decided_destinations", sa.Text(), nullable=True, comment="fingerprint of the destinations decided for"
        ),
        sa.Column("redirected", sa.Boolean(), nullable=False),
        sa.Column("enriched_hooks", sa.Text(), nullable=True, comment="fingerprint of the post hooks that enriched"),
        sa.Column("enrichment_error", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state != 'archived' OR sha256 IS NOT NULL", name=op.f("ck_file_versions_archived_is_proven")
        ),
        sa.CheckConstraint(
            "state IN ('settling', 'overdue', 'settled', 'pending', 'skipped', 'archived', 'unchanged', 'failed', 'vanished', 'superseded', 'unreadable')",
            name=op.f("ck_file_versions_state_is_known"),
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_file_versions_number_is_positive")),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file_records.id"], name=op.f("fk_file_versions_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_file_versions_instrument_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_versions")),
        sa.UniqueConstraint("file_id", "number", name=op.f("uq_file_versions_file_id_number")),
    )
    op.create_index(
        "ix_file_versions_decided_destinations",
        "file_versions",
        ["instrument_id", "decided_destinations"],
        unique=False,
    )
    op.create_index(
        "ix_file_versions_enriched_hooks", "file_versions", ["instrument_id", "enriched_hooks"], unique=False
    )
    op.create_index(
        "ix_file_versions_instrument_state_day",
        "file_versions",
        ["instrument_id", "state", "acquisition_day"],
        unique=False,
    )
    op.create_index(
        "uq_file_versions_content",
        "file_versions",
        ["file_id", "sha256"],
        unique=True,
        postgresql_where=sa.text("sha256 IS NOT NULL AND state <> 'unchanged'"),
    )
    op.create_index(
        "uq_file_versions_newest", "file_versions", ["file_id"], unique=True, postgresql_where=sa.text("is_newest")
    )
    op.create_table(
        "file_transfers",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("destination_path", sa.Text(), nullable=True, comment="within the storage location's base path"),
        sa.Column("transfer_adapter", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column(
            "claim_id", sa.Uuid(), nullable=True, comment="of the present claim; bytes are staged under this name"
        ),
        sa.Column("bytes_transferred", sa.BigInteger(), nullable=True),
        sa.Column("source_checksum", sa.Text(), nullable=True, comment="XXH64 of what was read from the source"),
        sa.Column(
            "dest_checksum", sa.Text(), nullable=True, comment="XXH64 of what was read back from the destination"
        ),
        sa.Column("checksum_verified", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "last_verified_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the archived bytes were last re-read",
        ),
        sa.Column("damage", sa.Text(), nullable=True, comment="what the last re-reading found wrong, if anything"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status != 'completed' OR checksum_verified", name=op.f("ck_file_transfers_completed_is_verified")
        ),
        sa.CheckConstraint(
            "status != 'in_progress' OR (run_id IS NOT NULL AND claim_id IS NOT NULL)",
            name=op.f("ck_file_transfers_claim_has_a_run"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'in_progress', 'completed', 'failed', 'skipped')",
            name=op.f("ck_file_transfers_status_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file_records.id"], name=op.f("fk_file_transfers_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["instrument_id"], ["instruments.id"], name=op.f("fk_file_transfers_instrument_id")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["harvest_runs.id"], name=op.f("fk_file_transfers_run_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["storage_location_id"], ["storage_locations.id"], name=op.f("fk_file_transfers_storage_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["file_versions.id"], name=op.f("fk_file_transfers_version_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_transfers")),
    )
    op.create_index(
        "ix_file_transfers_created_at",
        "file_transfers",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_file_transfers_file_id", "file_transfers", ["file_id", sa.literal_column("created_at DESC")], unique=False
    )
    op.create_index(
        "ix_file_transfers_last_verified_at",
        "file_transfers",
        ["instrument_id", "last_verified_at"],
        unique=False,
        postgresql_where=sa.text("status = 'completed'"),
    )
    op.create_index("ix_file_transfers_run_id", "file_transfers", ["run_id"], unique=False)
    op.create_index("ix_file_transfers_storage_location_id", "file_transfers", ["storage_location_id"], unique=False)
    op.create_index(
        "ix_file_transfers_waiting",
        "file_transfers",
        ["instrument_id", "status"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'in_progress')"),
    )
    op.create_index(
        "uq_file_transfers_live",
        "file_transfers",
        ["version_id", "storage_location_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'in_progress', 'completed')"),
    )


def downgrade() -> None:

    op.drop_index(
        "uq_file_transfers_live",
        table_name="file_transfers",
        postgresql_where=sa.text("status IN ('pending', 'in_progress', 'completed')"),
    )
    op.drop_index(
        "ix_file_transfers_waiting",
        table_name="file_transfers",
        postgresql_where=sa.text("status IN ('pending', 'in_progress')"),
    )
    op.drop_index("ix_file_transfers_storage_location_id", table_name="file_transfers")
    op.drop_index("ix_file_transfers_run_id", table_name="file_transfers")
    op.drop_index(
        "ix_file_transfers_last_verified_at",
        table_name="file_transfers",
        postgresql_where=sa.text("status = 'completed'"),
    )
    op.drop_index("ix_file_transfers_file_id", table_name="file_transfers")
    op.drop_index("ix_file_transfers_created_at", table_name="file_transfers")
    op.drop_table("file_transfers")
    op.drop_index("uq_file_versions_newest", table_name="file_versions", postgresql_where=sa.text("is_newest"))
    op.drop_index(
        "uq_file_versions_content",
        table_name="file_versions",
        postgresql_where=sa.text("sha256 IS NOT NULL AND state <> 'unchanged'"),
    )
    op.drop_index("ix_file_versions_instrument_state_day", table_name="file_versions")
    op.drop_index("ix_file_versions_enriched_hooks", table_name="file_versions")
    op.drop_index("ix_file_versions_decided_destinations", table_name="file_versions")
    op.drop_table("file_versions")
    op.drop_index("ix_schedules_instrument_id", table_name="schedules")
    op.drop_index("ix_schedules_default_storage_location_id", table_name="schedules")
    op.drop_table("schedules")
    op.drop_index("ix_scans_instrument_id", table_name="scans")
    op.drop_table("scans")
    op.drop_index("ix_hooks_instrument_id", table_name="hooks")
    op.drop_table("hooks")
    op.drop_index("ix_harvest_runs_instrument_id", table_name="harvest_runs")
    op.drop_table("harvest_runs")
    op.drop_index("uq_file_records_instrument_id_source_path", table_name="file_records")
    op.drop_index(
        "ix_file_records_owner_id", table_name="file_records", postgresql_where=sa.text("owner_id IS NOT NULL")
    )
    op.drop_index("ix_file_records_instrument_id_folder", table_name="file_records")
    op.drop_index("ix_file_records_instrument_first_discovered", table_name="file_records")
    op.drop_index("ix_file_records_first_discovered_at", table_name="file_records")
    op.drop_table("file_records")
    op.drop_index("uq_instruments_name", table_name="instruments")
    op.drop_index("ix_instruments_service_account_id", table_name="instruments")
    op.drop_table("instruments")
    op.drop_index("uq_users_email", table_name="users")
    op.drop_table("users")
    op.drop_table("storage_locations")
    op.drop_table("service_accounts")
