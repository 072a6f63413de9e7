"""Which instruments have hooks that have not coped with a file for a while: not decided about it, or not enriched it.

Each harvest asks the hooks again; so what has lasted for an hour will hardly mend itself.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.alerts.condition import Condition, Findings, about_instrument, counted
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, FileVersion, Instrument, VersionState

LASTS_FOR = timedelta(hours=1)


def failing_hooks(session: Session, now: datetime) -> Findings:
    """One condition for each instrument in use, with what the hooks said of one of its files."""
    failing: dict[uuid.UUID, list[Row[Any]]] = defaultdict(list)
    undecided = (FileVersion.state == VersionState.SETTLED) & FileVersion.retry_at.is_not(None)
    for row in [
        *_troubles(session, "undecided", undecided, FileVersion.state_since, FileVersion.reason, now),
        *_troubles(
            session,
            "not enriched",
            FileVersion.enrichment_error.is_not(None),
            FileVersion.archived_at,
            FileVersion.enrichment_error,
            now,
        ),
    ]:
        failing[row.instrument_id].append(row)
    instruments = session.scalars(listing(Instrument).where(Instrument.id.in_(failing))) if failing else ()
    return Findings([_condition(instrument, failing[instrument.id]) for instrument in instruments])


def _troubles(
    session: Session,
    word: str,
    is_trouble: ColumnElement[bool],
    since: InstrumentedAttribute[Any],
    why: InstrumentedAttribute[Any],
    now: datetime,
) -> Sequence[Row[Any]]:
    """For each instrument with such files: how many, since when, and why one of them."""
    return session.execute(
        select(
            FileVersion.instrument_id,
            func.concat(word).label("word"),
            func.count().label("files"),
            func.min(since).label("since"),
            func.min(why).label("why"),
        )
        .where(FileVersion.is_newest, is_trouble, since <= now - LASTS_FOR)
        .group_by(FileVersion.instrument_id)
    ).all()


def _condition(instrument: Instrument, troubles: Sequence[Row[Any]]) -> Condition:
    told = "; ".join(
        f"{counted(each.files, 'file')} {each.word} since {each.since:%Y-%m-%d %H:%M} UTC: {each.why}"
        for each in troubles
    )
    details = {each.word.replace(" ", "_"): {"files": each.files, "reason": each.why} for each in troubles}
    return about_instrument(
        AlertKind.FAILING_HOOKS, instrument, f"Hooks do not cope with files of {instrument.name}: {told}", details
    )
