"""What a certificate of deletion rests on, and which certificates were issued."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

REFUSE_CHANGE = """
CREATE FUNCTION refuse_change_of_certificates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'certificates are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificates FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change_of_certificates()
"""


def upgrade() -> None:
    op.add_column(
        "scans",
        sa.Column(
            "covers_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the looking began of which this is the end: of the first look, if it went on from others",
        ),
    )
    op.add_column("scans", sa.Column("address", sa.Text(), nullable=True, comment="of the folder that was looked at"))
    op.add_column(
        "scans",
        sa.Column(
            "unlisted_folders",
            sa.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="the unreadable folders, or the first 1,000 of them",
        ),
    )
    op.add_column(
        "file_records",
        sa.Column(
            "back_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was last found again after it had been gone",
        ),
    )
    _create_certificates()
    op.execute(REFUSE_CHANGE)
    op.execute(APPEND_ONLY)


def _create_certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "issued_to", sa.Text(), nullable=False, comment="who asked: a mail address, or an account of the machine"
        ),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True, comment="null: a folder, or the whole instrument"),
        sa.Column("path", sa.Text(), nullable=True, comment="the file or folder; null: the whole instrument"),
        sa.Column("rules", sa.Text(), nullable=False, comment="the version of the rules it was judged by"),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False, comment="that it speaks of"),
        sa.Column("files_safe", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, comment="of the certificate as canonical JSON"),
        sa.Column("signed_by", sa.Text(), nullable=True, comment="the id of the key; null: it is not signed"),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
    )
    newest_first: list[Any] = [sa.literal_column("issued_at DESC"), sa.literal_column("id DESC")]
    op.create_index("ix_certificates_issued_at", "certificates", newest_first)
    op.create_index("ix_certificates_instrument_id", "certificates", ["instrument_id", *newest_first])


def downgrade() -> None:
    op.drop_table("certificates")
    op.execute("DROP FUNCTION refuse_change_of_certificates()")
    op.drop_column("file_records", "back_at")
    for column in ("unlisted_folders", "address", "covers_since"):
        op.drop_column("scans", column)
