"""The sensor ``alerts`` raises and ends an alert, as Dagster's daemon would have it evaluated."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from streamweave.alerts.channels import Channels
from streamweave.catalog.tables import Alert, Instrument, Role, User
from streamweave.errors import CredentialsRefused
from streamweave.facility import Facility
from streamweave.mail import Mailer
from streamweave_dagster.definitions import definitions_of
from streamweave_dagster.failures import TickFailed
from streamweave_dagster.maintenance import alerts_sensor


def evaluate(orchestra: Any, facility: Facility, channels: Channels | None = None) -> str:
    """One tick of the sensor; what it says."""
    repository = definitions_of(facility, channels).get_repository_def()
    resources = {"facility": facility, "channels": channels or Channels()}
    with dg.build_sensor_context(
        instance=orchestra.instance, repository_def=repository, resources=resources
    ) as context:
        tick = repository.get_sensor_def("alerts").evaluate_tick(context)
    assert tick.run_requests == []
    return str(tick.skip_message)


def share_alerts(lab: Any) -> list[Alert]:
    """How full this machine's disk is doesn't matter here."""
    with lab.sessions() as session:
        return list(session.query(Alert).filter_by(kind="failing_share"))


def test_an_alert_begins_with_a_failed_look_and_ends_with_good_ones(
    lab: Any, orchestra: Any, microscope: Instrument, smtp_server: Any
) -> None:
    channels = Channels(Mailer("127.0.0.1", smtp_server.port, starttls=False))
    with lab.sessions.begin() as session:
        session.add(User(email="admin@test.org", password_hash="none", role=Role.ADMIN))

    lab.shares[microscope.slug].unreachable = CredentialsRefused("pc.example refuses the account 'labuser'")
    with pytest.raises(TickFailed):
        orchestra.tick(microscope)
    assert "1 new" in evaluate(orchestra, lab.facility, channels)
    (alert,) = share_alerts(lab)
    assert alert.sentence == ("The share of Microscope 01 can't be scanned: pc.example refuses the account 'labuser'")

    lab.shares[microscope.slug].unreachable = None
    lab.wait(timedelta(minutes=61))
    for _ in range(2):
        orchestra.tick(microscope)
        said = evaluate(orchestra, lab.facility, channels)
        lab.wait(timedelta(minutes=15))
    assert "1 over; 1 message delivered, 0 failed for now" in said
    (alert,) = share_alerts(lab)
    assert alert.ended_at is not None
    subjects = [mail["Subject"] for mail in smtp_server.mails if "share" in mail["Subject"]]
    assert subjects == [
        "StreamWeave: Microscope 01: the share fails",
        "StreamWeave: over: Microscope 01: the share fails",
    ]


def test_it_runs_by_itself_and_asks_for_no_runs() -> None:
    assert alerts_sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert not alerts_sensor.has_jobs
