"""Certificates are kept whole, with a digest of what they say: one that still holds is returned, not issued again."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "certificates",
        sa.Column(
            "state_sha256",
            sa.Text(),
            nullable=True,
            comment="of what it says, whenever that is said; null: from before this was kept",
        ),
    )
    op.add_column(
        "certificates",
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=True,
            comment="the certificate as canonical JSON; null: from before it was kept",
        ),
    )


def downgrade() -> None:
    op.drop_column("certificates", "content")
    op.drop_column("certificates", "state_sha256")
