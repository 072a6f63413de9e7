"""An older catalog under a newer bucket, and a catalog from a bucket's journals alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation, VersionState
from streamweave.fixity.verification import verify_location
from streamweave.journal.rebuilding import rebuild
from streamweave.storage.marking import mark_new_place
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
