"""No certificate that lies: what is not at its place in the archive now is never called safe, whatever is on record."""

import io
import json
import os
import shutil
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from streamweave.catalog.tables import FileRecord, IssuedCertificate, StorageLocation
from streamweave.errors import StorageRefused, StorageUnavailable
from streamweave.preservation.certificates import archive_check
from streamweave.preservation.certificates.archive_check import Archive
from streamweave.preservation.certificates.document import Signer
from streamweave.preservation.certificates.issue import REUSED_WITHIN, Issuer
from streamweave.preservation.certificates.judgement import Reason, Verdict
from streamweave.storage import marking
from streamweave.storage.base import Storage
from streamweave.storage.posix import PosixStorage

A = "microscope/run 1/a.csv"
B = "microscope/run 1/b.csv"


def copy_of(site: Any, path: str, archive: str = "first") -> Path:
    return Path(site.archives[archive].base_path) / site.instrument.archive_folder / path


@pytest.fixture
def archived(site: Any) -> Any:
    """A site with two archived files that are safe to delete."""
    site.write(A)
    site.write(B)
    site.archive_everything()
    assert site.verdict() == Verdict.SAFE
    return site


def test_copies_carry_the_time_at_which_the_instrument_wrote_the_file(archived: Any) -> None:
    large = "microscope/large.dat"
    archived.write(large, b"x" * (2 << 20))
    archived.archive_everything()
    for path in (A, large):
        written = archived.laboratory.files[path].mtime
        assert copy_of(archived, path).stat().st_mtime == written.timestamp()


def delete(copy: Path) -> None:
    copy.unlink()


def truncate(copy: Path) -> None:
    copy.chmod(0o644)
    os.truncate(copy, 22)


def put_a_folder(copy: Path) -> None:
    copy.unlink()
    copy.mkdir()


def put_a_link(copy: Path) -> None:
    elsewhere = copy.rename(copy.with_name("elsewhere"))
    copy.symlink_to(elsewhere)


def remove_the_folder(copy: Path) -> None:
    copy.parent.rename(copy.parent.with_name("another name"))


@pytest.mark.parametrize(
    ("mishap", "reason"),
    [
        (delete, Reason.COPY_MISSING),
        (put_a_folder, Reason.COPY_MISSING),
        (put_a_link, Reason.COPY_MISSING),
        (truncate, Reason.COPY_SIZE_DIFFERS),
    ],
)
def test_one_copy_that_is_not_as_archived_keeps_its_file_and_no_other(
    archived: Any, mishap: Callable[[Path], None], reason: Reason
) -> None:
    mishap(copy_of(archived, A))
    assert archived.reasons(A) == {reason}
    assert archived.verdict(B) == Verdict.SAFE
    assert archived.verdict() == Verdict.NOT_SAFE


def test_a_folder_of_the_archive_that_is_gone_keeps_all_of_its_files(archived: Any) -> None:
    remove_the_folder(copy_of(archived, A))
    certificate = archived.certify()
    assert [(each["reason"], each["files"]) for each in certificate.document["reasons"]] == [("copy_missing", 2)]


def test_a_copy_that_was_written_to_keeps_its_file_until_it_is_re_read_and_intact(archived: Any) -> None:
    archived.clock.wait(3600)
    archived.touch_copy(copy_of(archived, A))
    assert archived.reasons(A) == {Reason.COPY_MODIFIED}
    archived.sweep()
    assert archived.verdict(A) == Verdict.SAFE
    archived.clock.wait(3600)
    archived.spoil("first", f"{archived.instrument.archive_folder}/{A}", b"X" * 23)
    assert archived.reasons(A) == {Reason.COPY_MODIFIED}
    archived.sweep()
    assert archived.reasons(A) == {Reason.COPY_DAMAGED}


def test_a_copy_from_before_copies_carried_times_is_taken_as_it_was_made(archived: Any) -> None:
    [transfer] = archived.transfers(A)
    made = transfer.completed_at - timedelta(seconds=3)
    os.utime(copy_of(archived, A), (made.timestamp(), made.timestamp()))
    assert archived.verdict(A) == Verdict.SAFE


