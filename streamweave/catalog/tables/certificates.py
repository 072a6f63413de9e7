"""Issued certificates: who was told what about deleting at the source, and when."""

import uuid
from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from streamweave.catalog.tables.base import Base, Identified


class IssuedCertificate(Identified, Base):
    """One certificate, by its digest. Nobody can change or remove it afterwards.

    There are no foreign keys: what a certificate speaks of may be gone, the entry stays as it is.
    """

    __tablename__ = "certificates"

    issued_at: Mapped[datetime] = mapped_column()
    issued_to: Mapped[str] = mapped_column(comment="who asked: a mail address, or an account of the machine")
    instrument_id: Mapped[uuid.UUID] = mapped_column()
    file_id: Mapped[uuid.UUID | None] = mapped_column(comment="null: a folder, or the whole instrument")
    path: Mapped[str | None] = mapped_column(comment="the file or folder; null: the whole instrument")
    rules: Mapped[str] = mapped_column(comment="the version of the rules it was judged by")
    verdict: Mapped[str]
    files: Mapped[int] = mapped_column(comment="that it speaks of")
    files_safe: Mapped[int]
    sha256: Mapped[str] = mapped_column(comment="of the certificate as canonical JSON")
    signed_by: Mapped[str | None] = mapped_column(comment="the id of the key; null: it is not signed")
    state_sha256: Mapped[str | None] = mapped_column(
        comment="of what it says, whenever that is said; null: from before this was kept"
    )
    content: Mapped[bytes | None] = mapped_column(
        comment="the certificate as canonical JSON; null: from before it was kept"
    )

    __table_args__ = (
        Index("ix_certificates_issued_at", issued_at.desc(), text("id DESC")),
        Index("ix_certificates_instrument_id", instrument_id, issued_at.desc(), text("id DESC")),
    )
