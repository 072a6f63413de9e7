"""Where mails are sent, whoever registers can't log in before their address is verified."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column(
            "awaits_verification",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="registered by mail, and can't log in before it is verified",
        ),
    )


def downgrade() -> None:
    op.drop_column("users", "awaits_verification")
