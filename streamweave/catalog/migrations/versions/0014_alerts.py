"""Alerts, who was told of them, and the indexes that find what is wrong."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

KINDS = (
    "'overdue_files', 'failing_share', 'unwatched_share', 'silent_instrument', 'damaged_copies', 'failing_hooks', "
    "'full_storage'"
)
# people only acknowledge alerts, nobody else changes them for anybody
AUDIT = """
CREATE TRIGGER audit AFTER UPDATE OR DELETE ON alerts FOR EACH ROW
WHEN (coalesce(current_setting('streamweave.actor', true), '') <> '')
EXECUTE FUNCTION write_audit_entry()
"""
FEW_AMONG_ALL = (
    ("ix_file_transfers_damage_of_instrument", "file_transfers", "instrument_id", "damage IS NOT NULL"),
    ("ix_file_transfers_tried_again", "file_transfers", "storage_location_id", "status = 'pending' AND attempt > 1"),
    (
        "ix_file_versions_enrichment_error",
        "file_versions",
        "instrument_id",
        "is_newest AND enrichment_error IS NOT NULL",
    ),
    (
        "ix_file_versions_undecided",
        "file_versions",
        "instrument_id",
        "is_newest AND state = 'settled' AND retry_at IS NOT NULL",
    ),
)
NO_NEGATIVE_TIME = "ck_instruments_silence_is_no_negative_time"


def upgrade() -> None:
    op.add_column(
        "instruments",
        sa.Column(
            "silence_alert_after_seconds",
            sa.BigInteger(),
            nullable=True,
            comment="without a new file; null: longer than is usual for it, 0: never",
        ),
    )
    op.create_check_constraint(op.f(NO_NEGATIVE_TIME), "instruments", "silence_alert_after_seconds >= 0")
    for name, table, column, condition in FEW_AMONG_ALL:
        op.create_index(name, table, [column], postgresql_where=sa.text(condition))
    _create_alerts()
    _create_deliveries()
    op.create_table(
        "alert_watch",
        sa.Column("is_only", sa.Boolean(), nullable=False),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watching_since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("ck_alert_watch_is_the_only_row")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("pk_alert_watch")),
    )
    op.execute(AUDIT)


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False, comment="what is wrong, as it was when it was last seen"),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "away_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="not seen since then; the alert ends a while later",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by_id", sa.Uuid(), nullable=True),
        sa.Column("acknowledgement", sa.Text(), nullable=True, comment="what whoever is on it says about it"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_alerts_kind_is_known")),
        sa.CheckConstraint(
            "subject_type IN ('instruments', 'storage_locations')", name=op.f("ck_alerts_subject_type_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["acknowledged_by_id"], ["users.id"], name=op.f("fk_alerts_acknowledged_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "uq_alerts_open", "alerts", ["kind", "subject_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
    )
    place: Any = sa.literal_column("coalesce(ended_at, '9999-12-31 00:00:00+00'::timestamptz) DESC")
    op.create_index("ix_alerts_place", "alerts", [place, sa.literal_column("id DESC")])
    op.create_index("ix_alerts_subject_id", "alerts", ["subject_id"])


def _create_deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False, comment="a user's id, a mail address, or the word webhook"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True, comment="why the last attempt failed, or why it was dropped"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("event IN ('begin', 'end')", name=op.f("ck_alert_deliveries_event_is_known")),
        sa.CheckConstraint(
            "channel IN ('notification', 'mail', 'webhook')", name=op.f("ck_alert_deliveries_channel_is_known")
        ),
        sa.CheckConstraint(
            "status IN ('waiting', 'delivered', 'dropped')", name=op.f("ck_alert_deliveries_status_is_known")
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (next_attempt_at IS NOT NULL)", name=op.f("ck_alert_deliveries_waiting_has_a_time")
        ),
        sa.CheckConstraint(
            "(status = 'delivered') = (delivered_at IS NOT NULL)",
            name=op.f("ck_alert_deliveries_delivered_has_a_time"),
        ),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name=op.f("fk_alert_deliveries_alert_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint(
            "alert_id",
            "event",
            "channel",
            "receiver",
            name=op.f("uq_alert_deliveries_alert_id_event_channel_receiver"),
        ),
    )
    op.create_index(
        "ix_alert_deliveries_due",
        "alert_deliveries",
        ["channel", "next_attempt_at"],
        postgresql_where=sa.text("status = 'waiting'"),
    )


def downgrade() -> None:
    op.drop_table("alert_watch")
    op.drop_table("alert_deliveries")
    op.drop_table("alerts")
    for name, table, _, _ in FEW_AMONG_ALL:
        op.drop_index(name, table_name=table)
    op.drop_constraint(op.f(NO_NEGATIVE_TIME), "instruments", type_="check")
    op.drop_column("instruments", "silence_alert_after_seconds")
