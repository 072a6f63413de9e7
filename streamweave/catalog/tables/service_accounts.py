"""SMB credentials."""

from sqlalchemy import ARRAY, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified
from streamweave.catalog.tables.deletable import Deletable


class ServiceAccount(Identified, Dated, Deletable, Base):
    """Credentials that open shares. The password is sealed (``streamweave.sealing``)."""

    __tablename__ = "service_accounts"

    name: Mapped[str] = mapped_column()
    domain: Mapped[str | None]
    username: Mapped[str]
    sealed_password: Mapped[bytes]
    allowed_hosts: Mapped[list[str]] = mapped_column(
        ARRAY(Text), default=list, comment="host names, *.domain and networks that the password may be sent to"
    )

    __table_args__ = (
        Index("uq_service_accounts_name", name, unique=True, postgresql_where=text("deleted_at IS NULL")),
    )
