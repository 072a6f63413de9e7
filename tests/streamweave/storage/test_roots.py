"""Where storage locations may lie: the rule itself, on any paths, and what this host says of its own folders."""

import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import bench
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation
from streamweave.errors import Conflict, InvalidInput, StorageRefused
from streamweave.manifest import apply_manifest
from streamweave.sealing import Sealer
from streamweave.settings import Settings
from streamweave.storage.base import Storage
from streamweave.storage.locations import (
    StorageRefusal,
    adopt_storage_location,
    check_root,
    create_storage_location,
    delete_storage_location,
    restore_storage_location,
    try_storage,
    update_storage_location,
)
from streamweave.storage.marking import open_marked
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import (
    AS_ROOT,
    Forbidden,
    RootReach,
    StorageRoots,
    forbidden_refusal,
    lies_in,
    listed_roots,
    refusal,
    root_warning,
    start_warnings,
    storage_roots,
)

KEYS = Fernet.generate_key().decode()
SEALER = Sealer(KEYS)
PART = st.sampled_from(["a", "b", ".c", "lib", "python3.11", "site-packages", "storage"])
PATHS = st.lists(PART, max_size=5).map(lambda parts: "/" + "/".join(parts))
FORBIDDEN = st.builds(Forbidden, PATHS, st.just("a folder of the test"), st.sampled_from(RootReach))


@pytest.fixture
def roots(tmp_path: Path) -> StorageRoots:
    """What a host allows that has the test's own folder as its only root."""
    return storage_roots([str(tmp_path / "root")], home=tmp_path / "nowhere")


def archive(session, base_path: Path, roots: StorageRoots | None) -> StorageLocation:
    return create_storage_location(session, SEALER, {"name": "Archive", "base_path": str(base_path)}, roots)


@given(PATHS, st.lists(PATHS, max_size=3), st.lists(FORBIDDEN, max_size=4))
def test_what_is_allowed_lies_in_a_root_and_neither_in_nor_around_a_forbidden_folder(
    path: str, roots: list[str], forbidden: list[Forbidden]
) -> None:
    if refusal(path, roots, forbidden) is None:
        assert any(Path(path).is_relative_to(root) for root in roots)
        for each in forbidden:
            assert not Path(each.folder).is_relative_to(path)
            assert each.reach is not RootReach.ALL or not Path(path).is_relative_to(each.folder)


@given(PATHS, st.lists(PATHS, max_size=3), st.lists(FORBIDDEN, max_size=4))
def test_a_further_root_never_lifts_what_is_forbidden(path: str, roots: list[str], forbidden: list[Forbidden]) -> None:
    if forbidden_refusal(path, forbidden) is not None:
        assert refusal(path, [*roots, "/", path], forbidden) is not None


@given(PATHS, PATHS)
def test_lying_in_a_folder_is_what_pathlib_says(path: str, folder: str) -> None:
    assert lies_in(path, folder) == Path(path).is_relative_to(folder)


@given(PATHS, PATHS, FORBIDDEN)
def test_an_exempt_folder_opens_only_what_it_holds(path: str, exempt: str, forbidden: Forbidden) -> None:
    with_it, without = forbidden_refusal(path, [forbidden], [exempt]), forbidden_refusal(path, [forbidden])
    if with_it != without:
        assert Path(path).is_relative_to(exempt)
        assert Path(exempt).is_relative_to(forbidden.folder)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/etc", "/etc/systemd", "/usr/lib/python3", "/usr/local", "/bin/archive", "/proc/1", "/dev/shm/archive"),
        *(
            "/boot",
            "/tmp",
            "/var",
            "/var/lib",
            "/var/spool/cron",
            "/root",
            "/root/.ssh",
            "/root/.config/systemd",
            "/home",
        ),
        *(sys.prefix, f"{sys.prefix}/lib", sysconfig.get_paths()["purelib"], sysconfig.get_paths()["stdlib"]),
        *(str(Path(sys.prefix).parent), str(Path(__file__).parents[3] / "streamweave_cli")),
        *(str(Path.home()), str(Path.home() / ".local/bin")),
    ],
)
def test_folders_of_system_program_and_people_are_refused_though_a_root_holds_them(path: str, tmp_path: Path) -> None:
    everything = storage_roots(["/"], home=tmp_path / "home")
    with pytest.raises(InvalidInput, match=r"base_path: .*: choose a folder"):
        everything.check_new(path)