@pytest.mark.parametrize("leaves_a_mount_point", [True, False])
def test_an_archive_that_is_not_mounted_keeps_everything(archived: Any, leaves_a_mount_point: bool) -> None:
    place = Path(archived.archives["first"].base_path)
    archived.unmount("first")
    if leaves_a_mount_point:
        place.mkdir()
    assert archived.reasons() == {Reason.LOCATION_NOT_THERE}
    [location] = archived.certify().document["archive_seen"]["locations"]
    assert (location["name"], location["copies"]) == (archived.archives["first"].name, 0)
    assert str(place) in location["trouble"]


def test_of_two_archives_each_counts(archived: Any) -> None:
    archived.add_archive("second")
    archived.archive_everything()
    archived.look()
    assert archived.verdict() == Verdict.SAFE
    copy_of(archived, B, "second").unlink()
    certificate = archived.certify()
    assert certificate.document["files"]["not_safe"] == 1
    assert [each["copies"] for each in certificate.document["archive_seen"]["locations"]] == [2, 1]
    archived.unmount("first")
    assert archived.reasons(A) == {Reason.LOCATION_NOT_THERE}


def test_a_location_that_does_not_answer_or_is_another_place_says_which_and_to_admins_where(archived: Any) -> None:
    refused = StorageRefused("/data/archive has the mark of another storage location")
    for error, reason in (
        (refused, Reason.LOCATION_NOT_THERE),
        (StorageUnavailable("/data/archive: no answer"), Reason.LOCATION_UNREACHABLE),
    ):

        def fail(location: StorageLocation, error: Exception = error) -> Storage:
            raise error

        issuer = Issuer(archived.facility.sessions, fail, None, archived.facility.now)
        for in_full in (True, False):
            certificate = issuer.issue(archived.instrument, issued_to="test", in_full=in_full)
            assert {each["reason"] for each in certificate.document["reasons"]} == {reason}
            assert ("/data/archive" in json.dumps(certificate.document)) is in_full


