"""A damaged copy gets a successor beside it, from wherever its content still is; the evidence stays as it is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import HarvestRun, Instrument, Transfer, TransferStatus, VersionState
from streamweave.errors import SourceUnreachable
from streamweave.harvest.plan import filter_files
from streamweave.instruments.instruments import delete_instrument
from streamweave.preservation.repair import NOWHERE, claim_repair, give_up, repairs_wanted
from streamweave.storage.archive_paths import source_path_of

PATH = "microscope/a.csv"
CONTENT = b"time,value\n0,1.0\n"
DAMAGED = b"time,value\n0,1.1\n"
EVIDENCE = "Microscope 01/microscope/a.csv"
REPAIRED = "Microscope 01/microscope/a~v1r1.csv"


def test_from_the_share_and_beside_the_evidence(damaged: Any) -> None:
    report = damaged.repair()
    assert report.repaired == [(PATH, str(damaged.bench.archive / REPAIRED))]
    files = damaged.bench.archived()
    assert (files[EVIDENCE], files[REPAIRED]) == (DAMAGED, CONTENT)
    assert damaged.statuses() == ["damaged", "completed"]
    repair = damaged.last()
    assert repair.checksum_verified
    assert (repair.destination_path, repair.last_verified_at) == (REPAIRED, damaged.bench.clock.time)
    assert damaged.bench.states()[PATH] == VersionState.ARCHIVED
    assert source_path_of(REPAIRED) == (PATH, 1)
    assert damaged.bench.staged() == []


def test_a_repaired_copy_is_swept_like_any_other(damaged: Any) -> None:
    damaged.repair()
    damaged.damage(path=REPAIRED)
    damaged.sweep()
    damaged.repair()
    assert damaged.statuses() == ["damaged", "damaged", "completed"]
    assert damaged.bench.archived()["Microscope 01/microscope/a~v1r2.csv"] == CONTENT
    assert damaged.repair().repaired == []


def test_from_a_file_that_was_only_touched(damaged: Any) -> None:
    bench = damaged.bench
    bench.clock.time += timedelta(hours=2)
    bench.write(PATH, CONTENT)
    bench.harvest()
    assert damaged.statuses() == ["damaged", "completed"]  # the harvest itself has brought the content again
    assert bench.archived()[REPAIRED] == CONTENT
    assert bench.states()[PATH] == VersionState.UNCHANGED


def test_a_file_touched_before_its_copy_was_damaged_is_read_as_it_is_now(archived: Any) -> None:
    bench = archived.bench
    bench.clock.time += timedelta(hours=2)
    bench.write(PATH, CONTENT)
    bench.harvest()
    archived.damage()
    archived.sweep()
    assert len(archived.repair().repaired) == 1


def test_from_another_location_when_the_share_has_another_content(archived: Any, tmp_path: Path) -> None:
    bench = archived.bench
    bench.add_location("second", tmp_path / "second")
    bench.harvest()
    archived.damage()
    archived.sweep()
    bench.laboratory.write(PATH, DAMAGED, bench.version(PATH).source_mtime)
    assert len(archived.repair().repaired) == 1
    refused = [each for each in bench.transfers(PATH) if each.status == TransferStatus.FAILED]
    assert [each.error_kind for each in refused] == ["content_differs"]
    assert bench.archived()[REPAIRED] == CONTENT
    assert bench.version(PATH).state == VersionState.ARCHIVED


def test_from_another_location_for_a_version_that_is_history(archived: Any, tmp_path: Path) -> None:
    bench = archived.bench
    bench.add_location("second", tmp_path / "second")
    bench.harvest()
    bench.clock.time += timedelta(hours=2)
    bench.write(PATH, b"another content")
    bench.harvest()
    archived.damage()
    archived.sweep()
    assert len(archived.repair().repaired) == 1
    assert bench.archived()[REPAIRED] == CONTENT
    assert bench.version(PATH).number == 2


def test_the_other_copy_is_proven_while_it_is_read(archived: Any, tmp_path: Path) -> None:
    bench = archived.bench
    bench.add_location("second", tmp_path / "second")
    bench.harvest()
    archived.damage()
    archived.damage(tmp_path / "second")
    archived.sweep()
    bench.laboratory.remove(PATH)
    (failed,) = archived.repair().failed
    assert "from second" in failed[1]
    assert REPAIRED not in bench.archived()
    assert bench.staged() == []


def test_when_nothing_intact_is_left_it_is_told_and_nothing_is_changed(damaged: Any) -> None:
    bench = damaged.bench
    bench.laboratory.remove(PATH)
    bench.harvest()
    assert damaged.repair().failed == [(PATH, NOWHERE)]
    assert damaged.statuses() == ["damaged"]
    assert bench.archived()[EVIDENCE] == DAMAGED
    assert bench.version(PATH).state == VersionState.ARCHIVED


def test_a_failed_repair_is_tried_again_the_next_night(damaged: Any) -> None:
    bench = damaged.bench
    bench.laboratory.write(PATH, b"other content now", bench.version(PATH).source_mtime)
    assert len(damaged.repair().failed) == 1
    assert damaged.repair().failed == []
    bench.clock.time += timedelta(days=1)
    bench.laboratory.write(PATH, CONTENT, bench.version(PATH).source_mtime)
    assert len(damaged.repair().repaired) == 1
    assert damaged.statuses() == ["damaged", "failed", "completed"]


def test_the_instruments_hours_are_kept(damaged: Any) -> None:
    bench = damaged.bench
    bench.change(bench.instrument, transfer_config={"hours": ["19:00-07:00"]})
    (failed,) = damaged.repair().failed
    assert "outside the instrument's hours" in failed[1]
    assert damaged.statuses() == ["damaged"]
    bench.clock.time += timedelta(hours=8)
    assert len(damaged.repair().repaired) == 1


def test_an_instrument_that_is_being_harvested_is_left_alone(damaged: Any) -> None:
    damaged.bench.add(
        HarvestRun(instrument_id=damaged.bench.instrument.id, started_at=func.now(), heartbeat_at=func.now())
    )
    assert damaged.repair().failed == [(PATH, "from the share: its instrument is being harvested")]


def test_a_share_that_does_not_answer_is_asked_once(archived: Any) -> None:
    for name in ("a", "b"):
        archived.damage(path=f"Microscope 01/microscope/{name}.csv")
    archived.sweep()
    archived.bench.laboratory.unreachable = SourceUnreachable("no answer")
    failed = archived.repair().failed
    assert {why for _, why in failed} == {"from the share: no answer"}
    with archived.bench.facility.sessions() as session:
        tried = session.scalars(select(Transfer).where(Transfer.status == TransferStatus.FAILED)).all()
    assert len(tried) == 1


def test_a_deleted_instruments_copy_is_repaired_from_another_location(archived: Any, tmp_path: Path) -> None:
    bench = archived.bench
    bench.add_location("second", tmp_path / "second")
    bench.harvest()
    archived.damage()
    archived.sweep()
    with bench.facility.sessions.begin() as session:
        delete_instrument(session, bench.instrument.id)
        instrument = session.get_one(Instrument, bench.instrument.id)
    bench.instrument = instrument
    assert len(archived.repair().repaired) == 1


def test_a_held_location_gets_no_repairs(archived: Any) -> None:
    bench = archived.bench
    for number in range(7):
        bench.write(f"microscope/{number}.csv", CONTENT)
    bench.harvest()
    archived.damage()
    archived.sweep()
    for number in range(7):
        archived.damage(path=f"Microscope 01/microscope/{number}.csv")
    archived.sweep()
    assert archived.repair().repaired == []
    assert archived.statuses() == ["damaged"]


def test_a_repair_whose_run_died_is_taken_up(damaged: Any) -> None:
    bench = damaged.bench
    dead = bench.add(
        HarvestRun(
            instrument_id=bench.instrument.id, started_at=func.now(), heartbeat_at=func.now(), finished_at=func.now()
        )
    )
    with bench.facility.sessions() as session:
        (repair,) = repairs_wanted(session, bench.instrument.id)
    claim = claim_repair(bench.facility, bench.instrument, dead.id, repair)
    assert claim is not None
    assert claim_repair(bench.facility, bench.instrument, dead.id, repair) is None
    (bench.archive / REPAIRED).write_bytes(CONTENT)  # it had published, and not catalogued yet
    assert len(damaged.repair().repaired) == 1
    assert damaged.statuses() == ["damaged", "completed"]
    assert damaged.last().id == claim.transfer_id


def test_other_bytes_under_the_new_name_are_left_alone_and_the_next_name_is_taken(damaged: Any) -> None:
    bench = damaged.bench
    (bench.archive / REPAIRED).write_bytes(b"somebody else's")
    following = "Microscope 01/microscope/a%~2~v1r1.csv"
    assert damaged.repair().repaired == [(PATH, str(bench.archive / following))]
    assert bench.archived()[REPAIRED] == b"somebody else's"
    assert (damaged.last().status, damaged.last().destination_path) == ("completed", following)
    assert bench.archived()[following] == CONTENT


def test_a_large_file_is_repaired_too(bench: Any, archived: Any) -> None:
    content = bytes(range(256)) * 12_000
    bench.write("microscope/large.raw", content)
    bench.harvest()
    archived.damage(path="Microscope 01/microscope/large.raw")
    archived.sweep()
    assert len(archived.repair().repaired) == 1
    assert bench.archived()["Microscope 01/microscope/large~v1r1.raw"] == content


def test_a_harvest_and_a_repair_of_the_same_copy_do_not_meet(damaged: Any) -> None:
    """A touched file brings its content again while a repair of the same copy is under way: one of them makes it."""
    bench = damaged.bench
    with bench.facility.sessions() as session:
        (repair,) = repairs_wanted(session, bench.instrument.id)
    run = bench.add(HarvestRun(instrument_id=bench.instrument.id, started_at=func.now(), heartbeat_at=func.now()))
    claim_repair(bench.facility, bench.instrument, run.id, repair)
    bench.clock.time += timedelta(hours=2)
    bench.write(PATH, CONTENT)
    waited = bench.clock.wait

    def wait_and_let_the_repair_die(seconds: float) -> None:
        waited(seconds)
        with bench.facility.sessions.begin() as session:
            session.execute(update(HarvestRun).where(HarvestRun.id == run.id).values(finished_at=func.now()))

    bench.clock.wait = wait_and_let_the_repair_die
    bench = bench.with_facility(wait=wait_and_let_the_repair_die)
    bench.harvest()
    assert bench.states()[PATH] == VersionState.UNCHANGED
    assert bench.archived()[REPAIRED] == CONTENT
    assert len(damaged.repair().repaired) == 1
    assert [each.status for each in bench.transfers(PATH)].count(TransferStatus.COMPLETED) == 1


def test_a_repair_that_fails_holds_up_no_version_on_its_way_to_another_location(damaged: Any, tmp_path: Path) -> None:
    bench = damaged.bench
    bench.add_location("later", tmp_path / "later")
    filter_files(bench.facility, bench.instrument)
    with bench.facility.sessions() as session:
        (repair,) = repairs_wanted(session, bench.instrument.id)
    with harvest_run(bench.facility.sessions, bench.instrument.id) as run_id:
        claim = claim_repair(bench.facility, bench.instrument, run_id, repair)
        assert claim is not None
        bench.with_facility(wait=lambda seconds: give_up(bench.facility, claim, "source_unreachable", "no")).harvest()
    assert list(bench.archived(tmp_path / "later").values()).count(CONTENT) == 1
    assert bench.states()[PATH] == VersionState.ARCHIVED


def test_of_what_was_archived_unfinished_and_its_journal_says_so_again(damaged: Any) -> None:
    bench = damaged.bench
    bench.change(bench.version(PATH), unfinished="it was growing", reason="it was growing")
    assert len(damaged.repair().repaired) == 1
    lines = [line for each in bench.archive.rglob("*.jsonl") for line in each.read_text().splitlines()]
    [repair] = [line for line in lines if REPAIRED in line]
    assert '"unfinished":true' in repair
    version = bench.version(PATH)
    assert (version.state, version.reason) == (VersionState.ARCHIVED, "it was growing")
