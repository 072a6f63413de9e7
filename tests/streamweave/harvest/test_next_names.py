"""Every content that a share shows is archived, whatever has its name in the archive already."""

import errno
import hashlib
import os
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from streamweave.alerts.storage_conditions import full_storage
from streamweave.catalog.tables import Transfer, VersionState
from streamweave.errors import CopyNotProven, DestinationOccupied, PathUnusable, StorageRefused, StorageUnavailable
from streamweave.harvest.claims import Claim
from streamweave.harvest.commit import publish
from streamweave.harvest.copy_verify import digest_of
from streamweave.harvest.transfer import REFUSALS_IN_A_ROW, CircuitBreaker
from streamweave.preservation.verification import orphan_paths
from streamweave.storage.archive_paths import source_path_of
from streamweave.storage.marks import Mark
from streamweave.storage.posix import PosixStorage

FOLDER = "Microscope 01/microscope"
MARK = Mark(uuid.UUID(int=1), uuid.UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))


def exchange(bench: Any, gone: str, path: str, content: bytes) -> None:
    """Another file comes in the place of one that was archived."""
    bench.clock.wait(60)
    for each in [each for each in bench.laboratory.files if each == gone or each.startswith(f"{gone}/")]:
        bench.laboratory.remove(each)
    bench.write(path, content)
    bench.harvest()


def is_archived_as(bench: Any, path: str, destination: str, content: bytes) -> bool:
    """On record and in the archive, and the next harvest finds nothing left to do."""
    last = bench.transfers(path)[-1]
    assert (bench.version(path).state, last.status, last.destination_path) == ("archived", "completed", destination)
    assert bench.archived()[destination] == content
    assert bench.staged() == []
    assert list(orphan_paths(bench.facility, bench.location.id, PosixStorage(bench.archive))) == []
    return bool(bench.harvest().days == {})


def test_a_folder_in_the_place_of_a_file(bench: Any) -> None:
    bench.write("microscope/result", b"first a file")
    bench.harvest()
    exchange(bench, "microscope/result", "microscope/result/inside.csv", b"inside")
    assert is_archived_as(bench, "microscope/result/inside.csv", f"{FOLDER}/result%~2/inside.csv", b"inside")
    assert bench.archived()[f"{FOLDER}/result"] == b"first a file"


def test_a_file_in_the_place_of_a_folder(bench: Any) -> None:
    bench.write("microscope/result.d/deep/inside.csv", b"inside")
    bench.harvest()
    exchange(bench, "microscope/result.d", "microscope/result.d", b"now a file")
    assert is_archived_as(bench, "microscope/result.d", f"{FOLDER}/result%~2.d", b"now a file")


def test_kinds_that_clash_at_several_depths(bench: Any) -> None:
    bench.write("microscope/a", b"a")
    bench.harvest()
    exchange(bench, "microscope/a", "microscope/a/b", b"a/b")
    exchange(bench, "microscope/a/b", "microscope/a/b/c/d.csv", b"a/b/c/d")
    assert is_archived_as(bench, "microscope/a/b/c/d.csv", f"{FOLDER}/a%~2/b%~2/c/d.csv", b"a/b/c/d")


def test_files_of_such_a_folder_stay_together_with_their_versions(bench: Any) -> None:
    bench.write("microscope/result", b"first a file")
    bench.harvest()
    exchange(bench, "microscope/result", "microscope/result/a.csv", b"a")
    for content in (b"b", b"second b"):
        bench.clock.wait(60)
        bench.write("microscope/result/b.csv", content)
        bench.harvest()
    below = {path for path in bench.archived() if path.startswith(f"{FOLDER}/result%~2/")}
    assert below == {f"{FOLDER}/result%~2/{name}" for name in ("a.csv", "b.csv", "b~v2.csv")}


def test_every_storage_location_decides_for_itself(bench: Any, tmp_path: Path) -> None:
    bench.add_location("second", tmp_path / "second")
    stranger = tmp_path / "second" / FOLDER / "a.csv"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"a stranger's")
    bench.write("microscope/a.csv", b"ours")
    bench.harvest()
    assert bench.archived() == {f"{FOLDER}/a.csv": b"ours"}
    assert bench.archived(tmp_path / "second") == {f"{FOLDER}/a.csv": b"a stranger's", f"{FOLDER}/a%~2.csv": b"ours"}


def test_a_run_finds_what_a_dead_one_published_under_the_next_name(bench: Any) -> None:
    for name, content in (("a.csv", b"a stranger's"), ("a%~2.csv", b"ours")):
        (bench.archive / FOLDER).mkdir(parents=True, exist_ok=True)
        (bench.archive / FOLDER / name).write_bytes(content)
    bench.write("microscope/a.csv", b"ours")
    bench.harvest()
    assert len(bench.archived()) == 2
    assert bench.transfers("microscope/a.csv")[-1].destination_path == f"{FOLDER}/a%~2.csv"


