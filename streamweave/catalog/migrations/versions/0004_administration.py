"""Administration: deleting and restoring, instrument requests, notifications, and the audit log with its triggers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DELETABLE = ("hooks", "instruments", "schedules", "service_accounts", "storage_locations")
IN_USE = sa.text("deleted_at IS NULL")
NAMES_IN_USE = (
    ("service_accounts", "name"),
    ("storage_locations", "name"),
    ("storage_locations", "base_path"),
)

# every change of these rows is audited when somebody acts; harvests act for nobody
AUDITED = (
    "api_tokens",
    "file_grants",
    "group_members",
    "groups",
    "hooks",
    "instrument_grants",
    "instrument_requests",
    "instruments",
    "pending_grants",
    "project_members",
    "projects",
    "schedules",
    "service_accounts",
    "storage_locations",
    "users",
)
# the harvest makes these rows, people only change them
AUDITED_WHEN_CHANGED = ("file_records", "file_versions")

WRITE_AUDIT_ENTRY = """
CREATE FUNCTION write_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor jsonb := current_setting('streamweave.actor')::jsonb;
    before jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    changes jsonb;
BEGIN
    SELECT jsonb_object_agg(field, jsonb_build_object('before', shown_before, 'after', shown_after)) INTO changes
    FROM (
        SELECT
            field,
            CASE WHEN is_secret AND was <> 'null' THEN '"***"' ELSE was END AS shown_before,
            CASE WHEN is_secret AND is_now <> 'null' THEN '"***"' ELSE is_now END AS shown_after
        FROM (
            SELECT
                field,
                field ~ 'password|secret|token_digest' AS is_secret,
                coalesce(before -> field, 'null') AS was,
                coalesce(after -> field, 'null') AS is_now
            FROM jsonb_object_keys(before || after) AS field
            WHERE field NOT IN ('id', 'created_at', 'updated_at', 'last_used_at', 'words', 'extension')
        ) AS fields
        WHERE was <> is_now
    ) AS changed;
    IF changes IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit_log (id, at, actor_id, actor_email, action, entity_type, entity_id, changes)
    VALUES (
        gen_random_uuid(),
        clock_timestamp(),
        (actor ->> 'id')::uuid,
        actor ->> 'email',
        CASE
            WHEN TG_OP = 'INSERT' THEN 'create'
            WHEN TG_OP = 'DELETE' OR changes -> 'deleted_at' -> 'before' = 'null' THEN 'delete'
            WHEN changes -> 'deleted_at' -> 'after' = 'null' THEN 'restore'
            ELSE 'update'
        END,
        TG_TABLE_NAME,
        ((before || after) ->> 'id')::uuid,
        changes
    );
    RETURN NULL;
END
$$
"""
AUDIT = """
CREATE TRIGGER audit AFTER {events} ON {table} FOR EACH ROW
WHEN (coalesce(current_setting('streamweave.actor', true), '') <> '')
EXECUTE FUNCTION write_audit_entry()
"""
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change_of_audit_log()
"""


def upgrade() -> None:
    for table in DELETABLE:
        op.add_column(table, sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    for table, column in NAMES_IN_USE:
        op.drop_constraint(f"uq_{table}_{column}", table, type_="unique")
        op.create_index(f"uq_{table}_{column}", table, [column], unique=True, postgresql_where=IN_USE)
    op.drop_index("uq_instruments_name", table_name="instruments")
    op.create_index(
        "uq_instruments_name", "instruments", [sa.literal_column("lower(name)")], unique=True, postgresql_where=IN_USE
    )
    _create_instrument_requests()
    _create_notifications()
    _create_audit_log()
    op.execute(WRITE_AUDIT_ENTRY)
    for table in AUDITED:
        op.execute(AUDIT.format(events="INSERT OR UPDATE OR DELETE", table=table))
    for table in AUDITED_WHEN_CHANGED:
        op.execute(AUDIT.format(events="UPDATE OR DELETE", table=table))
    op.execute(REFUSE_CHANGE)
    op.execute(APPEND_ONLY)


def _create_instrument_requests() -> None:
    op.create_table(
        "instrument_requests",
        sa.Column("requester_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("justification", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True, comment="what the reviewer says about it"),
        sa.Column("reviewed_by_id", sa.Uuid(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'approved', 'rejected')", name=op.f("ck_instrument_requests_status_is_known")
        ),
        sa.CheckConstraint(
            "(status = 'pending') = (reviewed_at IS NULL)", name=op.f("ck_instrument_requests_reviewed_once")
        ),
        sa.ForeignKeyConstraint(
            ["requester_id"], ["users.id"], name=op.f("fk_instrument_requests_requester_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["reviewed_by_id"], ["users.id"], name=op.f("fk_instrument_requests_reviewed_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument_requests")),
    )
    for column in ("requester_id", "status"):
        op.create_index(f"ix_instrument_requests_{column}", "instrument_requests", [column, "created_at", "id"])
    op.create_index(
        "ix_instrument_requests_reviewed_by_id",
        "instrument_requests",
        ["reviewed_by_id"],
        postgresql_where=sa.text("reviewed_by_id IS NOT NULL"),
    )


def _create_notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("about_type", sa.Text(), nullable=True),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("statement_timestamp()"), nullable=False
        ),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    newest_first: list[Any] = ["user_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")]
    op.create_index("ix_notifications_user_id", "notifications", newest_first)
    op.create_index(
        "ix_notifications_unread", "notifications", newest_first, postgresql_where=sa.text("read_at IS NULL")
    )


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True, comment="null: somebody who was not logged in"),
        sa.Column("actor_email", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity_type", sa.Text(), nullable=False, comment="the table's name"),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "action IN ('create', 'update', 'delete', 'restore')", name=op.f("ck_audit_log_action_is_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    newest_first: list[Any] = [sa.literal_column("at DESC"), sa.literal_column("id DESC")]
    op.create_index("ix_audit_log_at", "audit_log", newest_first)
    op.create_index("ix_audit_log_entity", "audit_log", ["entity_type", "entity_id", *newest_first])
    op.create_index("ix_audit_log_actor_id", "audit_log", ["actor_id", *newest_first])


def downgrade() -> None:
    for table in (*AUDITED, *AUDITED_WHEN_CHANGED):
        op.execute(f"DROP TRIGGER audit ON {table}")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_change_of_audit_log()")
    op.execute("DROP FUNCTION write_audit_entry()")
    op.drop_table("notifications")
    op.drop_table("instrument_requests")
    op.drop_index("uq_instruments_name", table_name="instruments")
    op.create_index("uq_instruments_name", "instruments", [sa.literal_column("lower(name)")], unique=True)
    for table, column in NAMES_IN_USE:
        op.drop_index(f"uq_{table}_{column}", table_name=table)
        op.create_unique_constraint(f"uq_{table}_{column}", table, [column])
    for table in DELETABLE:
        op.drop_column(table, "deleted_at")
