"""Runs hold leases; service accounts are bound to hosts; instruments say how their share is authenticated.

An account that exists is bound to exactly the hosts of the instruments that use it, deleted ones too: restoring one of
them must not fail.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

HOSTS = "host names, *.domain and networks that the password may be sent to"
ENCRYPTION = "a server that does not encrypt (SMB 3) is refused"
AUTHENTICATION = "ntlm, kerberos, or negotiate: whichever of them works"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "run_leases",
        sa.Column("dagster_run_id", sa.Text(), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("heartbeat_at", time, nullable=False),
        sa.PrimaryKeyConstraint("dagster_run_id", name=op.f("pk_run_leases")),
    )
    hosts = postgresql.ARRAY(sa.Text())
    op.add_column(
        "service_accounts", sa.Column("allowed_hosts", hosts, nullable=False, server_default="{}", comment=HOSTS)
    )
    op.execute(
        "UPDATE service_accounts SET allowed_hosts = used.hosts FROM ("
        "SELECT service_account_id, array_agg(DISTINCT lower(cifs_host) ORDER BY lower(cifs_host)) AS hosts "
        "FROM instruments WHERE service_account_id IS NOT NULL GROUP BY service_account_id) AS used "
        "WHERE used.service_account_id = service_accounts.id"
    )
    op.add_column(
        "instruments",
        sa.Column("require_encryption", sa.Boolean(), nullable=False, server_default="false", comment=ENCRYPTION),
    )
    op.add_column(
        "instruments",
        sa.Column("authentication", sa.Text(), nullable=False, server_default="ntlm", comment=AUTHENTICATION),
    )
    op.create_check_constraint(
        "authentication_is_known", "instruments", "authentication IN ('ntlm', 'kerberos', 'negotiate')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_instruments_authentication_is_known"), "instruments")
    op.drop_column("instruments", "authentication")
    op.drop_column("instruments", "require_encryption")
    op.drop_column("service_accounts", "allowed_hosts")
    op.drop_table("run_leases")
