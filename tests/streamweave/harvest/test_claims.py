"""Claims over a real catalog: each version is one run's, and free again when that run has died."""

import threading
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from streamweave.catalog.leases import LEASE_SECONDS, harvest_run
from streamweave.catalog.schema import catalog_id
from streamweave.catalog.tables import HarvestRun, StorageLocation, Transfer, TransferStatus, VersionState
from streamweave.errors import CredentialsRefused, FileChanged, FileInUse, FileVanished
from streamweave.harvest import commit
from streamweave.harvest.claims import Claim, claim_transfers, free_claims_of_dead_runs, give_back
from streamweave.harvest.commit import catalogue
from streamweave.harvest.copy_verify import Digest, Failed
from streamweave.harvest.plan import filter_files
from streamweave.harvest.run import scan_until_quiet
from streamweave.harvest.transfer import transfer_files
from streamweave.harvest.version_state import Archived, journal_entry
from streamweave.journal.keeping import JournalKeeper, keep_journals, positions_of
from streamweave.journal.readoption import readopt_everywhere
from streamweave.storage.marks import Mark
from streamweave.storage.posix import PosixStorage


@pytest.fixture
def planned(bench: Any) -> Any:
    """A bench with twelve files that wait for their transfer."""
    for number in range(12):
        bench.write(f"microscope/{number:02}.csv", b"%d" % number)
    scan_until_quiet(bench.facility, bench.instrument)
    filter_files(bench.facility, bench.instrument)
    return bench


def locations(bench: Any) -> list[Any]:
    with bench.facility.sessions() as session:
        return list(session.scalars(select(StorageLocation.id)))


def die(bench: Any, run_id: Any) -> None:
    """As if the run's process had been killed: no end on record, no heartbeat any more."""
    with bench.facility.sessions.begin() as session:
        long_ago = func.now() - timedelta(seconds=LEASE_SECONDS + 1)
        session.execute(
            update(HarvestRun).where(HarvestRun.id == run_id).values(finished_at=None, heartbeat_at=long_ago)
        )


def test_two_runs_never_hold_the_same_claim(planned: Any) -> None:
    claimed: list[set[Any]] = []

    def claim() -> None:
        with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
            claims = claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=8)
            claimed.append({claim.transfer_id for claim in claims})

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(map(len, claimed)) == len(set.union(*claimed)) == 12


def test_two_harvests_at_once_archive_everything_once(planned: Any) -> None:
    def work() -> None:
        with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
            transfer_files(planned.facility, planned.instrument, run_id)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(planned.states().values()) == {VersionState.ARCHIVED}
    assert len(planned.archived()) == 12
    with planned.facility.sessions() as session:
        assert set(session.scalars(select(Transfer.status))) == {TransferStatus.COMPLETED}
        assert session.scalar(select(func.count()).select_from(Transfer)) == 12


def test_a_harvest_ends_only_when_no_other_run_holds_a_claim(planned: Any) -> None:
    with harvest_run(planned.facility.sessions, planned.instrument.id) as other:
        claim_transfers(planned.facility, planned.instrument, other, into=locations(planned), limit=8)
        planned.clock.while_waiting.append(lambda: die(planned, other))
        planned.harvest()

    assert set(planned.states().values()) == {VersionState.ARCHIVED}


def test_a_run_that_waits_for_others_puts_a_location_to_the_test_once(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = PosixStorage.prepare
    prepared: list[PosixStorage] = []

    def count(storage: PosixStorage, mark: Mark, *, is_new: bool = False) -> None:
        prepared.append(storage)
        prepare(storage, mark, is_new=is_new)

    monkeypatch.setattr(PosixStorage, "prepare", count)
    with harvest_run(planned.facility.sessions, planned.instrument.id) as other:
        claim_transfers(planned.facility, planned.instrument, other, into=locations(planned), limit=8)
        planned.clock.while_waiting.append(lambda: die(planned, other))
        with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
            transfer_files(planned.facility, planned.instrument, run_id)

    assert set(planned.states().values()) == {VersionState.ARCHIVED}
    assert len(prepared) == 1


def test_the_claims_of_a_living_run_are_not_freed(planned: Any) -> None:
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=8)
        assert free_claims_of_dead_runs(planned.facility, planned.instrument) == 0


def test_a_dead_runs_claims_and_staged_files_are_taken_up_by_the_next(planned: Any) -> None:
    with harvest_run(planned.facility.sessions, planned.instrument.id) as dead:
        [claim, *_] = claim_transfers(planned.facility, planned.instrument, dead, into=locations(planned), limit=8)
    die(planned, dead)
    storage = planned.facility.open_marked(planned.location, to_write=True)
    with storage.stage(claim.staged_name) as staged:
        staged.write(b"half a co")

    planned.harvest()

    assert set(planned.states().values()) == {VersionState.ARCHIVED}
    assert planned.staged() == []
    assert sorted(planned.archived().values()) == sorted(b"%d" % number for number in range(12))


