"""Sampling: which archived files are read again next. The least recently read come first, so each has its turn."""

import math
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument
from streamweave.catalog.tables.files import DONE

MOST_FILES = 2_000
"""More are not read again by one harvest, whatever their share: opening a file costs an instrument's PC more than its
bytes."""


class Subject(NamedTuple):
    """An archived version whose source is to be read again."""

    version_id: uuid.UUID
    source_path: str
    size_bytes: int
    mtime: datetime
    sha256: str
    is_gone: bool


def sample(session: Session, instrument: Instrument) -> list[Subject]:
    """Whose turn it is, those that are gone from the source among them: their turn passes.

    At least one file, however large it is; none while earlier rounds have read too much.
    """
    budget = instrument.rehash_bytes - instrument.rehash_debt_bytes
    if instrument.rehash_share == 0 or budget <= 0:
        return []
    archived = session.scalar(select(func.count()).select_from(FileVersion).where(_is_archived(instrument))) or 0
    number = min(math.ceil(archived * instrument.rehash_share), MOST_FILES)
    rows = session.execute(
        select(
            FileVersion.id,
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.sha256,
            FileRecord.gone_at.is_not(None),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(_is_archived(instrument), FileVersion.sha256.is_not(None))
        .order_by(func.coalesce(FileVersion.source_reread_at, FileVersion.state_since))
        .limit(number)
    )
    return list(_within(budget, (Subject._make(row) for row in rows)))


def _is_archived(instrument: Instrument) -> ColumnElement[bool]:
    return and_(FileVersion.instrument_id == instrument.id, FileVersion.is_newest, FileVersion.state.in_(DONE))


def _within(budget: int, subjects: Iterable[Subject]) -> Iterator[Subject]:
    """The first ones; the last of them may be larger than what is left of the budget."""
    for subject in subjects:
        yield subject
        budget -= 0 if subject.is_gone else subject.size_bytes
        if budget <= 0:
            return


def pay(session: Session, instrument: Instrument, read_bytes: int) -> None:
    """What was read beyond a round's budget is made up for by the following rounds."""
    debt = Instrument.rehash_debt_bytes + read_bytes - Instrument.rehash_bytes
    session.execute(
        update(Instrument)
        .where(Instrument.id == instrument.id)
        .values(rehash_debt_bytes=func.greatest(debt, 0), updated_at=Instrument.updated_at)
    )
