"""An instrument gets another host, share or base path: what is known of its files goes along, or is gone."""

import os
import re
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from fakes.memory_source import MemoryFile
from simlab.shares import Share, ShareServer, available_kinds, serve
from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Group,
    Instrument,
    InstrumentGrant,
    ScanOutcome,
    Transfer,
    VersionState,
)
from streamweave.errors import AddressChanged, Conflict, InvalidInput
from streamweave.harvest.instrument_changes import update_instrument
from streamweave.harvest.scan import discover
from streamweave.instruments.fields import NO_ADDRESS
from streamweave.sources.smb import SmbAddress, SmbSource

SAME, OTHER = {"address_change": "same_files"}, {"address_change": "other_files"}


def change(bench: Any, **changes: Any) -> None:
    """Change the instrument as API and command line do."""
    with bench.facility.sessions.begin() as session:
        changed = update_instrument(session, bench.instrument.id, changes)
        for field in ("cifs_host", "cifs_port", "cifs_share", "cifs_base_path"):
            setattr(bench.instrument, field, getattr(changed, field))


def move_share(bench: Any, old: str, new: str) -> None:
    """The files of one folder are in another one now, with their sizes and times."""
    moved: dict[str, MemoryFile] = bench.laboratory.files
    bench.laboratory.files = {path.replace(f"{old}/", f"{new}/", 1): file for path, file in moved.items()}
    bench.laboratory.share = new.partition("/")[0]


def count(bench: Any, table: Any) -> int:
    with bench.facility.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def fill(bench: Any, *names: str) -> None:
    for name in names:
        bench.write(f"microscope/{name}", name.encode())
    bench.harvest()


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"cifs_host": "new-pc"}, "their source paths stay as they are)"),
        ({"cifs_share": "data"}, "their source paths move from microscope/ to data/)"),
        ({"cifs_share": "data", "cifs_base_path": "/a/b"}, "their source paths move from microscope/ to data/a/b/)"),
        ({"cifs_base_path": "/a"}, "stay as they are, and 2 files outside of the new base path would count as gone)"),
    ],
)
def test_another_address_of_an_instrument_with_files_asks_and_changes_nothing(
    bench: Any, changes: dict[str, str], same: str
) -> None:
    fill(bench, "a/1.csv", "b/2.csv", "3.csv")
    with pytest.raises(Conflict, match=r"say with address_change what is there\. same_files.*other_files") as question:
        change(bench, **changes)
    assert same in str(question.value)
    with bench.facility.sessions() as session:
        assert session.get_one(Instrument, bench.instrument.id).cifs_share == "microscope"
    assert set(bench.states()) == {"microscope/a/1.csv", "microscope/b/2.csv", "microscope/3.csv"}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"cifs_base_path": "/a"}, "stay as they are, and 2 files outside of the new base path would count as gone)"),
        ({"cifs_share": "data"}, "their source paths move from microscope/ to data/)"),
        (
            {"cifs_share": "data", "cifs_base_path": "/a"},
            "move from microscope/ to data/, and 2 files outside of the new base path would count as gone)",
        ),
    ],
)
def test_of_an_instrument_whose_base_folder_no_journal_named_paths_within_the_share_stay(
    bench: Any, changes: dict[str, str], same: str
) -> None:
    fill(bench, "a/1.csv", "b/2.csv", "3.csv")
    bench.change(bench.instrument, cifs_host=NO_ADDRESS)
    with pytest.raises(Conflict) as question:
        change(bench, cifs_host="new-pc", **changes)
    assert same in str(question.value)
    change(bench, cifs_host="new-pc", **changes, **SAME)
    share = changes.get("cifs_share", "microscope")
    assert set(bench.states()) == {f"{share}/a/1.csv", f"{share}/b/2.csv", f"{share}/3.csv"}
    assert bench.record(f"{share}/a/1.csv").gone_at is None
    assert (bench.record(f"{share}/3.csv").gone_at is None) == ("cifs_base_path" not in changes)


@pytest.mark.parametrize(
    "changes",
    [{"cifs_port": 4450}, {"cifs_host": "MICROSCOPE-01"}, {"cifs_share": "microscope", "name": "New"}],
)
def test_what_names_the_same_place_asks_nothing(bench: Any, changes: dict[str, Any]) -> None:
    fill(bench, "1.csv")
    change(bench, **changes)
    assert bench.harvest().days == {}


def test_an_instrument_without_files_is_not_asked_about(bench: Any) -> None:
    change(bench, cifs_share="data", cifs_host="new-pc", cifs_base_path="/a")
    assert bench.instrument.cifs_base_path == "/a"


def test_an_answer_is_one_of_two_words(bench: Any) -> None:
    with pytest.raises(InvalidInput, match="address_change"):
        change(bench, cifs_share="data", address_change="yes")


