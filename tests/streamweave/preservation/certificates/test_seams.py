"""What the rest of a facility's life does to safety: damage and its repair, rehashes, growing files, clean-ups."""

from typing import Any

import pytest

from streamweave.catalog.tables import GrowingFiles
from streamweave.harvest.share_guard import acknowledge_cleanup
from streamweave.preservation import damage
from streamweave.preservation.certificates.judgement import Reason, Verdict
from streamweave.preservation.repair import repair_copies

A = "microscope/run 1/a.csv"
B = "microscope/run 1/b.csv"


def copy_of(site: Any, path: str) -> str:
    return f"{site.instrument.archive_folder}/{path}"


def test_a_damaged_copy_takes_the_safety_away_and_its_repair_gives_it_back(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.rot("first", copy_of(site, A))
    assert site.verdict(A) == Verdict.SAFE  # as of the last re-reading
    site.sweep()
    assert site.reasons(A) == {Reason.COPY_DAMAGED}

    report = repair_copies(site.facility, site.instrument)
    assert [path for path, _ in report.repaired] == [A]
    site.look()
    assert site.certify(A, reread=True).verdict == Verdict.SAFE

    transfers = {transfer.status: transfer for transfer in site.transfers(A)}
    assert transfers.keys() == {"damaged", "completed"}
    damaged, repaired = transfers["damaged"], transfers["completed"]
    proof = ("bytes_transferred", "source_checksum", "dest_checksum", "checksum_verified")
    assert [getattr(repaired, name) for name in proof] == [getattr(damaged, name) for name in proof]
    assert repaired.checksum_verified
    chain = [link["what"] for link in site.certify(A).document["file"]["chain"]]
    assert any("damaged: 23 bytes" in what for what in chain)
    site.rot("first", repaired.destination_path)
    site.sweep()
    assert site.reasons(A) == {Reason.COPY_DAMAGED}


def test_a_location_that_is_held_keeps_nothing_safe(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "ALLOWED_FILES", 0)
    site.write(A)
    site.write(B)
    site.archive_everything()
    site.rot("first", copy_of(site, A))
    site.sweep()
    assert site.reasons(B) == {Reason.LOCATION_HELD}
    assert site.reasons(A) == {Reason.LOCATION_HELD, Reason.COPY_DAMAGED}


def test_what_was_re_read_at_the_source_and_identical_says_so_in_its_chain(site: Any) -> None:
    site.write(A)
    site.archive_everything()
    site.reread_at_the_source()
    last = site.certify(A).document["file"]["chain"][-1]
    assert (last["event"], site.verdict(A)) == ("source_verified", Verdict.SAFE)
    verified_at = last["at"]
    site.laboratory.write(A, b"longer than it was, and not seen yet", site.clock.time)
    site.reread_at_the_source()
    last_two = site.certify(A).document["file"]["chain"][-2:]
    assert [link["event"] for link in last_two] == ["source_verified", "source_unclear"]
    assert last_two[0]["at"] == verified_at


def test_another_content_behind_the_same_size_and_time_must_stay_until_it_is_archived(site: Any) -> None:
    site.write(A, b"first content")
    site.archive_everything()
    site.laboratory.write(A, b"other content", site.laboratory.files[A].mtime)
    site.look()
    assert site.verdict(A) == Verdict.SAFE  # no look can see it

    assert site.reread_at_the_source().changed == [A]
    assert site.reasons(A) == {Reason.NOT_FINISHED}
    site.look()
    assert site.verdict(A) == Verdict.NOT_SAFE
    site.harvest()
    assert site.reasons(A) == {Reason.NOT_SEEN_SINCE}
    site.look()
    certificate = site.certify(A, reread=True)
    assert (certificate.verdict, certificate.document["file"]["version"]) == (Verdict.SAFE, 2)
    assert b"other content" in site.archived("first").values()


@pytest.fixture
def growing(site: Any) -> Any:
    """A site whose file was archived while it grew."""
    site.change(site.instrument, growing_files=GrowingFiles.VERSIONS, max_wait_seconds=60)
    for lines in (1, 2, 3):
        site.write(A, b"line" * lines)
        site.look_and_judge()
    site.copy_what_has_settled()
    assert list(site.archived("first").values()) == [b"line" * 3]
    return site


def test_what_was_archived_while_it_grew_must_stay(growing: Any) -> None:
    growing.look()
    certificate = growing.certify(A)
    assert {each["reason"] for each in certificate.document["reasons"]} == {Reason.UNFINISHED}
    assert "still growing" in certificate.document["reasons"][0]["first"][0]["detail"]


def test_a_touch_does_not_finish_what_was_archived_while_it_grew(growing: Any) -> None:
    growing.clock.wait(7200)
    growing.write(A, b"line" * 3)
    growing.archive_everything()
    assert growing.certify(A).document["file"]["version"] > 1
    assert growing.reasons(A) == {Reason.UNFINISHED}
    growing.clock.wait(7200)
    growing.write(A, b"line" * 4)
    growing.archive_everything()
    assert growing.verdict(A) == Verdict.SAFE


def test_what_a_person_s_clean_up_took_away_is_gone_and_not_safe(site: Any) -> None:
    kept, removed = [f"microscope/kept/{n}.csv" for n in range(3)], [f"microscope/run 1/{n}.csv" for n in range(9)]
    for path in kept + removed:
        site.write(path)
    site.archive_everything()
    for path in removed:
        site.laboratory.remove(path)
    site.look()
    assert site.reasons() == {Reason.SHARE_DOUBTED}

    with site.facility.sessions.begin() as session:
        acknowledge_cleanup(session, site.instrument.id)
    site.look()
    assert {site.verdict(path) for path in removed} == {Verdict.GONE}
    assert {site.verdict(path) for path in kept} == {Verdict.SAFE}
    counts = site.certify().document["files"]
    assert (counts["safe"], counts["gone"], counts["not_safe"]) == (3, 9, 0)
