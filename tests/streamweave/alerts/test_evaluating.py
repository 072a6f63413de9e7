"""Alerts begin, go on and end; everybody is told once of each."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from streamweave.alerts.alerts import acknowledge, alerts, last_watch
from streamweave.catalog.pages import PageRequest
from streamweave.catalog.session import try_lock_alerts
from streamweave.catalog.tables import Alert, Instrument, Role, User, VersionState
from streamweave.errors import Conflict


@pytest.fixture
def broken(tower: Any, microscope: Instrument) -> Instrument:
    """An instrument whose share refuses our password."""
    tower.fail(microscope, "credentials_refused", "wrong password")
    return microscope


def repair(tower: Any, instrument: Instrument) -> None:
    tower.wait(minutes=1)
    tower.look(instrument)


def test_an_alert_begins_is_told_once_and_ends_is_told_once(tower: Any, broken: Instrument) -> None:
    tower.add_admin("ada")
    tower.add_admin("grace")
    tower.add(User(email="user@test.org", password_hash="none", role=Role.USER))
    evaluation = tower.evaluate()
    assert evaluation.sentence() == "1 alert open: 1 new; 0 over"
    assert tower.notifications() == ["Microscope 01: the share fails"] * 2
    tower.evaluate_for(minutes=10)
    assert len(tower.notifications()) == 2
    (alert,) = tower.alerts()
    assert (alert.subject, alert.ended_at) == ("Microscope 01", None)
    repair(tower, broken)
    repaired_at = tower.time
    tower.evaluate()
    assert tower.alerts()[0].ended_at is None
    tower.look(broken)
    tower.wait(minutes=15)
    tower.look(broken)
    assert tower.evaluate().sentence() == "0 alerts open: 0 new; 1 over"
    (alert,) = tower.alerts()
    assert alert.ended_at == repaired_at
    assert tower.notifications()[2:] == ["over: Microscope 01: the share fails"] * 2
    tower.look(broken)
    tower.evaluate_for(minutes=10)
    assert len(tower.notifications()) == 4


def test_a_share_that_comes_and_goes_is_one_alert(tower: Any, broken: Instrument) -> None:
    tower.add_admin()
    for _ in range(10):
        tower.evaluate()
        repair(tower, broken)
        tower.evaluate()
        tower.wait(minutes=9)
        tower.fail(broken, "credentials_refused", "wrong password")
    assert len(tower.alerts()) == len(tower.notifications()) == 1


def test_what_comes_back_after_its_end_is_another_alert(tower: Any, broken: Instrument) -> None:
    tower.add_admin()
    tower.evaluate()
    repair(tower, broken)
    tower.evaluate()
    tower.wait(minutes=15)
    tower.look(broken)
    tower.evaluate()
    tower.wait(minutes=1)
    tower.fail(broken, "credentials_refused", "wrong again")
    tower.evaluate()
    assert [alert.ended_at is None for alert in tower.alerts()] == [False, True]
    assert len(tower.notifications()) == 3


def test_what_gets_worse_is_shown_and_not_told_again(tower: Any, microscope: Instrument) -> None:
    tower.add_admin()
    tower.discover(microscope, "a.csv", VersionState.FAILED, reason="denied")
    tower.look(microscope)
    tower.evaluate()
    for _ in range(10):
        tower.discover(microscope, state=VersionState.FAILED, reason="denied")
    tower.wait(minutes=1)
    tower.evaluate()
    (alert,) = tower.alerts()
    assert alert.sentence.startswith("11 files of Microscope 01 need attention")
    assert alert.details["counts"] == {"failed": 11}
    assert alert.last_seen_at == tower.time
    assert len(tower.notifications()) == 1


def test_an_instrument_that_is_deleted_ends_its_alerts(tower: Any, broken: Instrument) -> None:
    tower.evaluate()
    tower.change(broken, deleted_at=tower.time)
    tower.evaluate_for(minutes=20)
    assert tower.alerts()[0].ended_at is not None


def test_only_one_alert_can_be_open_for_the_same_thing(tower: Any, broken: Instrument) -> None:
    tower.evaluate()
    with tower.sessions() as session:
        first = session.query(Alert).one()
        values = {column.name: getattr(first, column.name) for column in Alert.__table__.columns if column.name != "id"}
        session.add(Alert(**values))
        with pytest.raises(IntegrityError, match="uq_alerts_open"):
            session.flush()


def test_while_another_evaluates_nothing_is_begun_twice(tower: Any, broken: Instrument) -> None:
    with tower.sessions.begin() as other:
        assert try_lock_alerts(other)
        assert tower.evaluate().sentence() == "another process evaluates the alerts at this moment"
    assert tower.evaluate().sentence() == "1 alert open: 1 new; 0 over"


def test_it_is_on_record_when_somebody_watched_last_and_since_when(tower: Any) -> None:
    began = tower.time
    tower.evaluate_for(minutes=30)
    with tower.sessions() as session:
        watch = last_watch(session)
    assert watch is not None
    assert (watch.evaluated_at, (watch.watching_since - began).total_seconds()) == (tower.time, 300)
    tower.wait(minutes=11)
    tower.evaluate()
    with tower.sessions() as session:
        watch = last_watch(session)
    assert watch is not None
    assert watch.watching_since == watch.evaluated_at == tower.time


def test_open_alerts_are_listed_first_and_in_pages(tower: Any, broken: Instrument) -> None:
    tower.evaluate()
    repair(tower, broken)
    tower.evaluate_for(minutes=20)
    others = [tower.add_instrument(f"Spectrometer {number}") for number in range(3)]
    for other in others:
        tower.fail(other, "credentials_refused", "wrong password")
        tower.evaluate()
    with tower.sessions() as session:
        listed, cursor = [], None
        while True:
            page = alerts(session, PageRequest(limit=2, cursor=cursor))
            listed += [alert.subject for alert in page.rows if alert.kind == "failing_share"]
            if (cursor := page.next_cursor) is None:
                break
    assert listed == ["Spectrometer 2", "Spectrometer 1", "Spectrometer 0", "Microscope 01"]


def test_somebody_is_on_it_until_it_is_over(tower: Any, broken: Instrument) -> None:
    admin = tower.add_admin()
    tower.evaluate()
    with tower.sessions.begin() as session:
        alert = acknowledge(session, admin, tower.alerts()[0].id, {"note": "a new password is on its way"})
    assert (alert.acknowledged_by_id, alert.acknowledgement) == (admin.id, "a new password is on its way")
    assert alert.acknowledged_at is not None
    tower.evaluate()
    assert tower.alerts()[0].ended_at is None
    repair(tower, broken)
    tower.evaluate_for(minutes=20)
    with tower.sessions() as session, pytest.raises(Conflict, match="is over"):
        acknowledge(session, admin, alert.id, {})
