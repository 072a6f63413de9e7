"""Rows that people delete, and may want back."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column


class Deletable:
    """A row that stays in the catalog when it is deleted. Whoever asks for rows in use leaves out the deleted ones."""

    deleted_at: Mapped[datetime | None] = mapped_column()

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has deleted it, and nobody restored it since."""
        return self.deleted_at is not None
