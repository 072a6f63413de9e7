"""What a stage asks of the catalog grows with its batches, never with its files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from streamweave.catalog.bulk import BATCH
from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import VersionState
from streamweave.harvest.claims import claim_transfers
from streamweave.harvest.commit import catalogue, content_owners
from streamweave.harvest.copy_verify import digest_of
from streamweave.harvest.enrich import enrich_files
from streamweave.harvest.plan import filter_files
from streamweave.harvest.scan import discover
from streamweave.harvest.scan_record import ScannedScope
from streamweave.harvest.settle import settle
from streamweave.harvest.version_state import Archived
from streamweave.sources.base import FolderListing, SourceFile

ASKED_AT_MOST = 40


@pytest.fixture
def asked(engine: Engine) -> Callable[[], Any]:
    """Collects the statements that the catalog is asked within a block, with their parameters."""

    @contextmanager
    def collect() -> Iterator[list[tuple[str, Any]]]:
        statements: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            statements.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", note)
        yield statements
        event.remove(engine, "before_cursor_execute", note)

    return collect


def write_files(bench: Any, number: int) -> None:
    for each in range(number):
        bench.write(f"microscope/day_{each % 10}/{each:04}.csv", b"%d" % each)


def test_every_stage_asks_as_much_for_many_files_as_for_few(bench: Any, asked: Any) -> None:
    pattern = r"/(?P<day>day_\d)/"
    bench.add_hook("metadata_enrichment", "post_transfer", rules=[{"pattern": pattern, "source": "path"}])
    bench.add_hook("file_filter", "pre_transfer", exclude_patterns=["*1.csv"])
    facility, instrument = bench.facility, bench.instrument
    write_files(bench, 300)

    def claim_and_catalogue() -> None:
        with harvest_run(facility.sessions, instrument.id) as run_id:
            claims = claim_transfers(facility, instrument, run_id, into=[bench.location.id], limit=500)
            with facility.sessions() as session:
                assert content_owners(session, [claim.file_id for claim in claims]) == {}
            digests = [digest_of([claim.source_path.encode()]) for claim in claims]
            results = [
                Archived(claim, digest, claim.version_id, claim.destination_path, "")
                for claim, digest in zip(claims, digests, strict=True)
            ]
            assert len(catalogue(facility, instrument, run_id, results)) == 270

    stages = [
        lambda: discover(facility, instrument),
        lambda: bench.clock.wait(6),
        lambda: discover(facility, instrument),
        lambda: settle(facility, instrument, ScannedScope()),
        lambda: filter_files(facility, instrument),
        claim_and_catalogue,
        lambda: enrich_files(facility, instrument),
    ]
    for stage in stages:
        with asked() as statements:
            stage()
        assert len(statements) < ASKED_AT_MOST

    states = list(bench.states().values())
    assert (states.count(VersionState.ARCHIVED), states.count(VersionState.SKIPPED)) == (270, 30)
    assert bench.record("microscope/day_2/0002.csv").metadata_ == {"day": "day_2"}


def test_many_files_that_changed_are_as_little_work_as_one(bench: Any, asked: Any) -> None:
    write_files(bench, 60)
    bench.harvest()
    bench.clock.wait(60)
    write_files(bench, 120)
    discover(bench.facility, bench.instrument)
    bench.clock.wait(60)
    write_files(bench, 120)

    with asked() as statements:
        sighting = discover(bench.facility, bench.instrument)

    assert sighting.changed_files == 120
    assert len(statements) < ASKED_AT_MOST


def test_a_rescan_of_an_unchanged_share_asks_once_for_many_folders_and_writes_about_no_file(
    bench: Any, asked: Any
) -> None:
    write_files(bench, 100)
    bench.harvest()

    with asked() as statements:
        discover(bench.facility, bench.instrument)

    about_files = [statement for statement, _ in statements if "file_" in statement]
    assert len(about_files) == 2, "one for the folders, one for what is gone"
    assert all(statement.startswith("SELECT") for statement in about_files)


def test_a_folder_of_100_000_files_is_recorded_completely_and_in_bounded_pieces(bench: Any, asked: Any) -> None:
    written = bench.clock.time
    files = tuple(SourceFile(f"microscope/{number:06}.csv", number, written) for number in range(100_000))

    class Large:
        def listings(self) -> Any:
            yield FolderListing("microscope", files)

        def close(self) -> None: ...

    large = bench.with_facility(open_source=lambda instrument: Large())
    with asked() as statements:
        sighting = discover(large.facility, bench.instrument)

    assert (sighting.files, sighting.new_files) == (100_000, 100_000)
    lists = [value for _, given in statements for value in given.values() if isinstance(value, list)]
    assert max(map(len, lists)) <= BATCH
    assert sum(map(len, lists)) >= 100_000
    assert discover(large.facility, bench.instrument).new_files == 0
