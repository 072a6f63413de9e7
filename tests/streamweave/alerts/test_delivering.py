"""Messages reach people over real mail and HTTP servers: at least once, and none holds up another."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from streamweave.alerts.channels import Channels, Webhook, channels_of, try_channels
from streamweave.alerts.deliver import take_due
from streamweave.catalog.tables import AlertChannel, Instrument
from streamweave.errors import StartError
from streamweave.mail import Mailer
from streamweave.settings import Settings
from streamweave.webhooks import is_genuine

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
NOBODY = 1  # a port at which nobody listens


def mailer(port: int) -> Mailer:
    return Mailer("127.0.0.1", port, starttls=False, sender="facility@test.org")


def webhook(port: int) -> Webhook:
    return Webhook(f"http://127.0.0.1:{port}/hook", SECRET, "127.0.0.1")


@pytest.fixture
def broken(tower: Any, microscope: Instrument) -> Instrument:
    """An instrument whose share refuses our password; an admin could be told."""
    tower.add_admin()
    tower.fail(microscope, "credentials_refused", "wrong password")
    return microscope


def mend(tower: Any, instrument: Instrument) -> None:
    """Repair it, and let so much time pass that everybody believes it."""
    tower.wait(minutes=1)
    tower.look(instrument)
    tower.evaluate()
    tower.wait(minutes=15)
    tower.look(instrument)
    tower.evaluate()


def test_a_mail_goes_to_each_admin_when_it_begins_and_when_it_is_over(
    tower: Any, broken: Instrument, smtp_server: Any
) -> None:
    tower.add_admin("grace")
    tower.channels = Channels(mailer(smtp_server.port), public_url="https://streamweave.test.org")
    assert tower.evaluate().sentence() == "1 alert open: 1 new; 0 over; 2 messages delivered, 0 failed for now"
    tower.evaluate_for(minutes=5)
    begun = smtp_server.mails[:]
    assert sorted(mail["To"] for mail in begun) == ["admin@test.org", "grace@test.org"]
    assert {mail["Subject"] for mail in begun} == {"StreamWeave: Microscope 01: the share fails"}
    (alert,) = tower.alerts()
    assert begun[0].get_content().splitlines() == [
        "The share of Microscope 01 can't be scanned: wrong password",
        "",
        "Since 2026-03-02 12:00 UTC.",
        "",
        f"https://streamweave.test.org/api/alerts/{alert.id}",
    ]
    mend(tower, broken)
    ended = smtp_server.mails[2:]
    assert [mail["Subject"] for mail in ended] == ["StreamWeave: over: Microscope 01: the share fails"] * 2
    assert ended[0].get_content().startswith("Over since 2026-03-02 12:06 UTC; it began 2026-03-02 12:00 UTC.")
    assert len({mail["Message-ID"] for mail in smtp_server.mails}) == 4


def test_mails_go_to_the_addresses_of_the_setting(tower: Any, broken: Instrument, smtp_server: Any) -> None:
    tower.channels = Channels(mailer(smtp_server.port), ["operators@test.org"])
    tower.evaluate()
    assert [mail["To"] for mail in smtp_server.mails] == ["operators@test.org"]


def test_a_webhook_gets_a_signed_message_that_programs_understand(
    tower: Any, broken: Instrument, webhook_receiver: Any
) -> None:
    tower.channels = Channels(webhook=webhook(webhook_receiver.port))
    tower.evaluate()
    mend(tower, broken)
    begun, ended = webhook_receiver.received
    assert all(is_genuine(SECRET, each.headers, each.body) for each in (begun, ended))
    assert begun.headers["webhook-id"] != ended.headers["webhook-id"]
    told = [json.loads(each.body) for each in (begun, ended)]
    assert [each["type"] for each in told] == ["alert.begin", "alert.end"]
    assert told[0]["data"] | {"id": "", "subject_id": ""} == {
        "id": "",
        "kind": "failing_share",
        "subject_type": "instruments",
        "subject_id": "",
        "subject": "Microscope 01",
        "sentence": "The share of Microscope 01 can't be scanned: wrong password",
        "details": {"outcome": "failed", "error_kind": "credentials_refused", "error_message": "wrong password"},
        "began_at": "2026-03-02T12:00:00+00:00",
        "last_seen_at": "2026-03-02T12:00:00+00:00",
        "ended_at": None,
    }
    assert told[1]["data"]["ended_at"] == "2026-03-02T12:01:00+00:00"


def test_a_channel_that_is_down_holds_up_no_other_and_is_tried_again(
    tower: Any, broken: Instrument, smtp_server: Any, webhook_receiver: Any
) -> None:
    tower.channels = Channels(mailer(NOBODY), webhook=webhook(webhook_receiver.port))
    assert tower.evaluate().sentence().endswith("1 message delivered, 1 failed for now")
    assert len(webhook_receiver.received) == len(tower.notifications()) == 1
    tower.evaluate()
    (mail,) = tower.deliveries("mail")
    assert (mail.status, mail.attempts) == ("waiting", 1), "not before its time"
    assert "Connection refused" in mail.detail
    tower.evaluate_for(minutes=5)
    assert tower.deliveries("mail")[0].attempts == 2
    tower.channels = replace(tower.channels, mailer=mailer(smtp_server.port))
    tower.evaluate_for(minutes=5)
    (mail,) = tower.deliveries("mail")
    assert (mail.status, mail.attempts, mail.detail, mail.delivered_at) == ("delivered", 3, None, tower.time)
    assert len(smtp_server.mails) == 1


def test_the_pauses_between_attempts_grow_up_to_an_hour(tower: Any, broken: Instrument) -> None:
    tower.channels = Channels(mailer(NOBODY))
    pauses = []
    tower.evaluate()
    for _ in range(8):
        (mail,) = tower.deliveries("mail")
        pauses.append((mail.next_attempt_at - tower.time).total_seconds() / 60)
        tower.time = mail.next_attempt_at
        tower.fail(broken)
        tower.evaluate()
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_one_receiver_that_is_refused_holds_up_none(tower: Any, broken: Instrument, smtp_server: Any) -> None:
    async def refuse_the_first(_: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:
        envelope.rcpt_tos.append(address)
        return "550 no such user" if address == "a@test.org" else "250 OK"

    smtp_server.handle_RCPT = refuse_the_first
    tower.channels = Channels(mailer(smtp_server.port), ["a@test.org", "operators@test.org"])
    tower.evaluate()
    assert [mail["To"] for mail in smtp_server.mails] == ["operators@test.org"]
    assert sorted(mail.status for mail in tower.deliveries("mail")) == ["delivered", "waiting"]


def test_what_is_over_before_it_could_be_told_is_told_in_one(tower: Any, broken: Instrument, smtp_server: Any) -> None:
    tower.channels = Channels(mailer(NOBODY))
    tower.evaluate()
    mend(tower, broken)
    begun, ended = tower.deliveries("mail")
    assert (begun.status, begun.detail) == (
        "dropped",
        "it was over before it could be sent; the message about its end says when it began",
    )
    tower.channels = Channels(mailer(smtp_server.port))
    tower.time = ended.next_attempt_at
    tower.evaluate()
    (mail,) = smtp_server.mails
    assert mail["Subject"].startswith("StreamWeave: over: ")
    assert "it began 2026-03-02 12:00 UTC" in mail.get_content()


def test_whoever_dies_between_sending_and_recording_sends_the_same_message_again(
    tower: Any, broken: Instrument, smtp_server: Any, webhook_receiver: Any
) -> None:
    tower.channels = Channels(mailer(smtp_server.port), webhook=webhook(webhook_receiver.port))

    with tower.sessions.begin() as session:
        session.connection().exec_driver_sql(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the power fails'; END $$;"
            "CREATE TRIGGER die BEFORE UPDATE ON alert_deliveries FOR EACH ROW WHEN (NEW.status = 'delivered')"
            " EXECUTE FUNCTION die()"
        )
    with pytest.raises(Exception, match="the power fails"):
        tower.evaluate()
    with tower.sessions.begin() as session:
        session.connection().exec_driver_sql("DROP FUNCTION die CASCADE")
    tower.evaluate_for(minutes=10)
    assert len(smtp_server.mails) == len(webhook_receiver.received) == 2
    assert len({mail["Message-ID"] for mail in smtp_server.mails}) == 1
    assert len({each.headers["webhook-id"] for each in webhook_receiver.received}) == 1
    assert len(tower.notifications()) == len(tower.alerts()) == 1


def test_a_message_is_taken_by_one_at_a_time(tower: Any, broken: Instrument) -> None:
    tower.channels = Channels(mailer(NOBODY))
    tower.evaluate()
    tower.wait(minutes=2)
    with tower.sessions.begin() as one, tower.sessions.begin() as other:
        assert take_due(one, AlertChannel.MAIL, tower.time) is not None
        assert take_due(other, AlertChannel.MAIL, tower.time) is None
    with tower.sessions.begin() as session:
        assert take_due(session, AlertChannel.MAIL, tower.time) is None


def test_nothing_is_sent_to_whoever_is_no_receiver_any_more(tower: Any, broken: Instrument, smtp_server: Any) -> None:
    tower.channels = Channels(mailer(NOBODY), ["gone@test.org"])
    tower.evaluate()
    tower.channels = Channels(mailer(smtp_server.port), ["operators@test.org"])
    tower.evaluate_for(minutes=5)
    (mail,) = tower.deliveries("mail")
    assert (mail.status, mail.detail) == ("dropped", "its receiver gets no alerts any more")
    mend(tower, broken)
    assert smtp_server.mails == []


def test_after_three_days_a_message_is_given_up(tower: Any, broken: Instrument) -> None:
    tower.channels = Channels(mailer(NOBODY))
    tower.evaluate()
    tower.wait(days=3)
    tower.evaluate()
    (mail,) = tower.deliveries("mail")
    assert mail.status == "dropped"
    assert mail.detail.startswith("it could not be delivered for 3 days: 127.0.0.1:1: ")


def test_the_channels_can_be_tried(tower: Any, smtp_server: Any, webhook_receiver: Any) -> None:
    admin = tower.add_admin()
    webhook_receiver.answer = lambda _: (410, {}, b"")
    channels = Channels(mailer(smtp_server.port), webhook=webhook(webhook_receiver.port))
    trials = {trial.channel: trial for trial in try_channels(tower.sessions, channels, admin)}
    assert {channel: trial.ok for channel, trial in trials.items()} == {
        "notification": True,
        "mail": True,
        "webhook": False,
    }
    assert trials[AlertChannel.WEBHOOK].detail == "the answer's status is 410"
    assert json.loads(webhook_receiver.received[0].body)["type"] == "alert.test"
    assert smtp_server.mails[0]["Subject"] == "StreamWeave: a test of the alerts"
    assert tower.notifications() == ["A test of the alerts"]


def test_channels_that_are_not_set_up_say_what_is_missing(tower: Any) -> None:
    trials = try_channels(tower.sessions, Channels(), tower.add_admin())
    assert [(trial.channel, trial.ok) for trial in trials] == [
        ("notification", True),
        ("mail", False),
        ("webhook", False),
    ]
    assert "STREAMWEAVE_SMTP_HOST" in str(trials[1].detail)
    assert "STREAMWEAVE_ALERT_WEBHOOK_URL" in str(trials[2].detail)


def test_channels_come_from_the_settings() -> None:
    settings = Settings(
        smtp_host="mail.test.org",
        alert_mail_to="a@test.org, b@test.org",
        alert_webhook_url="https://hooks.test.org/x",
        alert_webhook_secret=SECRET,
        public_url="https://streamweave.test.org/",
    )
    channels = channels_of(settings)
    assert (channels.mailer.host, channels.mail_to) == ("mail.test.org", ["a@test.org", "b@test.org"])
    assert channels.webhook == Webhook("https://hooks.test.org/x", SECRET)
    assert SECRET not in repr(channels)
    assert channels.public_url == "https://streamweave.test.org"


def test_an_address_that_is_none_is_told_before_anything_starts() -> None:
    with pytest.raises(StartError, match=r"STREAMWEAVE_ALERT_MAIL_TO: is not an e-mail address: a\(b@test.org"):
        channels_of(Settings(alert_mail_to="a@test.org,a(b@test.org"))


@pytest.mark.parametrize(
    ("url", "secret", "variable"),
    [("ftp://x", SECRET, "URL"), ("https://x.org", "", "SECRET"), ("https://x.org", "secret", "SECRET")],
)
def test_a_webhook_that_can_not_work_is_told_before_anything_starts(url: str, secret: str, variable: str) -> None:
    with pytest.raises(StartError, match=f"STREAMWEAVE_ALERT_WEBHOOK_{variable}"):
        channels_of(Settings(alert_webhook_url=url, alert_webhook_secret=secret))
