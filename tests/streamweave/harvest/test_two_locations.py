"""Versions on their way into two storage locations, of which one may fail, come later, or be disabled."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import FileVersion, StorageLocation, VersionState
from streamweave.errors import (
    ContentDiffers,
    DestinationOccupied,
    FileChanged,
    FileVanished,
    StorageRefused,
    StorageUnavailable,
    StreamWeaveError,
)
from streamweave.harvest.claims import Claim, claim_transfers
from streamweave.harvest.commit import catalogue, commit_batch, publish
from streamweave.harvest.copy_verify import Copied, Failed, copy_proven, digest_of
from streamweave.harvest.plan import days_with_work, filter_files, policy_for
from streamweave.harvest.run import scan_until_quiet
from streamweave.harvest.scan import discover
from streamweave.harvest.version_state import Archived, Unchanged
from streamweave.journal.entries import Reader
from streamweave.journal.keeping import keep_journals
from streamweave.storage.posix import PosixStorage

PATH = "microscope/a.csv"
ARCHIVED_PATH = "Microscope 01/microscope/a.csv"


@pytest.fixture
def second(bench: Any, tmp_path: Path) -> StorageLocation:
    """A second storage location that the instrument's schedules name."""
    location: StorageLocation = bench.add_location("second", tmp_path / "second")
    return location


def plan(bench: Any) -> None:
    scan_until_quiet(bench.facility, bench.instrument)
    filter_files(bench.facility, bench.instrument)


def claims(bench: Any, run_id: Any, second: StorageLocation) -> tuple[Claim, Claim]:
    """The claims on the first and on the second storage location."""
    into = [bench.location.id, second.id]
    taken = claim_transfers(bench.facility, bench.instrument, run_id, into=into, limit=9)
    by_location = {claim.storage_location_id: claim for claim in taken}
    return by_location[bench.location.id], by_location[second.id]


def test_a_version_that_failed_for_one_location_is_not_called_archived_by_the_other(
    bench: Any, second: StorageLocation
) -> None:
    bench.write(PATH)
    plan(bench)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        of_first, of_second = claims(bench, run_id, second)
        failed = [
            Failed(of_first, DestinationOccupied("every name is taken")),
            Failed(of_second, StorageUnavailable("the disk is full")),
        ]
        catalogue(bench.facility, bench.instrument, run_id, failed)
    bench.harvest()
    bench.clock.wait(7200)
    bench.harvest()

    assert bench.archived(Path(second.base_path)) == {ARCHIVED_PATH: b"time,value\n0,1.0\n1,2.0\n"}
    assert bench.version(PATH).state == VersionState.FAILED


def test_a_touched_file_still_reaches_the_location_that_lacks_its_content(bench: Any, second: StorageLocation) -> None:
    place = Path(second.base_path)
    unmounted = place.rename(place.with_name("unmounted"))
    bench.write(PATH)
    bench.harvest()
    unmounted.rename(place)
    bench.clock.wait(7200)
    bench.write(PATH)
    bench.harvest()

    assert list(bench.archived(place)) == list(bench.archived()) == [ARCHIVED_PATH]
    assert bench.version(PATH).state == VersionState.UNCHANGED


def test_a_touched_file_reaches_a_location_that_is_scheduled_later(bench: Any, tmp_path: Path) -> None:
    for _ in range(2):
        bench.write(PATH)
        bench.harvest()
        bench.clock.wait(7200)
    bench.add_location("later", tmp_path / "later")
    bench.harvest()

    assert list(bench.archived(tmp_path / "later")) == [ARCHIVED_PATH]
    assert bench.version(PATH).state == VersionState.UNCHANGED


def test_a_touched_file_with_a_failing_location_breaks_no_batch(bench: Any, second: StorageLocation) -> None:
    bench.write(PATH)
    bench.harvest()
    bench.clock.wait(7200)
    bench.write(PATH)
    plan(bench)
    digest = digest_of([b"time,value\n0,1.0\n1,2.0\n"])
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        of_first, of_second = claims(bench, run_id, second)
        results = [Unchanged(of_first, digest), Failed(of_second, StorageUnavailable("the disk is full"))]
        catalogue(bench.facility, bench.instrument, run_id, results)
    assert bench.version(PATH).state == VersionState.PENDING

    bench.clock.wait(7200)
    bench.harvest()

    assert bench.version(PATH).state == VersionState.UNCHANGED


