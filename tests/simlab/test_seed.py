import csv
from pathlib import Path

import pytest

from simlab.seed import SEED, SimulatedInstrument, write_seed

MICROSCOPE, SPECTROMETER, X_RAY = SEED
every_instrument = pytest.mark.parametrize("instrument", SEED, ids=lambda instrument: instrument.slug)


def test_the_microscope_holds_its_two_experiments_to_the_byte(tmp_path: Path) -> None:
    write_seed(MICROSCOPE, tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {"experiment_001.csv": 302, "experiment_002.csv": 174}


def test_the_other_instruments_hold_their_files() -> None:
    assert set(SPECTROMETER.files) == {"sample_A_spectrum.csv", "sample_B_spectrum.csv"}
    assert set(X_RAY.files) == {"crystal_scan_001.csv"}


@every_instrument
def test_every_seed_file_is_a_table_of_numbers(instrument: SimulatedInstrument, tmp_path: Path) -> None:
    write_seed(instrument, tmp_path)
    for path in tmp_path.iterdir():
        header, *rows = csv.reader(path.read_text().splitlines())
        assert rows
        for row in rows:
            assert len([float(value) for value in row]) == len(header)


@every_instrument
def test_the_seed_is_the_same_every_time(instrument: SimulatedInstrument, tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_seed(instrument, tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_a_file_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "experiment_001.csv").write_bytes(b"measured by a person")
    write_seed(MICROSCOPE, tmp_path)
    assert (tmp_path / "experiment_001.csv").read_bytes() == b"measured by a person"
    assert (tmp_path / "experiment_002.csv").stat().st_size == 174