def test_a_copy_that_can_not_be_read_at_the_moment_is_waited_for_rather_than_made_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.archive / FOLDER).mkdir(parents=True)
    (bench.archive / FOLDER / "a.csv").write_bytes(b"ours")
    bench.write("microscope/a.csv", b"ours")

    def read(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("an I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(PosixStorage, "read", read)
        bench.harvest()
    assert bench.version("microscope/a.csv").state == VersionState.PENDING
    bench.clock.wait(7200)
    bench.harvest()
    assert bench.archived() == {f"{FOLDER}/a.csv": b"ours"}


def test_a_name_without_room_for_a_number_goes_to_the_last_resort_with_its_versions(bench: Any) -> None:
    name = "x" * 251 + ".csv"
    bench.write(f"microscope/{name}/inside", b"inside")
    bench.harvest()
    exchange(bench, f"microscope/{name}", f"microscope/{name}", b"a file")
    wanted = f"{FOLDER}/{name}"
    destination = f"%~/{hashlib.sha256(wanted.encode()).hexdigest()[:32]}.csv"
    assert is_archived_as(bench, f"microscope/{name}", destination, b"a file")

    bench.clock.wait(60)
    bench.write(f"microscope/{name}", b"second")
    bench.harvest()
    second = bench.transfers(f"microscope/{name}")[-1].destination_path
    assert re.fullmatch(rf"{FOLDER}/x+%~[0-9a-f]{{16}}~v2\.csv", second)
    assert bench.archived()[second] == b"second"


def test_hundreds_of_folders_below_each_other(bench: Any) -> None:
    path = "microscope/" + "/".join(f"folder {number:03}" for number in range(500)) + "/deep.csv"
    bench.write(path, b"deep")
    bench.write("microscope/a.csv", b"a")
    bench.harvest()
    destination = f"%~/{hashlib.sha256(f'Microscope 01/{path}'.encode()).hexdigest()[:32]}.csv"
    assert is_archived_as(bench, path, destination, b"deep")
    assert (bench.archive / destination).read_bytes() == b"deep"


def test_what_was_archived_under_longer_paths_before_is_still_listed(tmp_path: Path) -> None:
    storage = PosixStorage(tmp_path)
    storage.prepare(MARK, is_new=True)
    path = "/".join(["f" * 200] * 30)
    folder = os.open(tmp_path, os.O_RDONLY)
    for part in path.split("/"):
        os.mkdir(part, dir_fd=folder)
        outer, folder = folder, os.open(part, os.O_RDONLY, dir_fd=folder)
        os.close(outer)
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    assert list(storage.paths()) == [f"{path}/file"]


@pytest.mark.parametrize("call", ["mkdir", "link"])
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG])
def test_a_file_system_that_does_not_take_a_name(
    bench: Any, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """As vfat and others do with what is no text of theirs, and eCryptfs with names above 143 bytes."""

    def refusing(real: Any) -> Any:
        def wrapped(name: Any, *arguments: Any, **named: Any) -> Any:
            if any("Größe" in str(each) for each in (name, *arguments)):
                raise OSError(number, os.strerror(number))
            return real(name, *arguments, **named)

        return wrapped

    # the last two are what is tried where link answers EINVAL
    for each in [call] if call == "mkdir" else ["link", "rename"]:
        monkeypatch.setattr(os, each, refusing(getattr(os, each)))
    monkeypatch.setattr(
        "streamweave.storage.file_io._renameat2", refusing(lambda *_: pytest.fail("another name came here"))
    )
    path = "microscope/Größe/a.csv" if call == "mkdir" else "microscope/Größe.csv"
    bench.write(path, b"content")
    bench.write("microscope/b.csv", b"b")
    bench.harvest()
    destination = f"%~/{hashlib.sha256(f'Microscope 01/{path}'.encode()).hexdigest()[:32]}.csv"
    assert is_archived_as(bench, path, destination, b"content")


def test_one_files_trouble_is_neither_an_alert_nor_anybody_elses(bench: Any) -> None:
    for number in range(4):
        bench.write(f"microscope/r{number}", b"file")
    bench.harvest()
    for number in range(4):
        bench.laboratory.remove(f"microscope/r{number}")
        bench.write(f"microscope/r{number}/inside", b"%d" % number)
    bench.write("microscope/z.csv", b"z")
    bench.clock.wait(60)
    report = bench.harvest()
    assert report.troubles == []
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    with bench.facility.sessions() as session:
        assert list(full_storage(session, {}, bench.clock.now())) == []


def test_what_waited_for_ever_before_arrives_by_itself(bench: Any) -> None:
    """As the catalog looks where an earlier release met with such a path."""
    bench.write("microscope/result", b"file")
    bench.harvest()
    exchange(bench, "microscope/result", "microscope/result/inside", b"inside")
    path = "microscope/result/inside"
    transfer = bench.transfers(path)[-1]
    (bench.archive / transfer.destination_path).unlink()
    with bench.facility.sessions.begin() as session:
        stuck = {"status": "pending", "destination_path": f"{FOLDER}/result/inside", "attempt": 9, "completed_at": None}
        session.execute(update(Transfer).where(Transfer.id == transfer.id).values(**stuck, checksum_verified=False))
    bench.change(bench.version(path), state="pending", sha256=None, xxhash=None, archived_at=None)
    bench.harvest()
    assert is_archived_as(bench, path, f"{FOLDER}/result%~2/inside", b"inside")
    assert source_path_of(f"{FOLDER}/result%~2/inside") == (path, 1)


class Refusing(PosixStorage):
    """Answers every attempt to publish with the same error."""

    def __init__(self, base: Path, error: Exception) -> None:
        super().__init__(base)
        self.error = error
        self.asked: list[str] = []

    def publish_many(self, paths: Any) -> Any:
        self.asked += paths.values()
        return dict.fromkeys(paths, self.error)


@pytest.mark.parametrize(
    ("error", "kind", "tries"),
    [
        (PathUnusable("a file is in the way", 0), PathUnusable, 17),
        (DestinationOccupied("exists already"), DestinationOccupied, 17),
        (PathUnusable("no such name"), StorageRefused, 2),  # what takes no name at all is the storage's trouble
        (StorageUnavailable("the disk is full"), StorageUnavailable, 1),
    ],
)
def test_the_tries_are_bounded_and_end_with_an_error_that_has_the_right_owner(
    tmp_path: Path, error: Exception, kind: type[Exception], tries: int
) -> None:
    storage = Refusing(tmp_path, error)
    storage.prepare(MARK, is_new=True)
    storage.stage_whole({"t1": b"x"})
    [outcome] = publish(storage, {"t1": "Microscope 01/a"}, {"t1": digest_of([b"x"])}).values()
    assert type(outcome) is kind
    assert len(storage.asked) == len(set(storage.asked)) == tries


def claim_into(location_id: uuid.UUID) -> Claim:
    nothing: Any = None
    ids = [uuid.uuid4() for _ in range(4)]
    return Claim(*ids, location_id, "m/a", 1, nothing, nothing, "M/m/a", 1, 0, None)


def test_paths_in_trouble_never_close_a_storage_location_and_real_errors_still_do() -> None:
    location_id = uuid.uuid4()
    troubles = CircuitBreaker([location_id])
    for error in (PathUnusable("a", 0), DestinationOccupied("b"), PathUnusable("c"), CopyNotProven("d")) * 3:
        assert not troubles.failed(claim_into(location_id), error)
    assert troubles.open == {location_id}
    for _ in range(REFUSALS_IN_A_ROW):
        troubles.failed(claim_into(location_id), StorageUnavailable("the disk is full"))
    assert troubles.open == set()


def ignore_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make of the archive's file system one that knows no capitals. Of Linux, only some kernels have one to mount."""

    def folded(name: Any, handle: int | None) -> Any:
        return name if handle is None or not isinstance(name, str) or name.endswith(".part") else name.lower()

    def wrap(call: str) -> None:
        real = getattr(os, call)

        def wrapped(name: Any, *arguments: Any, **named: Any) -> Any:
            return real(folded(name, named.get("dir_fd")), *arguments, **named)

        monkeypatch.setattr(os, call, wrapped)

    for call in ("open", "mkdir", "stat"):
        wrap(call)
    link = os.link

    def wrapped_link(name: str, final: str, **named: Any) -> None:
        link(name, final.lower(), **named)

    monkeypatch.setattr(os, "link", wrapped_link)


def test_names_that_differ_in_capitals_alone_stay_apart_where_the_archive_knows_no_capitals(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignore_capitals(monkeypatch)
    contents = {"Scan.csv": b"first", "scan.CSV": b"second", "DATA": b"a file", "data/inside.csv": b"inside"}
    for name, content in contents.items():
        bench.write(f"microscope/{name}", content)
    bench.harvest()
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    copies = {name: bench.transfers(f"microscope/{name}")[-1].destination_path for name in contents}
    assert len({path.lower() for path in copies.values()}) == len(contents)
    storage = PosixStorage(bench.archive)
    assert {name: b"".join(storage.read(path)) for name, path in copies.items()} == contents