def test_a_change_while_one_location_is_being_copied_to_becomes_a_version_of_its_own(
    bench: Any, second: StorageLocation
) -> None:
    bench.write(PATH, b"old")
    plan(bench)
    storage = bench.facility.open_marked(second, to_write=True)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        of_first, of_second = claims(bench, run_id, second)
        digest = copy_proven(bench.laboratory.source(), storage, of_second)
        bench.clock.wait(30)
        bench.write(PATH, b"new and longer")
        changed = Failed(of_first, FileChanged("it grew"))
        catalogue(bench.facility, bench.instrument, run_id, [changed])
        discover(bench.facility, bench.instrument)
        name = of_second.staged_name
        published = publish(storage, {name: of_second.destination_path}, {name: digest})
        assert published == {name: of_second.destination_path}
        done = Archived(of_second, digest, of_second.version_id, of_second.destination_path, "")
        catalogue(bench.facility, bench.instrument, run_id, [done])
    for _ in range(2):
        bench.clock.wait(7200)
        bench.harvest()

    assert b"new and longer" in bench.archived().values()
    assert sorted(bench.archived(Path(second.base_path)).values()) == [b"new and longer", b"old"]
    assert bench.version(PATH).state == VersionState.ARCHIVED


def test_two_locations_never_hold_two_contents_of_one_version(
    bench: Any, second: StorageLocation, tmp_path: Path
) -> None:
    """The content is swapped between the two copies, and neither size nor mtime shows it."""
    bench.write(PATH, b"one")
    plan(bench)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        first_claim, second_claim = claims(bench, run_id, second)
        places = (bench.location, second)
        storages = {location.id: bench.facility.open_marked(location, to_write=True) for location in places}
        copied = []
        for claim, content in ((first_claim, b"one"), (second_claim, b"two")):
            storage = storages[claim.storage_location_id]
            storage.stage_whole({claim.staged_name: content})
            copied.append(Copied(claim, digest_of([content])))
        with bench.facility.sessions() as session:
            journals = keep_journals(session, bench.instrument, run_id)
        arrived = commit_batch(bench.facility, bench.instrument, run_id, copied, storages, journals)
    assert {type(result) for result in arrived.results} == {Archived, Failed}
    assert (list(bench.archived().values()), bench.archived(tmp_path / "second")) == ([b"one"], {})
    assert bench.staged(tmp_path / "second") == []
    assert "another content" in bench.version(PATH).reason


def test_a_file_that_is_gone_before_every_location_has_it_is_not_called_unarchived(bench: Any, tmp_path: Path) -> None:
    bench.write(PATH)
    bench.write("microscope/b.csv")
    bench.harvest()
    bench.add_location("later", tmp_path / "later")
    filter_files(bench.facility, bench.instrument)
    bench.laboratory.remove(PATH)
    bench.clock.wait(60)
    bench.harvest()

    assert bench.version(PATH).state == VersionState.ARCHIVED
    assert bench.version(PATH).reason == "gone from the source before every storage location had it"


def days(bench: Any) -> list[Any]:
    with bench.facility.sessions() as session:
        policy = policy_for(session, bench.instrument, bench.facility.reach)
        return days_with_work(session, bench.instrument, policy, bench.facility.now())


def test_what_can_not_be_decided_now_is_no_work_for_now(bench: Any) -> None:
    bench.add_hook("file_filter", "pre_transfer", redirect_rules=[{"pattern": "*", "destination": "nowhere"}])
    bench.write(PATH)
    bench.harvest()
    assert days(bench) == []
    bench.clock.wait(60)
    assert len(days(bench)) == 1


def test_a_version_that_waits_for_a_disabled_location_is_decided_anew(bench: Any) -> None:
    bench.write(PATH)
    plan(bench)
    bench.change(bench.location, enabled=False)
    bench.harvest()

    assert bench.version(PATH).state == VersionState.SETTLED
    assert bench.version(PATH).reason == (
        "the storage location archive is disabled, and no enabled schedule names another one for this instrument"
    )
    assert days(bench) == []


def test_a_version_that_waits_for_a_deleted_location_says_so(bench: Any) -> None:
    bench.change(bench.location, deleted_at=bench.clock.time)
    bench.write(PATH)
    bench.harvest()
    assert bench.version(PATH).state == VersionState.SETTLED
    assert bench.version(PATH).reason.startswith("the storage location archive was deleted, and no enabled schedule")


