"""How far the journals of storage locations are catalogued, what was taken from them, and further identifiers."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "storage_locations",
        sa.Column(
            "journal_is_complete",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="false: copies from before there were journals are yet to be noted in one",
        ),
    )
    op.execute(
        "UPDATE storage_locations SET journal_is_complete = false WHERE EXISTS "
        "(SELECT FROM file_transfers AS t WHERE t.storage_location_id = storage_locations.id AND t.status = 'completed')"
    )
    op.create_table(
        "journal_positions",
        sa.Column("storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("catalogued_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["storage_location_id"],
            ["storage_locations.id"],
            name=op.f("fk_journal_positions_storage_location_id"),
        ),
        sa.PrimaryKeyConstraint("storage_location_id", "name", name=op.f("pk_journal_positions")),
    )
    op.create_table(
        "readoptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("storage_location_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False, comment="that the catalog did not know"),
        sa.Column("versions", sa.BigInteger(), nullable=False),
        sa.Column("copies", sa.BigInteger(), nullable=False),
        sa.Column("illegible", sa.BigInteger(), nullable=False, comment="lines of journals that could not be read"),
        sa.Column(
            "conflicts",
            sa.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="what the journals and the catalog say differently",
        ),
        sa.ForeignKeyConstraint(
            ["storage_location_id"], ["storage_locations.id"], name=op.f("fk_readoptions_storage_location_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readoptions")),
    )
    op.create_index("ix_readoptions_storage_location_id", "readoptions", ["storage_location_id"])
    op.create_table(
        "identifier_aliases",
        sa.Column("persistent_id", sa.Text(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file_records.id"], name=op.f("fk_identifier_aliases_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("persistent_id", name=op.f("pk_identifier_aliases")),
    )
    op.create_index(op.f("ix_identifier_aliases_file_id"), "identifier_aliases", ["file_id"])


def downgrade() -> None:
    op.drop_table("identifier_aliases")
    op.drop_table("readoptions")
    op.drop_table("journal_positions")
    op.drop_column("storage_locations", "journal_is_complete")
