"""An older catalog under a newer bucket, and a catalog from a bucket's journals alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from moto.s3.models import FakeBucket

from streamweave.catalog.schema import renew_identity
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation, VersionState
from streamweave.errors import StorageRefused
from streamweave.journal.rebuilding import rebuild
from streamweave.preservation.sweep import sweep_archive
from streamweave.preservation.verification import verify_location
from streamweave.storage.base import NOT_LEGIBLE
from streamweave.storage.marking import adopt_place, mark_new_place
from streamweave.storage.marks import EARLY_MARKS, Mark
from streamweave.storage.s3.connection import S3Connection
from streamweave.storage.s3.storage import S3Storage


@pytest.fixture
def s3_bench(bench: Any, connection: S3Connection, open_s3: Callable[[S3Connection], S3Storage]) -> Any:
    """The bench, with a bucket as its archive."""
    bench = bench.with_facility(open_storage=lambda _: open_s3(connection))
    with bench.facility.sessions.begin() as session:
        location = session.get_one(StorageLocation, bench.location.id)
        mark_new_place(session, bench.facility.open_storage(location), location)
    return bench


def test_what_was_archived_since_a_backup_comes_back(
    s3_bench: Any, back_up: Callable[[Any], Callable[[], Any]]
) -> None:
    bench = s3_bench
    bench.write("microscope/f.dat", b"f v1")
    bench.harvest()
    restore = back_up(bench)
    bench.clock.wait(3600)
    bench.write("microscope/f.dat", b"f v2")
    bench.write("microscope/x.dat", b"x")
    bench.harvest()
    before = bench.proofs()
    bench.clock.wait(3600)
    bench.write("microscope/f.dat", b"f v3")
    restored = restore()
    restored.harvest()
    assert before < restored.proofs()
    assert set(restored.states().values()) == {VersionState.ARCHIVED}
    assert restored.version("microscope/f.dat").number == 3
    assert verify_location(restored.facility, restored.location).counts.total() == 0


def test_a_catalog_is_rebuilt_from_a_bucket(s3_bench: Any, new_catalog: Sessions) -> None:
    for number in range(3):
        s3_bench.write("microscope/f.dat", b"f" * number)
        s3_bench.harvest()
        s3_bench.clock.wait(3600)
    place = StorageLocation(name="", type="s3", base_path="s3://archive/lab", connection_config={})
    rebuild(replace(s3_bench.facility, sessions=new_catalog), [place])
    rebuilt = s3_bench.with_facility(sessions=new_catalog)
    assert rebuilt.proofs() == s3_bench.proofs()
    assert len(rebuilt.proofs()) == 3


def test_a_bucket_is_adopted_by_a_catalog_of_a_new_identity_and_noted_anew(
    s3_bench: Any, new_catalog: Sessions
) -> None:
    bench = s3_bench
    bench.write("microscope/f.dat", b"f")
    bench.harvest()
    with bench.facility.sessions.begin() as session:
        renew_identity(session)
    with pytest.raises(StorageRefused, match="belongs to another catalog"):
        bench.facility.open_marked(bench.location, to_write=True)
    with bench.facility.sessions.begin() as session:
        location = session.get_one(StorageLocation, bench.location.id)
        replaced = adopt_place(session, bench.facility.open_storage(location), location)
    assert isinstance(replaced, Mark)
    bench.write("microscope/x.dat", b"x")
    bench.harvest()
    sweep_archive(bench.facility)
    place = StorageLocation(name="", type="s3", base_path="s3://archive/lab", connection_config={})
    rebuild(replace(bench.facility, sessions=new_catalog), [place])
    found = {each[:9] for each in bench.with_facility(sessions=new_catalog).proofs()}
    assert found == {each[:9] for each in bench.proofs()}
    assert len(found) == 2


@pytest.mark.parametrize("is_right", [True, False])
def test_a_bucket_of_an_earlier_release_is_marked_at_first_sight_if_it_holds_what_the_catalog_says(
    s3_bench: Any, bucket: FakeBucket, connection: S3Connection, is_right: bool
) -> None:
    bench = s3_bench
    bench.write("microscope/f.dat", b"f")
    bench.harvest()
    storage = bench.facility.open_storage(bench.location)
    storage._bucket.put(f"{connection.prefix}/.streamweave/location", EARLY_MARKS[1])
    bench.change(bench.location, marked_at=None)
    if not is_right:
        del bucket.keys[f"{connection.prefix}/Microscope 01/microscope/f.dat"]
        with pytest.raises(StorageRefused, match=r"f\.dat should exist with 1 bytes"):
            bench.facility.open_marked(bench.location, to_write=True)
        return
    bench.write("microscope/x.dat", b"x")
    bench.harvest()
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    mark = storage.found_mark()
    assert isinstance(mark, Mark)
    assert mark.location_id == bench.location.id


def test_journals_in_a_bucket_are_read_whatever_is_beside_them(s3_storage: S3Storage, connection: S3Connection) -> None:
    catalog, name = UUID(int=7), "2026-03-01/aaaa"
    journal = s3_storage.journal(catalog)
    journal.append(name, 0, b"first\n")
    folder = f"{connection.prefix}/.streamweave/journal/{catalog}"
    for key in (f"{name} (conflicted copy)/{0:016}", f"2026-03-01/._aaaa/{0:016}", f"{name}/._{0:016}"):
        s3_storage._bucket.put(f"{folder}/{key}", b"theirs")
    assert journal.sizes() == {name: 6}
    assert b"".join(journal.read(name)) == b"first\n"
    s3_storage._bucket.delete([f"{folder}/head"])
    assert journal.head() == NOT_LEGIBLE