def test_a_location_that_refuses_costs_no_file_an_attempt(bench: Any) -> None:
    bench.write(PATH)
    plan(bench)
    for _ in range(8):
        with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
            [claim] = claim_transfers(bench.facility, bench.instrument, run_id, into=[bench.location.id], limit=9)
            refused = [Failed(claim, StorageRefused("is the disk mounted?"))]
            catalogue(bench.facility, bench.instrument, run_id, refused)
        bench.clock.wait(7200)

    assert (bench.version(PATH).state, bench.version(PATH).failures) == (VersionState.PENDING, 0)
    bench.harvest()
    assert bench.version(PATH).state == VersionState.ARCHIVED


def test_a_file_that_waited_for_a_destination_is_archived_as_soon_as_there_is_one(bench: Any) -> None:
    bench.change(bench.location, enabled=False)
    bench.write(PATH)
    bench.harvest()
    assert bench.version(PATH).state == VersionState.SETTLED

    bench.change(bench.location, enabled=True)
    assert len(days(bench)) == 1
    bench.harvest()

    assert bench.version(PATH).state == VersionState.ARCHIVED


def test_a_file_that_waited_for_its_redirection_is_archived_as_soon_as_it_works(bench: Any, tmp_path: Path) -> None:
    bench.add_hook("file_filter", "pre_transfer", redirect_rules=[{"pattern": "*", "destination": "later"}])
    bench.write(PATH)
    bench.harvest()
    bench.add_location("later", tmp_path / "later", scheduled=False)
    bench.harvest()

    assert list(bench.archived(tmp_path / "later")) == [ARCHIVED_PATH]


def test_a_content_exchanged_before_a_further_location_has_it_becomes_a_version_of_its_own(
    bench: Any, tmp_path: Path
) -> None:
    """Size and mtime stay the same: only the copy shows it."""
    bench.change(bench.instrument, rehash_share=0.0)
    bench.write(PATH, b"first")
    bench.harvest()
    bench.laboratory.write(PATH, b"other", bench.laboratory.files[PATH].mtime)
    later = bench.add_location("later", tmp_path / "later")

    bench.harvest()
    new = bench.version(PATH)
    assert (new.number, new.state, new.found_by_rereading) == (2, VersionState.SETTLING, True)
    assert bench.archived(Path(later.base_path)) == {}
    bench.harvest()

    assert bench.version(PATH).state == VersionState.ARCHIVED
    both = {ARCHIVED_PATH: b"first", ARCHIVED_PATH.replace(".csv", "~v2.csv"): b"other"}
    assert bench.archived() == both
    assert bench.archived(Path(later.base_path)) == {path: both[path] for path in both if "~v2" in path}


def test_a_content_exchanged_between_two_copies_of_one_run_is_not_archived_as_the_same(
    bench: Any, second: StorageLocation
) -> None:
    bench.change(bench.instrument, rehash_share=0.0)
    bench.write(PATH, b"first")

    def exchange(path: str) -> None:
        bench.laboratory.while_reading = None
        bench.laboratory.write(PATH, b"other", bench.laboratory.files[PATH].mtime)

    bench.laboratory.while_reading = exchange
    for _ in range(3):
        bench.harvest()

    contents = [*bench.archived().values(), *bench.archived(Path(second.base_path)).values()]
    assert sorted(contents) == [b"first", b"other", b"other"]
    assert bench.staged() == bench.staged(Path(second.base_path)) == []
    with bench.facility.sessions() as session:
        versions = session.scalars(select(FileVersion).order_by(FileVersion.number)).all()
    assert [version.sha256 for version in versions] == [digest_of([b]).sha256 for b in (b"first", b"other")]


def test_two_runs_never_record_two_contents_of_one_version(bench: Any, second: StorageLocation) -> None:
    """Each run copies to one of the locations; the content is exchanged between them, as it is while both publish."""
    bench.write(PATH, b"one")
    plan(bench)
    sessions, instrument = bench.facility.sessions, bench.instrument
    one, two = digest_of([b"one"]), digest_of([b"two"])
    with harvest_run(sessions, instrument.id) as run_id, harvest_run(sessions, instrument.id) as other_run:
        [mine] = claim_transfers(bench.facility, instrument, run_id, into=[bench.location.id], limit=9)
        [others] = claim_transfers(bench.facility, instrument, other_run, into=[second.id], limit=9)
        for run, claim, digest in ((run_id, mine, one), (other_run, others, two)):
            catalogue(
                bench.facility,
                instrument,
                run,
                [Archived(claim, digest, claim.version_id, claim.destination_path, "")],
            )
    with sessions() as session:
        assert session.get_one(FileVersion, mine.version_id).sha256 == one.sha256
    assert sorted(transfer.status for transfer in bench.transfers(PATH)) == ["completed", "failed"]
    assert (bench.version(PATH).number, bench.version(PATH).state) == (2, VersionState.SETTLING)