def test_a_location_that_is_lost_while_a_certificate_is_drawn_up_counts_for_all_of_it(
    archived: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_still_there = Archive.is_still_there

    def unmounted_at_last(archive: Archive) -> bool:
        if Path(archived.archives["first"].base_path).exists():
            archived.unmount("first")
        return is_still_there(archive)

    monkeypatch.setattr(Archive, "is_still_there", unmounted_at_last)
    manifest = io.BytesIO()
    certificate = archived.certify(manifest=manifest)
    assert (certificate.verdict, certificate.document["files"]["safe"]) == (Verdict.NOT_SAFE, 0)
    lines = [json.loads(line) for line in manifest.getvalue().splitlines()]
    assert [line["verdict"] for line in lines] == ["not_safe", "not_safe"]
    assert all(line["copies"] == [] for line in lines)


def test_what_was_seen_of_each_copy_is_part_of_the_certificate(archived: Any) -> None:
    document = archived.certify(A).document
    [copy] = document["file"]["copies"]
    written = archived.laboratory.files[A].mtime
    assert (copy["size_bytes"], copy["mtime"]) == (23, f"{written:%Y-%m-%dT%H:%M:%S.%fZ}")
    assert document["archive_seen"]["began_at"] <= document["archive_seen"]["ended_at"] == document["issued_at"]


def on_record(site: Any) -> int:
    with site.facility.sessions() as session:
        return session.scalar(select(func.count()).select_from(IssuedCertificate)) or 0


def of_file(site: Any, path: str, issued_to: str = "somebody") -> Any:
    with site.facility.sessions() as session:
        file_id = session.scalars(select(FileRecord.id).where(FileRecord.source_path == path)).one()
    return site.issuer().issue(site.instrument, issued_to=issued_to, path=path, file_id=file_id)


def test_what_still_holds_is_not_certified_anew_but_asked_for_anew(archived: Any) -> None:
    before, first = on_record(archived), of_file(archived, A)
    for _ in range(3):
        archived.clock.wait(10)
        again = of_file(archived, A)
        assert (again.content, again.signature) == (first.content, first.signature)
    archived.look()  # one more look that confirms the same
    assert of_file(archived, A).sha256 == first.sha256
    assert on_record(archived) == before + 1
    copy_of(archived, A).unlink()
    missing = of_file(archived, A)
    assert missing.verdict == Verdict.NOT_SAFE
    assert of_file(archived, A).sha256 == missing.sha256
    assert on_record(archived) == before + 2


def test_a_certificate_is_issued_anew_for_others_for_another_file_after_a_while_and_with_another_key(
    archived: Any,
) -> None:
    first, before = of_file(archived, A), on_record(archived)
    others = [of_file(archived, A, "somebody else"), of_file(archived, B)]
    archived.clock.time += REUSED_WITHIN
    kept = of_file(archived, A)
    archived.clock.wait(1)
    others.append(of_file(archived, A))
    object.__setattr__(
        archived,
        "issuer",
        lambda: Issuer(
            archived.facility.sessions, archived.facility.open_marked, Signer("6f" * 32), archived.facility.now
        ),
    )
    others.append(of_file(archived, A))
    assert kept.sha256 == first.sha256
    assert len({first.sha256, *(other.sha256 for other in others)}) == 5
    assert on_record(archived) == before + 4


def test_a_folder_is_certified_anew_after_each_look_since_its_manifest_names_it(archived: Any) -> None:
    manifest = io.BytesIO()
    first = archived.certify("microscope/run 1", manifest=manifest)
    assert archived.certify("microscope/run 1").sha256 == first.sha256
    archived.look()
    later = archived.certify("microscope/run 1", manifest=manifest)
    assert later.document["as_of"] != first.document["as_of"]
    assert later.document["manifest_sha256"] != first.document["manifest_sha256"]


def test_copies_that_came_with_a_copied_disk_and_its_journals_count_once_they_were_read(archived: Any) -> None:
    first = Path(archived.archives["first"].base_path)
    shutil.copytree(first, first.with_name(first.name.replace("first", "second")))  # keeps the times, as rsync -a does
    archived.add_archive("second", adopt=True)
    archived.archive_everything()
    archived.look()
    assert archived.certify().document["archive_seen"]["locations"][1]["copies"] == 2
    assert archived.reasons() == {Reason.NOT_REREAD}

    archived.rot("second", f"{archived.instrument.archive_folder}/{A}")
    archived.sweep()
    archived.look()
    assert archived.reasons(A) == {Reason.COPY_DAMAGED}
    assert archived.verdict(B) == Verdict.SAFE
    chain = [each for each in archived.certify(B).document["file"]["chain"] if "second" in each["what"]]
    assert [each["event"] for each in chain] == ["decided", "copying", "noted", "reread"]
    name = f"second {archived.instrument.slug}"
    assert chain[1]["what"] == f"taken from the journal of {name}; its harvest run is not in this catalog"
    assert not any("None" in each["what"] for each in chain)


def test_a_location_that_never_answers_ends_no_certificate(archived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network mount does whose server is gone."""
    server_is_back, asked = threading.Event(), []

    def hang(storage: PosixStorage, paths: Any) -> Any:
        asked.append(paths)
        server_is_back.wait(30)
        raise StorageUnavailable("too late")

    with monkeypatch.context() as patch:
        patch.setattr(archive_check, "ANSWERS_WITHIN_SECONDS", 0.5)
        patch.setattr(PosixStorage, "stat_many", hang)
        for _ in range(3):
            certificate = archived.certify()
            [reason] = certificate.document["reasons"]
            assert (reason["reason"], reason["files"]) == (Reason.LOCATION_UNREACHABLE, 2)
            assert "did not answer in time" in reason["first"][0]["detail"]
    assert len(asked) <= 1  # no second question waits beside the first
    server_is_back.set()
    for late in marking._late.values():
        late.exception(30)
    assert archived.verdict() == Verdict.SAFE
