"""Comparison of what is wrong with the alerts that are open: which begin, which go on, which are over. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from streamweave.alerts.condition import Condition, Findings, Key
from streamweave.catalog.tables import Alert

ENDS_AFTER = timedelta(minutes=15)
"""So long a condition must be away: a share that comes and goes is one alert, and not a hundred mails."""


@dataclass(slots=True)
class Comparison:
    """What becomes of alerts. ``leaving`` are open ones whose condition has just gone away.

    ``waiting`` are those that are away not long enough to end, and those of which nothing is known.
    """

    begun: list[Condition] = field(default_factory=list)
    ongoing: list[tuple[Alert, Condition]] = field(default_factory=list)
    leaving: list[Alert] = field(default_factory=list)
    waiting: list[Alert] = field(default_factory=list)
    ended: list[Alert] = field(default_factory=list)


def compare(open_alerts: Iterable[Alert], findings: Findings, now: datetime) -> Comparison:
    """Hold the findings against the open alerts. Of one thing there is one condition, and one open alert, at most."""
    conditions = {condition.key: condition for condition in findings.conditions}
    comparison = Comparison()
    for alert in open_alerts:
        key = Key(alert.kind, alert.subject_id)
        condition = conditions.pop(key, None)
        if condition is not None:
            comparison.ongoing.append((alert, condition))
        elif key in findings.unknown:
            comparison.waiting.append(alert)
        elif alert.away_since is None:
            comparison.leaving.append(alert)
        elif now - alert.away_since >= ENDS_AFTER:
            comparison.ended.append(alert)
        else:
            comparison.waiting.append(alert)
    comparison.begun.extend(conditions.values())
    return comparison
