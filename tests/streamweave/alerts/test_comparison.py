"""Which alerts begin, go on and end, decided purely."""

import uuid
from datetime import UTC, datetime, timedelta

from streamweave.alerts.conditions import Condition, Findings, Key
from streamweave.alerts.evaluate import ENDS_AFTER, compare
from streamweave.catalog.tables import Alert, AlertKind, SubjectType

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHARE = AlertKind.FAILING_SHARE


def condition(subject_id: uuid.UUID, kind: AlertKind = SHARE) -> Condition:
    return Condition(kind, SubjectType.INSTRUMENT, subject_id, "Microscope 01", "it fails", {})


def alert(subject_id: uuid.UUID, away_since: datetime | None = None) -> Alert:
    return Alert(kind=SHARE, subject_id=subject_id, away_since=away_since)


def test_what_is_new_begins_and_what_is_known_goes_on() -> None:
    known, new = uuid.uuid4(), uuid.uuid4()
    open_alert = alert(known)
    found = compare([open_alert], Findings([condition(known), condition(new)]), NOON)
    assert [each.subject_id for each in found.begun] == [new]
    assert found.ongoing == [(open_alert, condition(known))]
    assert found.leaving == found.ended == []


def test_another_kind_is_another_alert() -> None:
    subject = uuid.uuid4()
    found = compare([alert(subject)], Findings([condition(subject, AlertKind.SILENT_INSTRUMENT)]), NOON)
    assert len(found.begun) == len(found.leaving) == 1


def test_what_goes_away_ends_only_after_a_while() -> None:
    just_now, a_while, long = (
        alert(uuid.uuid4(), since) for since in (None, NOON - ENDS_AFTER + timedelta(seconds=1), NOON - ENDS_AFTER)
    )
    found = compare([just_now, a_while, long], Findings(), NOON)
    assert (found.leaving, found.waiting, found.ended) == ([just_now], [a_while], [long])


def test_what_comes_back_in_time_goes_on() -> None:
    subject = uuid.uuid4()
    open_alert = alert(subject, NOON - 2 * ENDS_AFTER)
    found = compare([open_alert], Findings([condition(subject)]), NOON)
    assert found.ongoing == [(open_alert, condition(subject))]
    assert found.begun == found.ended == []


def test_of_what_nothing_is_known_neither_goes_on_nor_ends() -> None:
    subject = uuid.uuid4()
    for since in (None, NOON - 2 * ENDS_AFTER):
        known = alert(subject, since)
        found = compare([known], Findings(unknown={Key(SHARE, subject)}), NOON)
        assert found.waiting == [known]
        assert found.begun == found.ongoing == found.leaving == found.ended == []