def refusal_by(check: Callable[[str], None], path: str) -> str | None:
    try:
        check(path)
    except (InvalidInput, StorageRefused) as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    "path", ["/srv/archive", "/mnt", "/mnt/nas/archive", "/var/lib/streamweave", "/run/media/me/disk"]
)
def test_folders_that_are_made_for_archives_are_allowed(path: str, tmp_path: Path) -> None:
    everything = storage_roots(["/"], home=tmp_path / "home")
    assert refusal_by(everything.check_new, path) is None


def test_the_home_is_refused_but_for_its_own_storage_which_is_a_root(tmp_path: Path) -> None:
    home, scripts = tmp_path / ".home", tmp_path / ".home" / "storage" / "scripts"
    (home / "storage").mkdir(parents=True)
    allowed = storage_roots([], home=home, scripts_folder=scripts)
    allowed.check_new(str(home / "storage" / "archive"))
    for path in (home, home / "keys", home / "storage" / "scripts" / "a"):
        with pytest.raises(InvalidInput, match=r"the system's home|scripts that hooks run"):
            allowed.check_new(str(path))
    with pytest.raises(InvalidInput, match=r"holds .*scripts that hooks run"):
        allowed.check_new(str(home / "storage"))


def test_folders_of_scripts_and_of_dagster_are_refused(tmp_path: Path) -> None:
    scripts, dagster = tmp_path / "scripts", tmp_path / "dagster"
    allowed = storage_roots([str(tmp_path)], home=tmp_path / "home", scripts_folder=scripts, dagster_home=dagster)
    for path, what in ((scripts / "in", "scripts that hooks run"), (dagster, "Dagster's home"), (tmp_path, "holds")):
        with pytest.raises(InvalidInput, match=what):
            allowed.check_new(str(path))


def test_roots_are_listed_with_commas_or_colons_and_all_that_is_wrong_is_said_at_once() -> None:
    assert listed_roots(" /a, /b/:/c//d/,,") == ("/a", "/b", "/c/d")
    with pytest.raises(ValueError, match=r"relative, /a/\.\./b"):
        Settings(storage_roots="relative,/fine:/a/../b")


def test_without_roots_nothing_new_is_entered_and_the_setting_is_named(tmp_path: Path, sessions: Sessions) -> None:
    none = storage_roots([], home=tmp_path / "home")
    with sessions() as session, pytest.raises(InvalidInput, match="STREAMWEAVE_STORAGE_ROOTS") as refused:
        archive(session, tmp_path / "archive", none)
    assert refused.value.field == "base_path"
    assert not (tmp_path / "archive").exists()


def test_a_location_is_entered_moved_and_restored_in_a_root_only(
    tmp_path: Path, roots: StorageRoots, sessions: Sessions
) -> None:
    outside = storage_roots([str(tmp_path / "other")], home=tmp_path / "nowhere")
    with sessions.begin() as session:
        location = archive(session, tmp_path / "root" / "a", roots)
        with pytest.raises(InvalidInput, match="lies outside of the storage roots"):
            update_storage_location(session, SEALER, location.id, {"base_path": str(tmp_path / "b")}, roots)
        update_storage_location(session, SEALER, location.id, {"base_path": str(tmp_path / "root" / "b")}, roots)
        update_storage_location(session, SEALER, location.id, {"name": "Renamed"}, outside)
        delete_storage_location(session, location.id)
        with pytest.raises(Conflict, match="lies outside of the storage roots"):
            restore_storage_location(session, SEALER, location.id, outside)
        restore_storage_location(session, SEALER, location.id, roots)
    assert not (tmp_path / "b").exists()


def test_a_manifest_is_held_to_the_roots_too(tmp_path: Path, roots: StorageRoots, sessions: Sessions) -> None:
    described = {"storage_locations": [{"name": "Lib", "base_path": f"{sys.prefix}/lib"}]}
    with pytest.raises(InvalidInput, match="the program's Python"):
        apply_manifest(sessions, KEYS, described, roots=roots)
    apply_manifest(
        sessions, KEYS, {"storage_locations": [{"name": "A", "base_path": f"{tmp_path}/root/a"}]}, roots=roots
    )


