"""The benchmark of certificates still runs: everything that it lays down is called safe."""

from pathlib import Path

from benchmarks.certificate import measure


def test_a_small_archive_in_two_locations_is_certified(tmp_path: Path) -> None:
    [measured] = measure(tmp_path / "work", files=250, locations=2, rounds=1)

    assert (measured.files, measured.copies, measured.verdict) == (250, 500, "safe")