def test_a_content_exchanged_while_another_copy_is_under_way_becomes_a_version_all_the_same(
    bench: Any, tmp_path: Path
) -> None:
    """The run that holds the other copy ends without it: the next look finds what is left to do."""
    bench.write(PATH, b"one")
    bench.harvest()
    into = [bench.add_location(name, tmp_path / name).id for name in ("second", "third")]
    filter_files(bench.facility, bench.instrument)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        claim, _ = claim_transfers(bench.facility, bench.instrument, run_id, into=into, limit=9)
        catalogue(bench.facility, bench.instrument, run_id, [Failed(claim, ContentDiffers("exchanged"))])
    bench.laboratory.write(PATH, b"two", bench.laboratory.files[PATH].mtime)
    for _ in range(2):
        bench.clock.wait(7200)
        bench.harvest()
    version = bench.version(PATH)
    assert (version.number, version.state, version.sha256) == (2, VersionState.ARCHIVED, digest_of([b"two"]).sha256)


def test_a_file_that_comes_back_still_reaches_the_location_that_lacked_it(bench: Any, tmp_path: Path) -> None:
    bench.write(PATH)
    bench.write("microscope/b.csv")
    bench.harvest()
    bench.add_location("later", tmp_path / "later")
    filter_files(bench.facility, bench.instrument)
    file = bench.laboratory.files[PATH]
    bench.laboratory.remove(PATH)
    bench.clock.wait(60)
    bench.harvest()
    bench.laboratory.write(PATH, file.content, file.mtime)
    bench.clock.wait(60)
    bench.harvest()

    assert ARCHIVED_PATH in bench.archived(tmp_path / "later")
    assert bench.version(PATH).state == VersionState.ARCHIVED


def test_a_file_that_was_away_for_a_moment_still_reaches_the_location_that_lacked_it(
    bench: Any, tmp_path: Path
) -> None:
    """It was missed by the copy alone: the looks have always seen it."""
    bench.write(PATH)
    bench.harvest()
    later = bench.add_location("later", tmp_path / "later")
    filter_files(bench.facility, bench.instrument)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        [claim] = claim_transfers(bench.facility, bench.instrument, run_id, into=[later.id], limit=9)
        catalogue(bench.facility, bench.instrument, run_id, [Failed(claim, FileVanished("its folder was renamed"))])
    assert bench.version(PATH).state == VersionState.ARCHIVED
    bench.harvest()

    assert ARCHIVED_PATH in bench.archived(tmp_path / "later")
    assert bench.version(PATH).reason == ""


@pytest.mark.parametrize("failure", [FileVanished("it is gone"), StorageUnavailable("the disk is full")], ids=type)
def test_a_file_that_is_gone_before_every_location_has_it_was_archived_at_some_time(
    bench: Any, second: StorageLocation, failure: StreamWeaveError
) -> None:
    bench.write(PATH)
    bench.write("microscope/b.csv")
    plan(bench)
    content = bench.laboratory.files[PATH].content
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        taken = claim_transfers(bench.facility, bench.instrument, run_id, into=[bench.location.id, second.id], limit=9)
        of_first, of_second = (claim for claim in taken if claim.source_path == PATH)
        done = Archived(of_first, digest_of([content]), of_first.version_id, of_first.destination_path, "")
        catalogue(bench.facility, bench.instrument, run_id, [done])
        catalogue(bench.facility, bench.instrument, run_id, [Failed(of_second, failure)])
    bench.laboratory.remove(PATH)
    bench.clock.wait(60)
    discover(bench.facility, bench.instrument)

    assert bench.version(PATH).state == VersionState.ARCHIVED
    assert bench.version(PATH).archived_at is not None


def test_the_journal_says_when_a_copy_existed_however_long_publishing_took(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable_at = []

    def slow(storage: PosixStorage, paths: Any) -> None:
        bench.clock.wait(600)
        really_durable(storage, paths)
        durable_at.append(bench.clock.now())

    really_durable = PosixStorage.make_durable
    monkeypatch.setattr(PosixStorage, "make_durable", slow)
    bench.write(PATH)
    bench.harvest()
    [journal] = (bench.archive / ".streamweave" / "journal").rglob("*.jsonl")
    noted = [entry.archived_at for entry in Reader().entries([journal.read_bytes()])]
    assert len(noted) == 1
    assert noted >= durable_at[:1]
