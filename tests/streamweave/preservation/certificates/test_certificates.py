"""Certificates over the real harvest: a file's way through an instrument's life, and what may be said at each step."""

import hashlib
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select, text, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ProgrammingError

from streamweave.catalog.tables import (
    FileVersion,
    FixityCheck,
    FixityHold,
    FixitySweep,
    Hook,
    IssuedCertificate,
    Scan,
    ScanOutcome,
)
from streamweave.errors import NothingKnown, ShareDenied, SourceUnreachable
from streamweave.harvest.run import scan_until_quiet
from streamweave.preservation.certificates.evidence import Scope, evidence_batches
from streamweave.preservation.certificates.issue import Issuer
from streamweave.preservation.certificates.judgement import Reason, Verdict

A = "microscope/run 1/a.csv"
B = "microscope/run 1/b.csv"
COPY_OF_A = "{folder}/microscope/run 1/a.csv"


def test_an_archived_file_is_safe_once_a_later_complete_look_saw_it_unchanged(site: Any) -> None:
    site.write(A)
    site.harvest()
    assert site.reasons(A) == {Reason.NOT_SEEN_SINCE}
    site.look()
    assert site.verdict(A) == Verdict.SAFE


def test_the_chain_names_every_step_in_order_of_time(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.sweep()
    chain = site.certify(A).document["file"]["chain"]
    events = ["seen", "quiet", "observed", "decided", "copying", "proven", "archived", "seen_unchanged", "reread"]
    assert [link["event"] for link in chain] == events
    assert [link["at"] for link in chain] == sorted(link["at"] for link in chain)
    [transfer] = site.transfers(A)
    told = " ".join(link["what"] for link in chain)
    for proof in (transfer.id, transfer.run_id, transfer.source_checksum, transfer.destination_path):
        assert str(proof) in told


def test_a_file_that_was_only_touched_is_safe_by_the_copy_of_its_earlier_version(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.clock.wait(7200)
    site.write(A)
    site.archive_everything()
    certificate = site.certify(A)
    assert (certificate.verdict, certificate.document["file"]["version"]) == (Verdict.SAFE, 2)


def test_a_changed_file_must_stay_until_its_new_content_is_archived(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.clock.wait(7200)
    site.write(A, b"more than before, and different")
    assert site.verdict(A) == Verdict.SAFE  # as of the look; what was written since is not covered
    site.look()
    assert site.reasons(A) == {Reason.NOT_FINISHED}
    site.archive_everything()
    assert site.verdict(A) == Verdict.SAFE


def test_a_location_that_is_scheduled_later_must_have_a_copy_too(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.add_archive("second")
    assert site.reasons(A) == {Reason.NO_COPY}
    site.archive_everything()
    assert site.verdict(A) == Verdict.SAFE


def test_a_location_out_of_use_keeps_nothing_safe(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.change(site.archives["first"], enabled=False)
    assert site.reasons(A) == {Reason.LOCATION_DISABLED}


def test_a_file_without_any_destination_must_stay(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    with site.facility.sessions.begin() as session:
        session.execute(text("UPDATE schedules SET enabled = false"))
    assert site.reasons(A) == {Reason.NO_DESTINATION}


def test_a_redirected_file_is_safe_where_it_went(site: Any) -> None:
    elsewhere = site.add_archive("elsewhere", scheduled=False)
    config = {"redirect_rules": [{"pattern": "*", "destination": elsewhere.name}]}
    add_filter(site, config)
    site.write(A)
    site.archive_everything()
    assert not site.archived("first")
    assert site.verdict(A) == Verdict.SAFE
    site.change(elsewhere, enabled=False)
    assert site.reasons(A) == {Reason.LOCATION_DISABLED}


def add_filter(site: Any, config: dict[str, Any]) -> None:
    with site.facility.sessions.begin() as session:
        hook = {"name": "filter", "trigger": "pre_transfer", "builtin_name": "file_filter"}
        session.add(Hook(**hook, config=config, instrument_id=site.instrument.id))


def test_a_skipped_file_was_never_archived_and_must_stay(site: Any) -> None:
    add_filter(site, {"exclude_patterns": ["*.tmp"]})
    site.write("microscope/run 1/scratch.tmp")
    site.archive_everything()
    assert site.reasons("microscope/run 1/scratch.tmp") == {Reason.NEVER_ARCHIVED}


def test_a_damaged_copy_takes_the_safety_away(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.spoil("first", COPY_OF_A.format(folder=site.instrument.archive_folder), b"rotten")
    site.sweep()
    assert site.reasons(A) == {Reason.COPY_DAMAGED}


def test_a_copy_that_nobody_has_re_read_for_long_is_not_relied_on(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.clock.wait(91 * 86_400)
    site.look()
    assert site.reasons(A) == {Reason.NOT_REREAD}
    site.sweep()
    assert site.verdict(A) == Verdict.SAFE


def test_yesterdays_look_says_nothing_about_today(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.clock.wait(86_401)
    assert site.reasons(A) == {Reason.LOOK_TOO_OLD}
    site.look()
    assert site.verdict(A) == Verdict.SAFE


def test_looks_that_were_cut_short_or_failed_confirm_nothing(site: Any) -> None:
    site.write(A)
    site.write("microscope/run 2/c.csv")
    site.harvest()
    assert site.look_at_some(2) == ScanOutcome.PARTIAL
    assert site.reasons(A) == {Reason.NOT_SEEN_SINCE}
    site.laboratory.unreachable = SourceUnreachable("no answer")
    with pytest.raises(SourceUnreachable):
        site.look()
    assert site.reasons(A) == {Reason.NOT_SEEN_SINCE}


def test_a_look_that_went_on_from_another_vouches_only_since_that_one_began(site: Any) -> None:
    for folder in "abc":
        site.write(f"microscope/{folder}/1.csv")
    scan_until_quiet(site.facility, site.instrument)
    assert site.look_at_some(3) == ScanOutcome.PARTIAL
    site.copy_what_has_settled()
    assert site.look_at_some(9) == ScanOutcome.COMPLETE
    assert site.reasons() == {Reason.NOT_SEEN_SINCE}
    assert site.look_at_some(9) == ScanOutcome.COMPLETE
    assert site.verdict() == Verdict.SAFE


def test_a_share_that_looked_wrong_since_makes_everything_doubtful(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    files, site.laboratory.files = site.laboratory.files, {}
    site.look()
    assert site.reasons(A) == {Reason.SHARE_DOUBTED}
    site.laboratory.files = files
    site.look()
    assert site.verdict(A) == Verdict.SAFE


def test_a_look_at_another_address_says_nothing(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.change(site.instrument, cifs_host="another-host")
    assert site.reasons(A) == {Reason.OTHER_ADDRESS}


def test_a_folder_that_could_not_be_listed_hides_what_is_in_it_and_makes_those_above_unsafe(site: Any) -> None:
    site.write(A)
    site.write("microscope/run 2/c.csv")
    site.archive_everything()
    site.laboratory.listing_faults["microscope/run 2"] = ShareDenied("not for you")
    site.look()
    assert site.verdict("microscope/run 1") == Verdict.SAFE
    assert site.reasons("microscope/run 2/c.csv") == {Reason.FOLDER_NOT_LISTED}
    certificate = site.certify()
    assert certificate.verdict == Verdict.NOT_SAFE
    assert certificate.document["folders_not_listed"] == ["microscope/run 2"]


def test_a_folder_is_not_safe_while_one_without_files_in_it_can_not_be_listed(site: Any) -> None:
    site.write(A)
    site.laboratory.folders.add("microscope/run 1/new")
    site.laboratory.listing_faults["microscope/run 1/new"] = ShareDenied("not for you")
    site.archive_everything()
    assert site.verdict(A) == Verdict.SAFE
    certificate = site.certify("microscope/run 1")
    assert certificate.verdict == Verdict.NOT_SAFE
    assert "could not be listed" in certificate.document["statement"]


def test_where_it_is_not_known_which_folders_were_hidden_each_may_be(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    with site.facility.sessions.begin() as session:
        session.execute(update(Scan).values(unreadable_folders=1))
    assert site.reasons(A) == {Reason.FOLDER_NOT_LISTED}


def test_nothing_is_said_of_where_nothing_was_ever_seen(site: Any) -> None:
    for path in (None, "microscope/run 9", "run 1"):
        with pytest.raises(NothingKnown):
            site.certify(path)
    site.write(A)
    site.archive_everything()
    with pytest.raises(NothingKnown):
        site.certify("microscope/run")


def test_a_file_that_is_gone_is_not_called_safe_to_delete(site: Any) -> None:
    site.write(A)
    site.write(B)
    site.archive_everything()
    site.laboratory.remove(A)
    site.look()
    assert site.verdict(A) == Verdict.GONE
    certificate = site.certify("microscope/run 1")
    assert certificate.verdict == Verdict.SAFE
    assert certificate.document["files"] | {"safe_bytes": 0} == {
        "known": 2,
        "safe": 1,
        "not_safe": 0,
        "gone": 1,
        "safe_bytes": 0,
        "gone_before_archived": 0,
    }


def test_a_file_that_came_back_must_be_seen_by_a_complete_look_first(site: Any) -> None:
    site.write(A)
    site.write(B)
    site.archive_everything()
    file = site.laboratory.files.pop(A)
    site.look()
    site.laboratory.files[A] = file
    assert site.look_at_some(2) == ScanOutcome.PARTIAL
    assert site.reasons(A) == {Reason.NOT_SEEN_SINCE}
    site.look()
    assert site.verdict(A) == Verdict.SAFE


def test_one_file_that_must_stay_keeps_its_folders_and_no_others(site: Any) -> None:
    site.write(A)
    site.write("microscope/run 10/c.csv")
    site.archive_everything()
    site.write("microscope/run 10/deep/down/new.csv")
    site.look()
    assert site.verdict("microscope/run 1") == Verdict.SAFE
    for path in (None, "microscope", "microscope/run 10", "microscope/run 10/deep"):
        assert site.reasons(path) == {Reason.NOT_FINISHED}
    assert site.verdict("microscope/run 10/c.csv") == Verdict.SAFE


def test_a_reason_counts_all_files_and_names_the_first(site: Any) -> None:
    for number in range(25):
        site.write(f"microscope/run 1/{number:02}.csv")
    site.look()
    [reason, *_] = site.certify("microscope/run 1").document["reasons"]
    assert (reason["reason"], reason["files"], len(reason["first"])) == (Reason.NOT_FINISHED, 25, 20)
    assert reason["first"][0]["path"] == "microscope/run 1/00.csv"


def test_long_paths_and_names_that_look_like_patterns_are_taken_as_they_are(site: Any) -> None:
    long = "/".join(["microscope", *["x" * 200] * 3])
    for path in (f"{long}/a.csv", f"{long}0/b.csv", "microscope/100%/c.csv", "microscope/100_/d.csv"):
        site.write(path)
    site.archive_everything()
    counts = {path: site.certify(path).document["files"]["known"] for path in (long, "microscope/100%")}
    assert counts == {long: 1, "microscope/100%": 1}


@pytest.mark.parametrize("state", ["overdue", "settled", "pending", "failed", "vanished", "unreadable"])
def test_no_other_state_is_ever_safe(site: Any, state: str) -> None:
    site.write(A)
    site.archive_everything()
    with site.facility.sessions.begin() as session:
        session.execute(update(FileVersion).values(state=state))
    assert site.verdict(A) == Verdict.NOT_SAFE


def test_what_was_enriched_badly_is_mentioned_and_safe(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    with site.facility.sessions.begin() as session:
        session.execute(update(FileVersion).values(enrichment_error="no such key", clock_skew_seconds=3600))
    certificate = site.certify(A)
    assert certificate.verdict == Verdict.SAFE
    assert len(certificate.document["file"]["notes"]) == 2


def test_every_certificate_stays_on_record_and_nobody_can_change_it(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    certificate = site.certify("microscope/run 1")
    with site.facility.sessions() as session:
        kept = session.scalars(select(IssuedCertificate)).one()
    assert (kept.sha256, kept.verdict, kept.files, kept.files_safe) == (certificate.sha256, "safe", 1, 1)
    assert (str(kept.id), kept.path) == (certificate.document["id"], "microscope/run 1")
    for change in (update(IssuedCertificate).values(verdict="gone"), delete(IssuedCertificate)):
        with pytest.raises(ProgrammingError, match="append-only"), site.facility.sessions.begin() as session:
            session.execute(change)


def test_the_manifest_is_bound_to_the_certificate(site: Any) -> None:
    site.write(A)
    site.write(B)
    site.archive_everything()
    manifest = io.BytesIO()
    certificate = site.certify("microscope/run 1", manifest=manifest)
    assert certificate.document["manifest_sha256"] == hashlib.sha256(manifest.getvalue()).hexdigest()
    assert [json.loads(line)["path"] for line in manifest.getvalue().splitlines()] == [A, B]


def test_re_reading_finds_content_that_changed_behind_its_size_and_time(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    assert site.certify(A, reread=True).verdict == Verdict.SAFE
    mtime = site.laboratory.files[A].mtime
    site.laboratory.write(A, b"X" * len(site.laboratory.files[A].content), mtime)
    site.look()
    assert site.verdict(A) == Verdict.SAFE
    assert site.reasons(A, reread=True) == {Reason.SOURCE_DIFFERS}


def test_re_reading_puts_damage_on_record(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.rot("first", COPY_OF_A.format(folder=site.instrument.archive_folder))
    certificate = site.certify(A, reread=True)
    [reason] = certificate.document["reasons"]
    assert reason["reason"] == Reason.COPY_DAMAGED
    assert "archived were 23 bytes" in reason["first"][0]["detail"]
    assert certificate.document["file"]["chain"][-2]["event"] == "reread"
    [transfer] = site.transfers(A)
    assert (transfer.status, transfer.last_verified_at) == ("damaged", site.clock.time)
    assert transfer.damage == reason["first"][0]["detail"].partition(": ")[2]
    with site.facility.sessions() as session:
        check, sweep = session.scalars(select(FixityCheck)).one(), session.scalars(select(FixitySweep)).one()
    assert (check.sweep_id, check.transfer_id, check.outcome) == (sweep.id, transfer.id, "damaged")
    assert (sweep.files, sweep.damaged, sweep.finished_at) == (1, 1, site.clock.time)
    assert site.reasons(A) == {Reason.COPY_DAMAGED}


def test_too_much_damage_found_by_re_reading_holds_the_location(site: Any) -> None:
    paths = [f"microscope/{number}.csv" for number in range(8)]
    for path in paths:
        site.write(path)
    site.archive_everything()
    for path in paths[:6]:
        site.rot("first", f"{site.instrument.archive_folder}/{path}")
    manifest = io.BytesIO()
    certificate = site.certify(reread=True, manifest=manifest)
    assert certificate.document["files"]["safe"] == 0
    lines = manifest.getvalue().splitlines()
    reasons = [{each["reason"] for each in json.loads(line)["reasons"]} for line in lines]
    assert (
        reasons
        == [{Reason.COPY_DAMAGED}] * 5 + [{Reason.COPY_DAMAGED, Reason.LOCATION_HELD}] + [{Reason.LOCATION_HELD}] * 2
    )
    assert {site.transfers(path)[0].status for path in paths} == {"completed"}
    assert site.reasons(paths[7]) == {Reason.LOCATION_HELD}
    with site.facility.sessions.begin() as session:
        session.execute(update(FixityHold).values(released_at=site.clock.time))
    assert site.verdict(paths[7]) == Verdict.SAFE
    assert site.reasons(paths[0]) == {Reason.COPY_DAMAGED}


def test_an_archive_that_is_not_there_damages_nothing_when_re_read(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.unmount("first")
    assert site.reasons(A, reread=True) == {Reason.LOCATION_NOT_THERE}
    [transfer] = site.transfers(A)
    assert (transfer.damage, transfer.status) == (None, "completed")


def test_the_source_is_re_read_within_its_hours_only_and_not_asked_again_when_lost(site: Any) -> None:
    site.write(A)
    site.write(B)
    site.archive_everything()
    site.laboratory.unreachable = SourceUnreachable("no answer")
    assert site.reasons(reread=True) == {Reason.SOURCE_NOT_REREAD}
    site.laboratory.unreachable = None
    site.change(site.instrument, transfer_config={"hours": ["19:00-07:00"]})
    certificate = site.certify(A, reread=True)
    [reason] = certificate.document["reasons"]
    assert "outside the instrument's hours" in reason["first"][0]["detail"]


def test_a_batch_costs_the_same_few_statements_however_many_files_it_holds(site: Any, engine: Engine) -> None:
    statements: list[str] = []
    for number in range(7):
        site.write(f"microscope/{number}.csv")
    site.archive_everything()
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    batches = list(evidence_batches(site.facility.sessions, Scope(site.instrument.id), size=3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert len(statements) == 6 * len(batches)


def test_without_a_key_certificates_are_not_signed(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    certificate = Issuer(site.facility.sessions, site.facility.open_marked, None, site.facility.now).issue(
        site.instrument, issued_to="test"
    )
    assert certificate.signature is None


def test_an_old_enough_moment_is_told_apart_from_a_recent_one(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.clock.time -= timedelta(days=2)
    assert site.reasons(A) == {Reason.LOOK_TOO_OLD, Reason.NOT_REREAD}