def test_the_same_files_on_another_share_keep_records_identifiers_versions_and_copies(bench: Any) -> None:
    fill(bench, "1.csv", "deep/er/2.csv")
    bench.clock.wait(60)
    bench.write("microscope/1.csv", b"second version")
    bench.harvest()
    before = {path: (bench.record(path).id, bench.record(path).persistent_id) for path in bench.states()}
    copies = bench.archived()

    move_share(bench, "microscope", "data")
    change(bench, cifs_share="data", cifs_host="new-pc", **SAME)
    report = bench.harvest()

    assert report.days == {}
    assert bench.archived() == copies
    after = {path: (bench.record(path).id, bench.record(path).persistent_id) for path in bench.states()}
    assert after == {path.replace("microscope/", "data/"): known for path, known in before.items()}
    assert (count(bench, FileVersion), count(bench, Transfer)) == (3, 3)
    assert (bench.record("data/deep/er/2.csv").folder, bench.record("data/1.csv").folder) == ("data/deep/er", "data")
    assert bench.version("data/1.csv").state == VersionState.ARCHIVED


def test_a_share_of_which_only_the_capitals_change_keeps_its_files_without_being_asked(bench: Any) -> None:
    fill(bench, "1.csv")
    move_share(bench, "microscope", "Microscope")
    change(bench, cifs_share="Microscope")
    assert bench.harvest().days == {}
    assert list(bench.states()) == ["Microscope/1.csv"]


def test_what_is_archived_after_the_move_takes_its_name_from_the_new_path(bench: Any) -> None:
    fill(bench, "1.csv")
    move_share(bench, "microscope", "data")
    change(bench, cifs_share="data", **SAME)
    bench.clock.wait(60)
    bench.write("data/1.csv", b"second version")
    bench.harvest()
    assert bench.archived() == {
        "Microscope 01/microscope/1.csv": b"1.csv",
        "Microscope 01/data/1~v2.csv": b"second version",
    }


def test_files_that_wait_go_on_after_the_move(bench: Any) -> None:
    bench.change(bench.location, enabled=False)
    fill(bench, "1.csv")
    assert bench.version("microscope/1.csv").state == VersionState.SETTLED
    move_share(bench, "microscope", "data")
    change(bench, cifs_share="data", **SAME)
    bench.change(bench.location, enabled=True)
    bench.harvest()
    assert bench.states() == {"data/1.csv": VersionState.ARCHIVED}


def test_a_wider_base_path_on_the_same_share_moves_nothing(bench: Any) -> None:
    change(bench, cifs_base_path="/a")
    fill(bench, "a/1.csv")
    change(bench, cifs_base_path="/", **SAME)
    bench.write("microscope/b/2.csv", b"new")
    bench.harvest()
    assert bench.states() == dict.fromkeys(["microscope/a/1.csv", "microscope/b/2.csv"], VersionState.ARCHIVED)
    assert count(bench, FileVersion) == 2


def test_what_a_narrower_base_path_leaves_out_is_gone_with_the_reason(bench: Any) -> None:
    fill(bench, "a/1.csv", "b/2.csv")
    bench.change(bench.location, enabled=False)
    fill(bench, "b/3.csv")
    change(bench, cifs_base_path="/a", **SAME)
    assert bench.record("microscope/a/1.csv").gone_at is None
    assert bench.record("microscope/b/2.csv").gone_at is not None
    waiting = bench.version("microscope/b/3.csv")
    assert (waiting.state, waiting.reason) == (
        VersionState.VANISHED,
        "the instrument's base path was changed, and no longer covers it, before it was archived",
    )


def test_a_base_folder_that_was_renamed_takes_its_files_along(bench: Any) -> None:
    change(bench, cifs_base_path="/a")
    fill(bench, "a/1.csv", "a/a/2.csv")
    move_share(bench, "microscope/a", "microscope/b")
    change(bench, cifs_base_path="/b", **SAME)
    assert bench.harvest().days == {}
    assert bench.states() == dict.fromkeys(["microscope/b/1.csv", "microscope/b/a/2.csv"], VersionState.ARCHIVED)


def test_a_base_folder_that_became_a_share_of_its_own_takes_its_files_along(bench: Any) -> None:
    """The paths of two files change places with those of others on the way."""
    change(bench, cifs_base_path="/a")
    fill(bench, "a/1.csv", "a/a/1.csv", "a/a/a/1.csv")
    bench.laboratory.files = {path.replace("/a/", "/", 1): file for path, file in bench.laboratory.files.items()}
    change(bench, cifs_base_path="/", cifs_host="new-pc", **SAME)
    assert bench.harvest().days == {}
    assert set(bench.states()) == {"microscope/1.csv", "microscope/a/1.csv", "microscope/a/a/1.csv"}


def test_paths_that_other_files_have_are_a_conflict_and_nothing_is_changed(bench: Any) -> None:
    fill(bench, "1.csv")
    change(bench, cifs_share="data", **OTHER)
    bench.laboratory.files.clear()
    bench.laboratory.share = "data"
    bench.write("data/1.csv", b"another")
    bench.harvest()
    with pytest.raises(Conflict, match=r"knows microscope/1\.csv as another file"):
        change(bench, cifs_share="microscope", **SAME)
    assert bench.instrument.cifs_share == "data"
    assert set(bench.states()) == {"microscope/1.csv", "data/1.csv"}


