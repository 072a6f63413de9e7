"""SMB credentials."""

from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Dated, Identified


class ServiceAccount(Identified, Dated, Base):
    """Credentials that open shares. The password is sealed (``streamweave.instruments.credentials``)."""

    __tablename__ = "service_accounts"

    name: Mapped[str] = mapped_column(unique=True)
    domain: Mapped[str | None]
    username: Mapped[str]
    sealed_password: Mapped[bytes]
