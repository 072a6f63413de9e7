"""How far a harvest run's transfers are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "harvest_runs",
        sa.Column(
            "progress",
            postgresql.JSONB(),
            nullable=True,
            comment="how far its transfers are, as streamweave.harvest.progress.Progress tells it",
        ),
    )


def downgrade() -> None:
    op.drop_column("harvest_runs", "progress")