def test_grants_on_folders_follow_the_files(bench: Any) -> None:
    fill(bench, "user_a/1.csv")
    group = bench.add(Group(name="lab"))
    with bench.facility.sessions.begin() as session:
        for prefix in ("", "microscope", "microscope/user_a"):
            session.add(InstrumentGrant(instrument_id=bench.instrument.id, path_prefix=prefix, group_id=group.id))
    change(bench, cifs_share="data", cifs_base_path="/x", **SAME)
    with bench.facility.sessions() as session:
        prefixes = session.scalars(select(InstrumentGrant.path_prefix)).all()
    assert sorted(prefixes) == ["", "data/x", "data/x/user_a"]


def test_other_files_at_the_new_address_are_new_and_the_known_ones_are_gone(bench: Any) -> None:
    fill(bench, *(f"{number}.csv" for number in range(20)))
    bench.change(bench.location, enabled=False)
    fill(bench, "waits.csv")
    bench.change(bench.location, enabled=True)
    move_share(bench, "microscope", "data")
    change(bench, cifs_share="data", **OTHER)

    assert bench.version("microscope/waits.csv").state == VersionState.VANISHED
    assert bench.version("microscope/waits.csv").reason == (
        "the instrument's address was changed, to one with other files, before it was archived"
    )
    bench.clock.wait(30)
    assert discover(bench.facility, bench.instrument).outcome == ScanOutcome.COMPLETE
    bench.harvest()
    assert count(bench, FileRecord) == 42
    assert bench.record("data/1.csv").persistent_id != bench.record("microscope/1.csv").persistent_id
    assert bench.record("microscope/1.csv").gone_at is not None
    for number in range(3):  # a share that loses a file soon after is no share that shrank
        bench.laboratory.remove(f"data/{number}.csv")
    bench.clock.wait(30)
    assert discover(bench.facility, bench.instrument).outcome == ScanOutcome.COMPLETE


def test_the_address_is_not_changed_under_a_run(bench: Any) -> None:
    fill(bench, "1.csv")
    with (
        harvest_run(bench.facility.sessions, bench.instrument.id),
        pytest.raises(Conflict, match="a harvest of Microscope 01 is under way"),
    ):
        change(bench, cifs_share="data", **SAME)
    change(bench, cifs_share="data", **SAME)


def test_a_scan_under_way_ends_when_the_address_changes(bench: Any) -> None:
    """What it sees at the old address would be new files under the new paths."""
    fill(bench, "1.csv")
    bench.clock.wait(60)
    bench.write("microscope/2.csv")
    with bench.facility.sessions.begin() as session:  # as another process does: this one goes on with what it knows
        update_instrument(session, bench.instrument.id, {"cifs_share": "data", **SAME})
    with pytest.raises(AddressChanged, match="was given another address while"):
        discover(bench.facility, bench.instrument)
    assert list(bench.states()) == ["data/1.csv"]


@pytest.fixture(params=available_kinds())
def two_shares(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A real SMB server with the shares `old` and `new`."""
    shares = [Share(name, tmp_path / name) for name in ("old", "new")]
    for share in shares:
        share.folder.mkdir()
    with serve(shares, kind=request.param, work_folder=tmp_path / "server") as server:
        yield server


def test_files_moved_to_another_share_of_a_real_server_are_the_same_files(
    bench: Any, two_shares: ShareServer, tmp_path: Path
) -> None:
    with ExitStack() as closing:

        def open_source(instrument: Instrument) -> SmbSource:
            share, base = instrument.cifs_share, instrument.cifs_base_path
            login = two_shares.username, two_shares.password
            # impacket is read by the public engine only
            source = SmbSource(SmbAddress(two_shares.host, two_shares.port, share, base, *login, engine="public"))
            closing.callback(source.close)
            return source

        real = bench.with_facility(open_source=open_source)
        change(real, cifs_share="old", cifs_base_path="/acquired")
        written = datetime(2026, 3, 2, 10, 30, 15, 123400, tzinfo=UTC).timestamp()
        for name in ("1.csv", "day 1/2.csv", "day 1/ä 3.csv", "day 2/4.csv"):
            file = tmp_path / "old" / "acquired" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())
            os.utime(file, (written, written))
        assert real.harvest().counts == {VersionState.ARCHIVED: 4}
        known = {path: real.record(path).persistent_id for path in real.states()}

        shutil.copytree(tmp_path / "old" / "acquired", tmp_path / "new", dirs_exist_ok=True)  # keeps times
        with pytest.raises(Conflict, match="say with address_change"):
            change(real, cifs_share="new", cifs_base_path="/")
        change(real, cifs_share="new", cifs_base_path="/", **SAME)
        sighting = discover(real.facility, real.instrument)
        assert (sighting.files, sighting.new_files, sighting.changed_files, sighting.gone_files) == (4, 0, 0, 0)
        assert real.harvest().days == {}
        moved = {re.sub("^old/acquired/", "new/", path): identifier for path, identifier in known.items()}
        assert {path: real.record(path).persistent_id for path in real.states()} == moved
        assert (count(real, FileRecord), count(real, FileVersion), count(real, Transfer)) == (4, 4, 4)
        assert len(real.archived()) == 4
