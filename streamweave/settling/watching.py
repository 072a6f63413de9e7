"""Watching: which files there is something to decide about, and what is on record of them."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.catalog.tables.files import WATCHED


class Watched(NamedTuple):
    """What is on record of a watched version; of those that were found together it is the same."""

    state: str
    reason: str
    unchanged_since: datetime
    observed_at: datetime
    state_since: datetime
    marker_stands: bool
    acquisition: str | None


def is_watched(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileVersion``: the instrument may still be writing it, as far as we know."""
    return and_(FileVersion.instrument_id == instrument.id, FileVersion.state.in_(WATCHED))


def is_quiet(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileVersion``: it was seen unchanged over the quiet period."""
    quiet_period = timedelta(seconds=instrument.quiet_period_seconds)
    return FileVersion.observed_at - FileVersion.unchanged_since >= quiet_period


def is_ripe(instrument: Instrument, now: datetime) -> ColumnElement[bool]:
    """Over ``FileVersion`` joined to ``FileRecord``: there is something to decide.

    Of all others the judgement is known: they still settle, and what was last seen of them stays their reason.
    """
    waited_too_long = FileVersion.state_since < now - timedelta(seconds=instrument.max_wait_seconds)
    is_overdue = FileVersion.state == VersionState.OVERDUE
    is_part = acquisition_folder(instrument).is_not(None) if instrument.acquisition_depth else false()
    return is_watched(instrument) & (is_quiet(instrument) | waited_too_long | is_overdue | is_part)


def watched_versions(instrument: Instrument, which: ColumnElement[bool]) -> Select[Any]:
    """The ids of versions, and what ``Watched`` says of each."""
    return (
        select(
            FileVersion.id,
            FileVersion.state,
            FileVersion.reason,
            FileVersion.unchanged_since,
            FileVersion.observed_at,
            FileVersion.state_since,
            marker_stands(instrument),
            acquisition_folder(instrument),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(which)
    )


def acquisition_folder(instrument: Instrument) -> ColumnElement[Any]:
    """Over ``FileRecord``: the acquisition folder that it lies in, at any depth; null when it lies in none."""
    if instrument.acquisition_depth is None:
        return null()
    names = base_folder(instrument).count("/") + 1 + instrument.acquisition_depth
    parts = func.string_to_array(FileRecord.folder, "/", type_=ARRAY(Text))
    folder = func.array_to_string(parts[1:names], "/", type_=Text())
    return case((func.cardinality(parts) >= names, folder))


def base_folder(instrument: Instrument) -> str:
    """The instrument's base folder, written like a ``source_path``."""
    inner = instrument.cifs_base_path.replace("\\", "/").split("/")
    return "/".join([instrument.cifs_share, *filter(None, inner)])


def marker_stands(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileRecord``: its marker file stands beside it, or it is a marker file itself, or there need be none."""
    if not instrument.marker_suffix:
        return true()
    suffix = instrument.marker_suffix
    marker = aliased(FileRecord)
    stands = exists().where(
        marker.instrument_id == instrument.id,
        func.md5(marker.source_path) == func.md5(FileRecord.source_path + suffix),
        marker.gone_at.is_(None),
    )
    is_marker = FileRecord.source_path.endswith(suffix, autoescape=True)
    if instrument.marker_name:
        is_marker |= FileRecord.filename == instrument.marker_name
    return or_(is_marker, stands)