def test_a_run_that_died_between_publishing_and_cataloguing_is_completed_without_a_second_copy(planned: Any) -> None:
    published = planned.archive / "Microscope 01/microscope/00.csv"
    published.parent.mkdir(parents=True)
    published.write_bytes(b"0")

    planned.harvest()

    assert planned.states()["microscope/00.csv"] == VersionState.ARCHIVED
    assert len(planned.archived()) == 12
    assert planned.staged() == []


def test_a_run_that_was_taken_for_dead_writes_nothing_over_its_successors_work(planned: Any) -> None:
    def outlive(outcomes: Any) -> None:
        nonlocal stolen
        if not stolen:
            stolen = True
            die(planned, first)
            planned.harvest()

    stolen = False
    planned.change(planned.instrument, transfer_config={"connections": 1})
    with harvest_run(planned.facility.sessions, planned.instrument.id) as first:
        transfer_files(planned.facility, planned.instrument, first, on_outcomes=outlive)

    assert set(planned.states().values()) == {VersionState.ARCHIVED}
    assert len(planned.archived()) == 12
    for number in range(12):
        [transfer] = planned.transfers(f"microscope/{number:02}.csv")
        assert transfer.status == TransferStatus.COMPLETED


def test_a_claim_that_was_lost_and_taken_anew_stages_under_another_name(planned: Any) -> None:
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        first = claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=12)
        die(planned, run_id)
        assert free_claims_of_dead_runs(planned.facility, planned.instrument) == 12
        again = claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=12)

    assert {claim.transfer_id for claim in first} == {claim.transfer_id for claim in again}
    assert not {claim.staged_name for claim in first} & {claim.staged_name for claim in again}


def test_only_the_claim_that_is_held_now_is_catalogued(planned: Any) -> None:
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        [lost] = claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=1)
        die(planned, run_id)
        free_claims_of_dead_runs(planned.facility, planned.instrument)
        claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=12)
        failed = Failed(lost, FileInUse("locked"))
        assert catalogue(planned.facility, planned.instrument, run_id, [failed]) == []


def test_of_a_claim_that_was_lost_and_its_heir_in_one_batch_the_heir_is_catalogued(planned: Any) -> None:
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        [lost] = claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=1)
        die(planned, run_id)
        free_claims_of_dead_runs(planned.facility, planned.instrument)
        [heir] = claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=1)
        assert heir.transfer_id == lost.transfer_id
        results = [Failed(lost, FileInUse("locked")), Failed(heir, FileVanished("gone"))]
        [outcome] = catalogue(planned.facility, planned.instrument, run_id, results)
    assert outcome.state == VersionState.VANISHED
    assert planned.version(heir.source_path).state == VersionState.VANISHED


def test_a_zombie_gives_back_only_what_is_still_its_own(planned: Any) -> None:
    sessions, instrument = planned.facility.sessions, planned.instrument
    with harvest_run(sessions, instrument.id) as zombie, harvest_run(sessions, instrument.id) as heir:
        lost = claim_transfers(planned.facility, instrument, zombie, into=locations(planned), limit=12)
        die(planned, zombie)
        free_claims_of_dead_runs(planned.facility, instrument)
        claim_transfers(planned.facility, instrument, heir, into=locations(planned), limit=12)
        give_back(planned.facility, lost)
        with sessions() as session:
            assert set(session.scalars(select(Transfer.status))) == {TransferStatus.IN_PROGRESS}


