"""Groups, projects, and who may see which files."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NOW = sa.text("statement_timestamp()")
PATHS = "ix_file_records_instrument_path"
PATH_IN_BYTE_ORDER = """("left"((source_path || '/'::text), 500) COLLATE "C")"""
GRANTEES = {"user_id": "users", "group_id": "groups", "project_id": "projects"}


def upgrade() -> None:
    _create_nouns("groups")
    _create_nouns("projects")
    _create_group_members()
    _create_project_members()
    _create_file_grants()
    _create_instrument_grants()
    _create_pending_grants()
    op.create_index(PATHS, "file_records", ["instrument_id", sa.text(PATH_IN_BYTE_ORDER), "id"])


def downgrade() -> None:
    op.drop_index(PATHS, "file_records")
    for table in (
        "pending_grants",
        "instrument_grants",
        "file_grants",
        "project_members",
        "group_members",
        "projects",
        "groups",
    ):
        op.drop_table(table)


def _create_nouns(table: str) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(
        f"uq_{table}_name", table, [sa.text("lower(name)")], unique=True, postgresql_where=sa.text("deleted_at IS NULL")
    )


def _create_group_members() -> None:
    op.create_table(
        "group_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _time("added_at"),
        _reference("group_members", "group_id", "groups"),
        _reference("group_members", "user_id", "users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_members")),
        sa.UniqueConstraint("group_id", "user_id", name=op.f("uq_group_members_group_id_user_id")),
    )
    op.create_index("ix_group_members_user_id", "group_members", ["user_id", "group_id"])


def _create_project_members() -> None:
    op.create_table(
        "project_members",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("group_id", sa.Uuid(), nullable=True),
        sa.Column("member_id", sa.Uuid(), sa.Computed("COALESCE(user_id, group_id)", persisted=True), nullable=False),
        _time("added_at"),
        sa.CheckConstraint("num_nonnulls(user_id, group_id) = 1", name=op.f("ck_project_members_one_member")),
        _reference("project_members", "project_id", "projects"),
        _reference("project_members", "user_id", "users"),
        _reference("project_members", "group_id", "groups"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_members")),
        sa.UniqueConstraint("project_id", "member_id", name=op.f("uq_project_members_project_id_member_id")),
    )
    op.create_index("ix_project_members_member_id", "project_members", ["member_id", "project_id"])


def _create_file_grants() -> None:
    op.create_table(
        "file_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("discovered_at", sa.DateTime(timezone=True), nullable=False),
        *_to_a_grantee("file_grants"),
        _reference("file_grants", "file_id", "file_records"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_grants")),
        sa.UniqueConstraint("file_id", "grantee_id", name=op.f("uq_file_grants_file_id_grantee_id")),
    )
    op.create_index(
        "ix_file_grants_grantee_id",
        "file_grants",
        ["grantee_id", sa.text("discovered_at DESC"), sa.text("file_id DESC")],
    )
    for column in GRANTEES:
        op.create_index(
            f"ix_file_grants_{column}", "file_grants", [column], postgresql_where=sa.text(f"{column} IS NOT NULL")
        )


def _create_instrument_grants() -> None:
    op.create_table(
        "instrument_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_id", sa.Uuid(), nullable=False),
        sa.Column("path_prefix", sa.Text(), nullable=False),
        *_to_a_grantee("instrument_grants"),
        _reference("instrument_grants", "instrument_id", "instruments"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument_grants")),
        sa.UniqueConstraint(
            "instrument_id",
            "path_prefix",
            "grantee_id",
            name=op.f("uq_instrument_grants_instrument_id_path_prefix_grantee_id"),
        ),
    )
    op.create_index("ix_instrument_grants_grantee_id", "instrument_grants", ["grantee_id", "instrument_id"])


def _create_pending_grants() -> None:
    op.create_table(
        "pending_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("grantee_type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _time("noted_at"),
        sa.CheckConstraint(
            "grantee_type IN ('user', 'group', 'project')", name=op.f("ck_pending_grants_grantee_type_is_known")
        ),
        _reference("pending_grants", "file_id", "file_records"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_grants")),
        sa.UniqueConstraint(
            "file_id", "grantee_type", "name", name=op.f("uq_pending_grants_file_id_grantee_type_name")
        ),
    )
    op.create_index("ix_pending_grants_name", "pending_grants", ["grantee_type", sa.text("lower(name)")])
    op.create_index("ix_pending_grants_noted_at", "pending_grants", [sa.text("noted_at DESC"), sa.text("id DESC")])


def _to_a_grantee(table: str) -> list[sa.schema.SchemaItem]:
    one_grantee = f"num_nonnulls({', '.join(GRANTEES)}) = 1"
    return [
        *(sa.Column(column, sa.Uuid(), nullable=True) for column in GRANTEES),
        sa.Column(
            "grantee_id", sa.Uuid(), sa.Computed(f"COALESCE({', '.join(GRANTEES)})", persisted=True), nullable=False
        ),
        _time("granted_at"),
        sa.CheckConstraint(one_grantee, name=op.f(f"ck_{table}_one_grantee")),
        *(_reference(table, column, target) for column, target in GRANTEES.items()),
    ]


def _time(column: str) -> sa.Column[datetime]:
    return sa.Column(column, sa.DateTime(timezone=True), server_default=NOW, nullable=False)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"), ondelete="CASCADE")
