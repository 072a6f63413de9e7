"""Storage locations of the type s3, with sealed credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TYPE_IS_KNOWN = "ck_storage_locations_type_is_known"


def upgrade() -> None:
    op.add_column("storage_locations", sa.Column("sealed_secret_access_key", sa.LargeBinary(), nullable=True))
    op.drop_constraint(op.f(TYPE_IS_KNOWN), "storage_locations", type_="check")
    op.create_check_constraint(op.f(TYPE_IS_KNOWN), "storage_locations", "type IN ('posix', 's3')")


def downgrade() -> None:
    op.drop_constraint(op.f(TYPE_IS_KNOWN), "storage_locations", type_="check")
    op.create_check_constraint(op.f(TYPE_IS_KNOWN), "storage_locations", "type IN ('posix')")
    op.drop_column("storage_locations", "sealed_secret_access_key")
