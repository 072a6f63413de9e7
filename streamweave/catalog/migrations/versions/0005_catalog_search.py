"""The catalog's search: words, extensions, sorted lists, and withdrawn files."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

EXTENSION = r"""lower("substring"(filename, '.\.([^.]{1,32})$'::text))"""
WORDS = """to_tsvector('simple'::regconfig, "left"(translate(((source_path || ' '::text) || (metadata_)::text), '/_-.<>&@+'::text, '         '::text), 100000))"""
SORTED_PATH = "\"left\"((source_path || '/'::text), 500)"

INDEXES: dict[str, list[str]] = {
    "ix_file_records_size_bytes": ["size_bytes", "id"],
    "ix_file_records_instrument_size_bytes": ["instrument_id", "size_bytes", "id"],
    "ix_file_records_source_mtime": ["source_mtime", "id"],
    "ix_file_records_instrument_source_mtime": ["instrument_id", "source_mtime", "id"],
    "ix_file_records_source_path": [SORTED_PATH, "id"],
    "ix_file_records_extension": ["extension", "first_discovered_at DESC", "id DESC"],
}


def upgrade() -> None:
    # before anything is computed from it: the type of such a column can't be changed
    op.alter_column("file_records", "source_path", type_=sa.Text(collation="C"))
    op.add_column("file_records", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("file_records", sa.Column("withdrawn_reason", sa.Text(), nullable=True))
    op.add_column("file_records", sa.Column("withdrawn_by_id", sa.Uuid(), nullable=True))
    op.add_column("file_records", sa.Column("extension", sa.Text(), sa.Computed(EXTENSION, persisted=True)))
    op.add_column(
        "file_records", sa.Column("words", postgresql.TSVECTOR(), sa.Computed(WORDS, persisted=True), nullable=False)
    )
    op.create_foreign_key(
        "fk_file_records_withdrawn_by_id", "file_records", "users", ["withdrawn_by_id"], ["id"], ondelete="SET NULL"
    )
    op.create_check_constraint(
        op.f("ck_file_records_withdrawal_has_a_reason"),
        "file_records",
        "(withdrawn_at IS NULL) = (withdrawn_reason IS NULL)",
    )
    for name, columns in INDEXES.items():
        op.create_index(name, "file_records", [sa.literal_column(column) for column in columns])
    op.create_index(
        "ix_file_records_metadata",
        "file_records",
        ["metadata_"],
        postgresql_using="gin",
        postgresql_ops={"metadata_": "jsonb_path_ops"},
    )
    op.create_index("ix_file_records_words", "file_records", ["words"], postgresql_using="gin")
    op.create_index(
        "ix_file_versions_newest_state",
        "file_versions",
        ["state", "state_since"],
        postgresql_where=sa.text("is_newest"),
    )
    op.create_index(
        "ix_file_versions_newest_day",
        "file_versions",
        ["acquisition_day", "instrument_id"],
        postgresql_where=sa.text("is_newest"),
        postgresql_include=["size_bytes"],
    )


def downgrade() -> None:
    for name in ("ix_file_versions_newest_day", "ix_file_versions_newest_state"):
        op.drop_index(name, "file_versions")
    for name in ("ix_file_records_words", "ix_file_records_metadata", *INDEXES):
        op.drop_index(name, "file_records")
    for column in ("words", "extension", "withdrawn_by_id", "withdrawn_reason", "withdrawn_at"):
        op.drop_column("file_records", column)
    op.alter_column("file_records", "source_path", type_=sa.Text(collation="default"))
