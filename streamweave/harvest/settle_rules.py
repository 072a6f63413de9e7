"""The rules of settling: what follows for a file from our scans. Pure.

A file has settled when at least two scans, a quiet period apart, saw the same size and mtime, its marker file (where
the instrument writes one) is beside it, and (where the instrument's row asks for the probe) no client holds it open for
writing. The files of an acquisition folder settle as one: once all of that is true of each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from streamweave.catalog.tables import GrowingFiles, Instrument, VersionState


@dataclass(frozen=True, slots=True)
class AcquisitionFiles:
    """A folder whose files settle as one: what is known of those, at any depth, that have not settled. Times are UTC.

    ``last_changed`` is the first scan that saw what is newest in it. ``seen_until`` is until when all of it was seen
    unchanged; None when some of it could not be seen. Once a copy of it has begun it ``is_harvested``: what comes then
    is late, and settles alone.
    """

    folder: str
    last_changed: datetime
    seen_until: datetime | None
    markers_exist: bool
    is_harvested: bool
    has_open_writer: bool = False

    def is_quiet(self, instrument: Instrument) -> bool:
        """Whether all of it was seen unchanged over the quiet period."""
        return self.seen_until is not None and self.seen_until - self.last_changed >= _quiet_period(instrument)


@dataclass(frozen=True, slots=True)
class Observation:
    """What our scans saw of one version. Times are UTC, on our clock."""

    unchanged_since: datetime
    observed_at: datetime
    watched_since: datetime
    is_overdue: bool
    marker_exists: bool
    has_open_writer: bool
    acquisition: AcquisitionFiles | None = None


@dataclass(frozen=True, slots=True)
class SettleDecision:
    """The state that follows, and why. ``unfinished`` is why it is harvested though it has not been finished."""

    state: VersionState
    reason: str
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """What a file waits for; ``is_growth`` when it is, or belongs to, what the instrument may just be writing."""

    reason: str
    is_growth: bool = False


def judge(observation: Observation, instrument: Instrument, now: datetime) -> SettleDecision:
    """Decide whether a version has settled, still settles, or is overdue."""
    obstacles, remark = _obstacles(observation, instrument), _remark(observation.acquisition)
    if not obstacles:
        return SettleDecision(VersionState.SETTLED, f"unchanged over the quiet period{remark}")
    reason, longest = f"{obstacles[0].reason}{remark}", instrument.max_wait_seconds
    has_waited_long = now - observation.watched_since > timedelta(seconds=longest)
    if has_waited_long and _is_harvested_unfinished(obstacles, instrument):
        unfinished = f"still growing or changing after {longest} s: {reason}"
        return SettleDecision(VersionState.SETTLED, unfinished, unfinished)
    if has_waited_long or observation.is_overdue:
        return SettleDecision(VersionState.OVERDUE, f"not finished after {longest} s: {reason}")
    return SettleDecision(VersionState.SETTLING, reason)


def _remark(acquisition: AcquisitionFiles | None) -> str:
    if acquisition is None or not acquisition.is_harvested:
        return ""
    return f"; it came after its acquisition folder {acquisition.folder} was harvested"


def _is_harvested_unfinished(obstacles: Sequence[_Obstacle], instrument: Instrument) -> bool:
    """Whether what there is is harvested as a version; a missing marker needs attention all the same."""
    return instrument.growing_files == GrowingFiles.VERSIONS and all(each.is_growth for each in obstacles)


def _obstacles(observation: Observation, instrument: Instrument) -> list[_Obstacle]:
    """What the file waits for: its acquisition folder, unless that has been harvested, and then its own obstacles."""
    acquisition = observation.acquisition
    is_part = acquisition is not None and not acquisition.is_harvested
    found = [_obstacle_of_folder(acquisition, instrument)] if acquisition and is_part else []
    return [each for each in [*found, _obstacle(observation, instrument)] if each is not None]


def _obstacle(observation: Observation, instrument: Instrument) -> _Obstacle | None:
    quiet = observation.observed_at - observation.unchanged_since
    if quiet < _quiet_period(instrument):
        reason = f"seen unchanged for {quiet.total_seconds():.0f} of {instrument.quiet_period_seconds} s"
        return _Obstacle(reason, is_growth=True)
    if not observation.marker_exists:
        return _Obstacle(f"its marker file (its name + '{instrument.marker_suffix}') is not there yet")
    if observation.has_open_writer:
        return _Obstacle("still open for writing at the instrument", is_growth=True)
    return None


def _obstacle_of_folder(acquisition: AcquisitionFiles, instrument: Instrument) -> _Obstacle | None:
    itself = f"its acquisition folder {acquisition.folder}"
    if acquisition.seen_until is None:
        return _Obstacle(f"{itself} has not been seen as a whole")
    if not acquisition.is_quiet(instrument):
        changed = f"{acquisition.last_changed:%Y-%m-%d %H:%M:%S} UTC"
        reason = (
            f"{itself} was last seen to change at {changed}; it must be quiet for {instrument.quiet_period_seconds} s"
        )
        return _Obstacle(reason, is_growth=True)
    if not acquisition.markers_exist:
        return _Obstacle(f"{itself} lacks a marker file ({_markers(instrument)})")
    if acquisition.has_open_writer:
        return _Obstacle(f"{itself} holds a file that is still open for writing at the instrument", is_growth=True)
    return None


def _markers(instrument: Instrument) -> str:
    of_folder = [f"'{instrument.marker_name}' in it"] if instrument.marker_name else []
    of_files = [f"a file's name + '{instrument.marker_suffix}'"] if instrument.marker_suffix else []
    return " or ".join([*of_folder, *of_files])


def _quiet_period(instrument: Instrument) -> timedelta:
    return timedelta(seconds=instrument.quiet_period_seconds)