def test_a_change_after_a_death_between_publishing_and_cataloguing_gets_a_name_of_its_own(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_before_cataloguing(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(commit, "catalogue", die_before_cataloguing)
        with (
            pytest.raises(RuntimeError, match="killed"),
            harvest_run(planned.facility.sessions, planned.instrument.id) as run_id,
        ):
            transfer_files(planned.facility, planned.instrument, run_id)
    free_claims_of_dead_runs(planned.facility, planned.instrument)
    planned.clock.wait(60)
    published = planned.archived()
    name = sorted(published)[0].removeprefix("Microscope 01/")
    planned.write(name, b"other content")
    planned.harvest()

    assert planned.states()[name] == VersionState.ARCHIVED
    assert b"other content" in planned.archived().values()
    assert published.items() <= planned.archived().items()


def test_a_file_that_changed_after_its_run_had_died_is_harvested_by_the_next_run(planned: Any) -> None:
    """The dead run's claim must not hide the change: what is claimed is left alone by the look."""
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=12)
    die(planned, run_id)
    planned.write("microscope/00.csv", b"written anew")
    planned.harvest()
    assert set(planned.states().values()) == {VersionState.ARCHIVED}
    assert b"written anew" in planned.archived().values()


@pytest.fixture
def perhaps_published(planned: Any) -> Any:
    """A run has died after it had published a file, and its claims are free again."""
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        claim_transfers(planned.facility, planned.instrument, run_id, into=locations(planned), limit=12)
    published = planned.archive / "Microscope 01/microscope/00.csv"
    published.parent.mkdir(parents=True)
    published.write_bytes(b"0")
    die(planned, run_id)
    free_claims_of_dead_runs(planned.facility, planned.instrument)
    return planned


def second_version(bench: Any) -> bytes:
    """The archived second version of the file that the dead run published: it is changed and harvested here."""
    bench.clock.wait(60)
    bench.write("microscope/00.csv", b"written anew")
    bench.harvest()
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    content: bytes = bench.archived()["Microscope 01/microscope/00~v2.csv"]
    return content


def test_what_a_dead_run_published_is_in_nobodys_way_when_its_transfer_was_withdrawn(perhaps_published: Any) -> None:
    perhaps_published.add_hook("file_filter", "pre_transfer", exclude_patterns=["*.tmp"])
    filter_files(perhaps_published.facility, perhaps_published.instrument)
    assert second_version(perhaps_published) == b"written anew"


def test_what_a_dead_run_published_is_in_nobodys_way_when_its_transfer_was_given_back(perhaps_published: Any) -> None:
    bench = perhaps_published
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        claims = claim_transfers(bench.facility, bench.instrument, run_id, into=locations(bench), limit=12)
        give_back(bench.facility, claims)
    assert second_version(bench) == b"written anew"


def test_refused_credentials_are_not_tried_again_and_again(planned: Any) -> None:
    logins = []

    class Refusing:
        def read_whole(self, files: Any) -> Any:
            logins.append(next(iter(files)))
            raise CredentialsRefused("wrong user name or password")

        def close(self) -> None: ...

    refusing = planned.with_facility(open_source=lambda instrument: Refusing())
    with harvest_run(planned.facility.sessions, planned.instrument.id) as run_id:
        report = transfer_files(refusing.facility, planned.instrument, run_id)

    assert len(logins) <= 4, "one for each connection"
    assert [str(trouble) for trouble in report.troubles] == ["wrong user name or password"]
    assert set(planned.states().values()) == {VersionState.PENDING}


def test_what_a_dead_run_published_is_in_nobodys_way_when_the_next_copy_sees_a_change(perhaps_published: Any) -> None:
    bench = perhaps_published
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        claims = claim_transfers(bench.facility, bench.instrument, run_id, into=locations(bench), limit=12)
        failed = [Failed(claim, FileChanged("it changed while it was copied")) for claim in claims]
        catalogue(bench.facility, bench.instrument, run_id, failed)
    assert second_version(bench) == b"written anew"


def test_what_a_stalled_run_noted_and_could_not_catalogue_is_taken_in_later(
    planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stalls between journal and catalogue for longer than its lease, and another run frees its claims."""
    really_catalogue, kept = commit.catalogue, list[JournalKeeper]()

    def stalls_before(facility: Any, instrument: Any, run_id: Any, results: Any, journals: JournalKeeper) -> Any:
        kept.append(journals)
        die(planned, run_id)
        free_claims_of_dead_runs(facility, instrument)
        assert really_catalogue(facility, instrument, run_id, results, journals) == []
        raise RuntimeError("killed")

    monkeypatch.setattr(commit, "catalogue", stalls_before)
    with (
        pytest.raises(RuntimeError, match="killed"),
        harvest_run(planned.facility.sessions, planned.instrument.id) as run_id,
    ):
        transfer_files(planned.facility, planned.instrument, run_id)
    assert [journals.positions for journals in kept] == [[]]
    die(planned, run_id)
    readopt_everywhere(planned.facility)
    taken_in = [path for path, state in planned.states().items() if state == VersionState.ARCHIVED]
    assert len(taken_in) == len(planned.archived()) > 0


def test_a_run_that_lost_a_batch_goes_on_in_another_journal(planned: Any) -> None:
    sessions, instrument = planned.facility.sessions, planned.instrument
    storage = planned.facility.open_marked(planned.location, to_write=True)
    with harvest_run(sessions, instrument.id) as run_id:
        claims = claim_transfers(planned.facility, instrument, run_id, into=locations(planned), limit=2)
        with sessions() as session:
            journals = keep_journals(session, instrument, run_id)
        for claim, is_lost in zip(claims, (True, False), strict=True):
            result = archived_by(claim)
            journals.note(storage, planned.location.id, [journal_entry(result, instrument.id, planned.clock.now())])
            mine = [result] if not is_lost else [replace(result, claim=replace(claim, claim_id=uuid.uuid4()))]
            assert len(catalogue(planned.facility, instrument, run_id, mine, journals)) == (not is_lost)
    with sessions() as session:
        known = positions_of(session, planned.location.id)
        sizes = storage.journal(catalog_id(session)).sizes()
    assert len(sizes) == 2
    [(name, reached)] = known.items()
    assert reached == sizes[name]


def archived_by(claim: Claim) -> Archived:
    digest = Digest("0" * 16, "0" * 64, claim.size_bytes)
    return Archived(claim, digest, claim.version_id, claim.destination_path, claim.destination_path)
