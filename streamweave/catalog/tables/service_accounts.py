"""SMB credentials."""

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified
from streamweave.catalog.tables.deletable import Deletable


class ServiceAccount(Identified, Dated, Deletable, Base):
    """Credentials that open shares. The password is sealed (``streamweave.instruments.credentials``)."""

    __tablename__ = "service_accounts"

    name: Mapped[str] = mapped_column()
    domain: Mapped[str | None]
    username: Mapped[str]
    sealed_password: Mapped[bytes]

    __table_args__ = (
        Index("uq_service_accounts_name", name, unique=True, postgresql_where=text("deleted_at IS NULL")),
    )