def test_a_link_out_of_the_roots_is_refused(tmp_path: Path, roots: StorageRoots, sessions: Sessions) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "way-in").symlink_to(tmp_path / "root")
    with sessions() as session:
        for path in (tmp_path / "root" / "link" / "a", tmp_path / "way-in" / "a"):
            with pytest.raises(InvalidInput, match="lies outside"):
                archive(session, path, roots)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_root_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    allowed = storage_roots([str(tmp_path / "root")], home=tmp_path / "nowhere")
    assert refusal_by(allowed.check_new, str(tmp_path / "root" / "a")) is None
    assert refusal_by(allowed.check_new, str(tmp_path / "disk" / "a")) is None
    assert refusal_by(allowed.check_writing, str(tmp_path / "root" / "a")) is None


def test_a_link_that_is_put_there_later_is_noticed_before_anything_is_written(
    tmp_path: Path, roots: StorageRoots, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "root" / "a", roots)
    opener = storage_opener(SEALER, roots)
    open_marked(sessions, opener, location, to_write=True)
    (tmp_path / "root" / "a").rename(tmp_path / "away")
    (tmp_path / "root" / "a").symlink_to(tmp_path / "away")
    with pytest.raises(StorageRefused, match="through a link"):
        open_marked(sessions, opener, location, to_write=True)
    answer = try_storage(lambda: open_marked(sessions, opener, location, to_write=True))
    assert isinstance(answer, StorageRefusal)
    assert "through a link" in answer.detail
    with sessions() as session, pytest.raises(Conflict, match="through a link"):
        adopt_storage_location(session, SEALER, location.id, roots)


def publish_one(storage: Storage) -> None:
    with storage.stage("one.part") as staged:
        staged.write(b"1")
    bench.publish_one(storage, "one.part", "a/one")


def test_a_location_from_before_goes_on_and_says_so_until_the_setting_names_it(
    tmp_path: Path, roots: StorageRoots, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        location = archive(session, tmp_path / "old", None)
    publish_one(open_marked(sessions, storage_opener(SEALER, roots), location, to_write=True))
    (tmp_path / "root").mkdir()
    said = [sentence for sentence in start_warnings(sessions, roots) if sentence != AS_ROOT]
    assert len(said) == 1
    assert said[0].startswith(f"storage location Archive: {tmp_path}/old lies outside of the storage roots")
    named = storage_roots([str(tmp_path / "old")], home=tmp_path / "nowhere")
    assert [sentence for sentence in start_warnings(sessions, named) if sentence != AS_ROOT] == []


def test_a_root_that_does_not_exist_is_warned_of(tmp_path: Path, sessions: Sessions) -> None:
    unmounted = storage_roots([str(tmp_path / "disk")], home=tmp_path / "nowhere")
    said = f"STREAMWEAVE_STORAGE_ROOTS: there is no folder {tmp_path}/disk: is the disk mounted?"
    assert said in start_warnings(sessions, unmounted)


def test_what_stands_in_a_forbidden_folder_is_read_and_not_written(tmp_path: Path, sessions: Sessions) -> None:
    """A folder of scripts, say, in which a location was made before there were roots."""
    place = tmp_path / "scripts" / "archive"
    with sessions.begin() as session:
        location = archive(session, place, None)
    publish_one(open_marked(sessions, storage_opener(SEALER), location, to_write=True))
    allowed = storage_roots([str(tmp_path)], home=tmp_path / "nowhere", scripts_folder=tmp_path / "scripts")
    opener = storage_opener(SEALER, allowed)
    with pytest.raises(StorageRefused, match="scripts that hooks run"):
        open_marked(sessions, opener, location, to_write=True)
    assert b"".join(open_marked(sessions, opener, location).read("a/one")) == b"1"
    assert "Nothing is written here" in str(allowed.notice(str(place)))


def test_an_s3_location_needs_no_root(tmp_path: Path) -> None:
    none = storage_roots([], home=tmp_path / "home")
    check_root(StorageLocation(name="B", type="s3", base_path="s3://bucket/prefix"), none)
    with pytest.raises(InvalidInput):
        check_root(StorageLocation(name="A", type="posix", base_path="/srv/archive"), none)


def test_running_as_root_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, said in ((0, [AS_ROOT]), (1000, [])):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert root_warning() == said
