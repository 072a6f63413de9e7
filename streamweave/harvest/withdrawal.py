"""Withdrawal: transfers that were planned and never begun end, with the reason."""

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, is_one_of
from streamweave.catalog.tables import LIVE, Transfer, TransferStatus


def withdraw_waiting_transfers(session: Session, version_ids: Collection[uuid.UUID], why: str, now: datetime) -> None:
    """Withdraw what waits for these versions, and leave what is under way."""
    if version_ids:
        session.execute(
            update(Transfer)
            .where(
                is_one_of(Transfer.version_id, version_ids),
                Transfer.status.in_(LIVE),  # for the index
                checked(Transfer.status == TransferStatus.PENDING),
            )
            .values(status=TransferStatus.SKIPPED, error_message=why, completed_at=now)
        )
